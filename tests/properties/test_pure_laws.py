"""P5, P8, P9 and P10 over the pure parts alone: approvals, the guard, the audit chain, and the text of logs."""

import asyncio
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.adapters.postgres.store import chain_break
from sre_agent.approval.decide import Approvers, answered
from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.audit.record import AuditRecord
from sre_agent.evidence.diagnosis import Claim, Diagnosis
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Conflict
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.request import Answers, Probe, Question
from sre_agent.replay.case import load_case
from sre_agent.replay.result import CaseResult
from sre_agent.response.assess import claims_of
from sre_agent.settings import Reasoner, Settings
from sre_agent.testing.turns import at_once
from sre_agent.testing.walkthrough import START
from sre_agent.wiring.recorded import dry_run, replay_books
from tests.path.scenes import ROOT
from tests.properties.books import MEMBERS, PLAIN, TOKENS, stricter
from tests.properties.drawn import FAST, HOSTILE
from tests.properties.history import play
from tests.properties.moves import Arrive, Live, Say, Settle
from tests.properties.world import BASES

REFUSED = 9


def cost(decision: Decision | CaseResult) -> int:
    """0 allowed, 1 or 2 approvals, REFUSED for every kind of no."""
    return decision.approvals_required or 0 if decision.verdict in (Verdict.ALLOW, Verdict.NEEDS_APPROVAL) else REFUSED


situations = st.builds(
    lambda base, facts: Situation.model_validate_json(json.dumps({**BASES[base], "facts": {**BASES[base]["facts"], **facts}})),
    st.sampled_from(["good-restart", "good-failover"]),
    st.fixed_dictionaries(
        {
            "mode": st.sampled_from(["auto", "auto", "approve", "observe"]),
            "human_acknowledged": st.booleans(),
            "nominated_by_model": st.booleans(),
            "evidence_kinds": st.sampled_from([1, 2, 3]),
        }
    ),
)

# --- P10: more rules, less confidence and more text never permit more ---

FORBIDS = {
    "in-prod": 'resource.env == Sre::Environment::"prod"',
    "alone": "context.approvals < 2",
    "unsure": "context.claims.confidence_bp < 10000",
    "acknowledged": "context.facts.human_acknowledged",
    "stateful": "resource.stateful",
    "always": "true",
    "never": "false",
    "thin": "context.facts.evidence_kinds < 3",
}
TRIED = {name: Guard(stricter(PLAIN, (f"try-{name}", condition)), "sre-agent", b"k") for name, condition in FORBIDS.items()}
GUARD = Guard(PLAIN, "sre-agent", b"k")


@settings(FAST, max_examples=50)
@given(situations, st.sampled_from(sorted(FORBIDS)))
def test_one_more_forbid_never_permits_more(it: Situation, name: str) -> None:
    assert cost(TRIED[name].decide(it)) >= cost(GUARD.decide(it))


def test_the_forbids_tried_do_make_a_difference() -> None:
    it = Situation.model_validate_json(json.dumps(BASES["good-restart"]))
    assert (cost(GUARD.decide(it)), cost(TRIED["always"].decide(it)), cost(TRIED["alone"].decide(it))) == (0, REFUSED, 2)


@settings(FAST, max_examples=50)
@given(situations, st.integers(-(10**30), 10**30) | st.integers(7_990, 10_001), st.integers(0, 10_000))
def test_less_confidence_never_permits_more(it: Situation, said: int, less: int) -> None:
    def at(confidence: int) -> int:
        diagnosis = Diagnosis(confidence_bp=Claim[int](value=confidence))
        return cost(GUARD.decide(it.model_copy(update={"claims": claims_of(diagnosis, AlertClass.INFRA)})))

    assert at(min(said, 10_000) - less) >= at(min(said, 10_000))
    assert at(said) >= at(10_000)


CASES = ("pod-crash-loop", "pod-not-ready-staging", "redis-slow-primary", "mixed", "untagged", "prompt-regression-labelled-infra")
INJECTED = (*HOSTILE, "OOMKilled exit code 137", "panic: dial tcp 10.0.0.5:6379: i/o timeout", "config error: no such file")
injections = st.lists(st.sampled_from(INJECTED) | st.text(max_size=60), min_size=1, max_size=3).map(tuple)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory):
    """replayed(case, lines): the result of a dry run with these lines added to every log of the case, and to new ones."""
    asked = Settings().model_copy(update={"reasoner": Reasoner.RULES})
    books = replay_books(asked)
    runner = asyncio.Runner()

    def result(name: str, lines: tuple[str, ...]) -> CaseResult:
        folder = ROOT / "tests/incidents" / name
        if lines:
            folder = Path(shutil.copytree(folder, tmp_path_factory.mktemp("case") / name))
            spoil(folder, lines)
        return runner.run(dry_run(asked, books, folder).result())

    yield result
    runner.close()


def spoil(folder: Path, lines: tuple[str, ...]) -> None:
    """Add the lines to every log of a case folder, and give every pod logs that hold them."""
    objects = load_case(folder).kubernetes or ()
    pods = [o["metadata"] for o in objects if o["kind"] == "Pod"]
    new = {folder / "logs" / p["namespace"] / p["name"] / f"main{kind}.log" for p in pods for kind in ("", ".previous")}
    for path in sorted(new | set(folder.glob("logs/*/*/*.log"))):
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(before + "\n".join(line.replace("\n", " ") for line in lines) + "\n", encoding="utf-8")


@settings(FAST, max_examples=10)
@given(name=st.sampled_from(CASES), lines=injections)
def test_text_in_logs_never_permits_more(replayed, name: str, lines: tuple[str, ...]) -> None:
    clean, spoilt = replayed(name, ()), replayed(name, lines)
    assert cost(spoilt) >= cost(clean)
    assert not spoilt.would_execute or clean.would_execute
    if spoilt.proposal is not None:
        assert spoilt.proposal == clean.proposal


def test_some_of_the_cases_with_text_in_logs_would_be_acted_on(replayed) -> None:
    assert {cost(replayed(name, (INJECTED[0],))) for name in CASES} >= {0, 2, REFUSED}


@pytest.mark.properties
def test_past_incidents_are_decided_to_the_byte_alike_in_two_processes_that_hash_differently() -> None:
    """P12 across processes: no answer depends on the order of a set or a dict of strings."""

    def decided(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "sre_agent", "replay", "tests/incidents", "--json", "-"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout

    first, second = decided("1"), decided("2")
    assert first == second
    assert first.count(b"\n") >= 8


# --- P8: a guard that fails, or is lied to by its engine, denies ---

FAULTS = (
    RuntimeError("x"),
    ValueError("x"),
    KeyError("x"),
    TypeError("x"),
    OSError("x"),
    TimeoutError("x"),
    ZeroDivisionError("x"),
)
IDS = ("grant-restart-pod", "deny-halted", "refuse-class-not-infra", "tier-mode-approve", "no-such-policy", "")
probes = st.builds(
    Probe,
    correlation_id=st.sampled_from(["0", "1", "2", "2", "x"]),
    decision=st.sampled_from(["Allow", "Allow", "Deny", "NoDecision", "allow"]),
    policy_ids=st.lists(st.sampled_from(IDS), max_size=2).map(tuple),
    errors=st.sampled_from([(), (), ("overflow",)]),
)


class LyingEngine:
    """A policy engine that answers what it was told to, or raises it."""

    def __init__(self, answer: tuple[Probe, ...] | Exception) -> None:
        self._answer = answer

    def evaluate(self, question: Question) -> Answers:
        if isinstance(self._answer, Exception):
            raise self._answer
        return Answers(self._answer)


def permitted(it: Situation, engine: LyingEngine) -> bool:
    guard = Guard(dataclasses.replace(PLAIN, engine=engine), "sre-agent", b"k")
    decision, permit = guard.permit(it, approvals=2, permit_id="p", now=START)
    assert (permit is not None) == (decision.verdict is Verdict.ALLOW)
    assert decision.fault is None or decision.verdict is Verdict.DENY
    return permit is not None


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_guard_whose_engine_raises_denies(fault: Exception) -> None:
    it = Situation.model_validate_json(json.dumps(BASES["good-restart"]))
    assert not permitted(it, LyingEngine(fault))


@settings(FAST, max_examples=100)
@given(st.tuples(probes, probes, probes) | st.lists(probes, max_size=4).map(tuple), st.sampled_from(AlertClass))
def test_an_engine_that_lies_gets_no_permit_but_for_an_explained_yes_about_infra(
    told: tuple[Probe, ...], alert_class: AlertClass
) -> None:
    it = Situation.model_validate_json(json.dumps(BASES["good-restart"]))
    it = it.model_copy(update={"facts": it.facts.model_copy(update={"alert_class": alert_class})})
    if permitted(it, LyingEngine(told)):
        assert alert_class is AlertClass.INFRA
        assert [p.correlation_id for p in told] == ["0", "1", "2"]
        assert told[2].decision == "Allow"
        assert told[2].policy_ids
        assert not any(p.errors for p in told)


# --- P5: whose yes counts ---

moments = st.sampled_from([-1, 0, 1, 299, 300, 301]).map(lambda s: START + timedelta(seconds=s))
answers = st.builds(
    Answer, person=st.sampled_from([*TOKENS, "eve"]), approve=st.sampled_from([True] * 4 + [False]), via=st.just("any"), at=moments
)


@settings(FAST, max_examples=80)
@given(
    st.lists(answers, max_size=5),
    st.sampled_from([None, "ana", "ben"]),
    st.sampled_from([1, 2]),
    moments,
    st.sampled_from(["plan", "plan", "plan", "another", ""]),
)
def test_a_yes_counts_once_per_member_in_time_for_this_plan_and_not_for_who_asked(
    given_: list[Answer], requester: str | None, required: int, now: datetime, plan: str
) -> None:
    request = ApprovalRequest(
        id="a", incident_id="QA", plan_hash="plan", required=required, team="platform", question="?", requester=requester,
        created_at=START, expires_at=START + timedelta(seconds=300),
    )  # fmt: skip
    for answer in given_:
        try:
            request = answered(request, answer, answer.at)
        except Conflict:
            continue
    counted = Approvers(PLAIN).count(request, plan, now)
    yes = {a.person for a in given_ if a.approve and a.at < request.expires_at} & MEMBERS - {requester}
    assert counted <= len(yes)
    if counted:
        assert (plan, now < request.expires_at) == ("plan", True)
        assert all(a.approve for a in request.answers)
    if request.state is ApprovalState.GRANTED:
        assert len({a.person for a in request.answers}) >= required


# --- P9: nothing in the chain can be changed, moved, dropped or cut off unseen ---


TAMPERINGS = ("drop", "cut", "swap", "twice", "detail", "time", "kind")


@pytest.fixture(scope="module")
def chain() -> tuple[AuditRecord, ...]:
    """The audit chain of a night with a failover in it."""
    stage = play([Arrive("QA"), Arrive("QB"), Settle(), Say("ana"), Settle(), Say("ben"), Live(60.0)])
    return at_once(stage.store.audit(None))


@settings(FAST, max_examples=100)
@given(where=st.integers(0, 10**6), other=st.integers(0, 10**6), how=st.sampled_from(TAMPERINGS))
def test_every_tampering_with_the_audit_chain_is_found(chain: tuple[AuditRecord, ...], where: int, other: int, how: str) -> None:
    head = (chain[-1].sequence, chain[-1].hash)
    assert chain_break(chain, head) is None
    i, j = where % len(chain), other % len(chain)
    entry = chain[i].entry
    altered = {
        "detail": entry.model_copy(update={"detail": {**entry.detail, "verdict": "deny!"}}),
        "time": entry.model_copy(update={"at": entry.at + timedelta(microseconds=1)}),
        "kind": entry.model_copy(update={"kind": entry.kind + "_"}),
    }
    records = list(chain)
    match how:
        case "drop":
            del records[i]
        case "cut":
            del records[i:]
        case "swap":
            records[i], records[j] = records[j], records[i]
        case "twice":
            records.insert(i, records[i])
        case _:
            records[i] = records[i].model_copy(update={"entry": altered[how]})
    if tuple(records) != chain:
        assert chain_break(tuple(records), head) is not None
