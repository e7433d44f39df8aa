"""A model that sends anything: no answer raises, widens what is permitted or spends more than the ceilings and one call allow."""

import asyncio
import json
import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sre_agent.evidence.budget import Ceilings, Price, Spend
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.investigation.answer import MOST_ANSWER_CHARS, parsed, usable_calls
from sre_agent.investigation.chat import ChatReply, ChatRequest, ModelRateLimited, ModelSlow, ToolCall
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.model_reasoner import MOST_ATTEMPTS, ModelReasoner, estimated
from sre_agent.investigation.reasoner import Look
from sre_agent.investigation.tools import Looks
from sre_agent.response.assess import scope_of
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.reasoning import ScriptedChat, StaticSource
from sre_agent.triage.classify import triage
from sre_agent.triage.ownership import Ownership
from tests.injection.stage import ROOMY, run, world
from tests.path.scenes import RUNBOOKS, START, incident
from tests.path.test_every_kind import REDIS

ANSWER = {"statements": [], "alert_class": "infra", "confidence_percent": 90, "veto": None, "runbook": None}
TOOLS = ("look_again", "read_evidence", "search_logs", "series", "object", "kubectl_delete", "")
QUICK = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=9), x, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.sampled_from([*ANSWER, "target", "approved", "action"]), JSON, max_size=4)
TWISTED = FIELDS.map(lambda more: json.dumps({**ANSWER, **more}))
STATED = st.builds(
    lambda text, ids, share, veto, runbook: json.dumps(
        {**ANSWER, "statements": [{"text": text, "evidence": ids}], "confidence_percent": share, "veto": veto, "runbook": runbook}
    ),
    st.text(max_size=60),
    st.lists(st.sampled_from(["e1", "e2", "e99", ""]), max_size=3),
    st.integers(-5, 105),
    st.none() | st.text(max_size=20),
    st.none() | st.sampled_from([*RUNBOOKS, "delete-everything", ""]),
)
TEXTS = st.text(max_size=200) | JSON.map(json.dumps) | TWISTED | STATED | STATED.map(lambda t: f"```json\n{t}\n```")
ARGUMENTS = JSON.map(json.dumps) | st.text(max_size=50) | st.builds(
    lambda source, minutes, id, words: json.dumps(
        {k: v for k, v in {"source": source, "minutes_before_onset": minutes, "id": id, "words": words}.items() if v is not None}
    ),
    st.none() | st.sampled_from(["redis", "../etc", "http://evil.example"]),
    st.none() | st.integers(-9, 10**9),
    st.none() | st.sampled_from(["e1", "e0", "*"]),
    st.none() | st.text(max_size=9),
)  # fmt: skip
CALLS = st.lists(st.builds(ToolCall, id=st.text(max_size=70), name=st.sampled_from(TOOLS), arguments=ARGUMENTS), max_size=6).map(
    tuple
)
COUNTS = st.integers(0, 60_000)
REPLIES = st.builds(
    ChatReply,
    text=TEXTS,
    calls=CALLS | st.just(()),
    refusal=st.sampled_from(["", "", "", "I cannot"]),
    finish=st.sampled_from(["stop", "tool_calls", "length", "content_filter", "odd"]),
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    attempts=st.integers(1, MOST_ATTEMPTS),
)
FAILURES = st.sampled_from([ModelSlow("late"), ModelRateLimited("429"), Transient("down"), Permanent("no")])
SCRIPTS = st.lists(REPLIES | FAILURES, min_size=1, max_size=8)
LIMITS = st.builds(
    Ceilings,
    calls=st.integers(1, 12),
    input_tokens=st.sampled_from([1, 5_000, 50_000, 10**7]),
    output_tokens=st.sampled_from([1, 1_500]),
    seconds=st.sampled_from([0.5, 90.0]),
    usd=st.sampled_from([0.001, 0.1, 100.0]),
)


@QUICK
@example(json.dumps({**ANSWER, "veto": "\ud800"}))
@example("\ud800")
@example("[" * MOST_ANSWER_CHARS)
@given(TEXTS)
def test_an_answer_is_within_its_bounds_or_unusable(text: str) -> None:
    opinion = parsed(text)
    if opinion is not None:
        told = opinion.model_dump(mode="json")
        assert set(told) == {"statements", "claimed_class", "confidence_bp", "veto", "runbook", "usage"}
        assert 0 <= opinion.confidence_bp <= 10_000
        assert len(opinion.statements) <= 20
        json.dumps(told).encode()
        assert all(s.text.encode() for s in opinion.statements)


@QUICK
@given(CALLS, st.integers(0, 5))
def test_calls_are_made_fit_to_be_sent_back(calls: tuple[ToolCall, ...], most: int) -> None:
    fit = usable_calls(calls, most, 1)
    assert len(fit) == min(len(calls), most)
    assert len({c.id for c in fit}) == len(fit)
    allowed = set(string.ascii_letters + string.digits + "_-")
    assert all(0 < len(t) <= 64 and set(t) <= allowed for c in fit for t in (c.id, c.name))


def source() -> StaticSource:
    told = Evidence(
        id="e1", source="redis", kind=EvidenceKind.REDIS, query="", status=EvidenceStatus.OK, observed_at=START, payload=REDIS
    )
    return StaticSource("redis", EvidenceKind.REDIS, [told])


def scope() -> Scope:
    return scope_of(incident(), START)


@QUICK
@given(st.sampled_from(TOOLS), ARGUMENTS)
def test_a_look_with_any_arguments_is_answered_and_asks_no_source_that_is_not_there(tool: str, arguments: str) -> None:
    asked = source()
    look = Look(call_id="c", tool=tool, arguments=arguments)
    (answer,), _ = asyncio.run(Looks([asked], 1.0).answers([look], scope(), asyncio.run(asked.gather(scope()))))
    assert answer.call_id == "c"
    for seen in asked.scopes[1:]:
        assert seen.incident == scope().incident
        assert 5 * 60 <= (seen.onset - seen.window.start).total_seconds() <= 1440 * 60


class Metered(ScriptedChat):
    """Counts what each request may have cost."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        assert request.timeout_s > 0
        assert 1 <= request.attempts <= MOST_ATTEMPTS
        return await super().complete(request)


def slow(_: object) -> tuple[Finding, ...]:
    kind = FindingKind.REDIS_PRIMARY_SLOW
    return (Finding(kind=kind, object="redis/cache", cause="slow", strength=0.9, evidence=("e1",)),)


async def thought(script: list, ceilings: Ceilings, price: Price, spent: Spend) -> tuple[Investigated, Metered]:
    chat = Metered(script)
    ticks = iter(range(10**6))
    reasoner = ModelReasoner(chat, ["redis"], lambda: 0.01 * next(ticks), ceilings, price)
    built = build_investigator([source()], [slow], reasoner, tuple(RUNBOOKS.values()), source_deadline_s=5.0)
    return await built.investigate(scope(), triage(incident(), Ownership()), "t", spent), chat


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(SCRIPTS, LIMITS, st.sampled_from([Price(), Price(input_usd_per_mtok=3.0, output_usd_per_mtok=15.0)]), st.integers(1, 3))
def test_whatever_a_model_sends_the_plan_is_code_s_and_the_spend_is_bounded_over_all_rounds(
    script, ceilings, price, rounds
) -> None:
    total = Spend()
    for _ in range(rounds):
        done, chat = asyncio.run(thought(script, ceilings, price, total))
        usage = done.diagnosis.usage
        more = usage.spend
        assert min(more.model_dump().values()) >= 0
        # One call may answer with more than was estimated; nothing is called after that.
        assert usage.answered + usage.lost <= more.calls
        assert len(chat.requests) <= more.calls
        dearest = max((estimated(r) for r in chat.requests), default=0)
        total = total.plus(more)
        assert total.calls <= ceilings.calls + MOST_ATTEMPTS - 1
        assert total.input_tokens <= ceilings.input_tokens + max(60_000, dearest)
        assert total.usd <= ceilings.usd + price.usd(max(60_000, dearest), 60_000) + 1e-9
        plan = done.proposal
        assert plan is not None  # a model takes nothing from what code found; it can veto
        assert (plan.action, plan.runbook, plan.target.uid, plan.nominated_by_model) == (
            "redis_failover", "redis-failover", REDIS["nodes"][0]["info"]["run_id"], False,
        )  # fmt: skip
        assert done.diagnosis.claimed_class is None or done.diagnosis.claimed_class.value in AlertClass


@pytest.mark.parametrize("name", ["redis-slow-primary", "pod-crash-loop", "prompt-regression-labelled-infra", "mixed", "healthy"])
def test_a_replay_with_a_model_is_the_same_in_bytes_when_the_model_says_the_same(name: str) -> None:
    looks = (ToolCall(id="c1", name="read_evidence", arguments='{"id": "e1"}'),)
    script = [ChatReply(calls=looks, finish="tool_calls", input_tokens=9), ChatReply(text=json.dumps(ANSWER), finish="stop")]
    lines = {asyncio.run(run(world(name), ScriptedChat(script), ROOMY)).result.line() for _ in range(2)}
    assert len(lines) == 1
