"""The guard around the engine: permits, faults, records."""

import dataclasses
from datetime import UTC, datetime

import pytest

from sre_agent.policy.canonical import digest
from sre_agent.policy.decision import Verdict
from sre_agent.policy.guard import Guard
from sre_agent.policy.permit import seal_holds
from sre_agent.policy.request import Answers
from sre_agent.runbook.proposal import plan_hash

NOW = datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)
KEY = b"k" * 32


def permit(guard, it, approvals, **more):
    return guard.permit(it, approvals=approvals, permit_id="p1", now=NOW, **more)


class Scripted:
    """An engine that answers what the test says, after asking the real one."""

    def __init__(self, real, change) -> None:
        self._real, self._change = real, change

    def evaluate(self, question):
        return Answers(self._change(self._real.evaluate(question).probes))


def raising(error):
    def change(_probes):
        raise error

    return change


def only(**fields):
    return lambda probes: tuple(dataclasses.replace(p, **fields) for p in probes)


FAULTS = {
    "engine raises": raising(ValueError("boom")),
    "engine breaks": raising(RuntimeError("boom")),
    "engine loses a key": raising(KeyError("decision")),
    "no answer": lambda probes: (),
    "short answer": lambda probes: probes[:2],
    "long answer": lambda probes: (*probes, probes[-1]),
    "wrong order": lambda probes: probes[::-1],
    "wrong correlation": only(correlation_id="9"),
    "an error beside an allow": only(errors=("integer overflow in policy deny-budget-target",)),
    "an error on one probe": lambda probes: (*probes[:2], dataclasses.replace(probes[2], errors=("x",))),
    "no decision": only(decision="NoDecision", policy_ids=()),
    "a decision nobody knows": only(decision="Maybe"),
    "allow without a grant": only(decision="Allow", policy_ids=()),
    "allow by an unknown grant": only(decision="Allow", policy_ids=("policy7",)),
    "allow explained by a refusal": only(decision="Allow", policy_ids=("deny-halted",)),
    "deny explained by a grant": only(decision="Deny", policy_ids=("grant-restart-pod",)),
    "allows less with more approvals": lambda probes: (
        probes[0],
        *(dataclasses.replace(p, decision="Deny", policy_ids=("deny-halted",)) for p in probes[1:]),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_engine_that_misbehaves_is_refused_with_a_fault(fault, bundle, make) -> None:
    guard = Guard(dataclasses.replace(bundle, engine=Scripted(bundle.engine, FAULTS[fault])), "a", KEY)
    decision, minted = permit(guard, make("good-restart"), 2)
    assert minted is None
    assert decision.verdict is Verdict.DENY
    assert decision.fault
    assert decision.policy_ids == ("guard-fault",)


BAD_FACTS = {
    "wrong type": {"halted": 0},
    "text for a number": {"facts_age_s": "9"},
    "bad enum": {"alert_class": "infra "},
    "NaN": {"facts_age_s": float("nan")},
    "negative": {"replicas_ready": -1},
    "beyond the bound, where arithmetic could overflow": {"replicas_ready": 2**62},
    "missing": {"managed": None},
    "not a set of names": {"active_freezes": (1,)},
    "a surrogate in a name": {"collector_errors": ("\ud800",)},
}


@pytest.mark.parametrize("bad", BAD_FACTS)
def test_facts_that_skipped_validation_are_refused_with_a_fault(bad, guard, make) -> None:
    good = make("good-restart")
    it = good.model_copy(update={"facts": good.facts.model_copy(update=BAD_FACTS[bad])})
    decision, minted = permit(guard, it, 2)
    assert minted is None
    assert decision.verdict is Verdict.DENY
    assert decision.fault


@pytest.mark.parametrize("approvals", [-1, "2", None, 1.5, True])
def test_a_count_that_is_no_count_mints_nothing(approvals, guard, make) -> None:
    _, minted = permit(guard, make("good-failover"), approvals)
    assert minted is None


def test_a_permissive_policy_cannot_break_the_class_gate(bundle, make) -> None:
    """Even an engine that allows everything meets the second lock."""
    engine = Scripted(bundle.engine, only(decision="Allow", policy_ids=("grant-restart-pod",), errors=()))
    guard = Guard(dataclasses.replace(bundle, engine=engine), "a", KEY)
    it = make("good-restart", **{"facts.labelled_class": "tool"})
    decision, minted = permit(guard, it, 2)
    assert minted is None
    assert "not infra" in (decision.fault or "")


def test_a_guard_without_a_bundle_denies_everything(make) -> None:
    guard = Guard(None, "a", KEY)
    assert not guard.ready
    decision, minted = permit(guard, make("good-restart"), 2)
    assert (decision.verdict, decision.policy_ids, minted) == (Verdict.DENY, ("guard-not-ready",), None)


def test_a_permit_is_minted_only_at_enough_approvals(guard, make) -> None:
    it = make("good-failover")
    for approvals in (0, 1):
        decision, minted = permit(guard, it, approvals)
        assert (decision.verdict, decision.approvals_required, minted) == (Verdict.NEEDS_APPROVAL, 2, None)
    decision, minted = permit(guard, it, 2)
    assert (decision.verdict, decision.approvals_required) == (Verdict.ALLOW, 0)
    assert minted is not None


def test_more_approvals_than_anybody_asks_for_are_as_good_as_two(guard, make) -> None:
    _, minted = permit(guard, make("good-failover"), 7)
    assert minted is not None
    assert minted.approvals == 7


def test_the_permit_is_sealed_and_bound_to_plan_facts_and_bundle(guard, bundle, make) -> None:
    it = make("good-restart")
    _, minted = permit(guard, it, 0)
    assert minted is not None
    assert seal_holds(KEY, minted)
    assert not seal_holds(b"x" * 32, minted)
    assert not seal_holds(KEY, minted.model_copy(update={"approvals": 2}))
    assert minted.plan_hash == plan_hash(it.proposal, "infra", bundle.hash)
    assert minted.facts_sha256 == digest(it.facts.model_dump(mode="json"))
    assert (minted.bundle_hash, minted.minted_at, minted.proposal) == (bundle.hash, NOW, it.proposal)


def test_a_permit_for_another_plan_than_the_one_judged_is_refused(guard, make) -> None:
    it = make("good-restart")
    decision, minted = permit(guard, it, 0, plan="0" * 64)
    assert (decision.verdict, decision.policy_ids, minted) == (Verdict.DENY, ("plan-changed",), None)
    _, minted = permit(guard, it, 0, plan=plan_hash(it.proposal, "infra", guard.bundle_hash))
    assert minted is not None


def test_facts_that_turned_bad_after_approval_stop_the_execution(guard, make) -> None:
    _, minted = permit(guard, make("good-failover", **{"facts.facts_age_s": 121}), 2)
    assert minted is None


def test_a_decision_remembers_its_whole_request(guard, make) -> None:
    decision = guard.decide(make("good-failover"))
    assert decision.request_sha256 == digest(decision.request)
    assert decision.request["agent"] == "test-agent"
    assert decision.request["facts"]["redis_down_after_ms"] == 3000
    assert decision.bundle_hash == guard.bundle_hash


def test_the_same_request_gives_the_same_decision_every_time(guard, make) -> None:
    it = make("good-restart", **{"facts.active_freezes": ["b", "a"], "facts.halted": True, "facts.evidence_conflict": True})
    first = guard.decide(it).model_dump_json()
    assert {guard.decide(it).model_dump_json() for _ in range(50)} == {first}


def test_default_deny_names_the_nearest_grants(guard, make) -> None:
    decision = guard.decide(make("good-failover", **{"proposal.target.kind": "Pod"}))
    assert decision.policy_ids == ("default-deny",)
    assert decision.nearest_grants == ("grant-redis-failover",)
    assert decision.reasons == ("no grant covers redis_failover on a Pod",)


def test_reasons_name_the_failed_collectors_and_the_freezes(guard, make) -> None:
    it = make("good-restart", **{"facts.collector_errors": ["redis_target"], "facts.active_freezes": ["year-end"]})
    text = " | ".join(guard.decide(it).reasons)
    assert "redis_target" in text
    assert "year-end" in text
