"""A crashed investigation continues, pays for no model call twice, and is charged for the one that was on its way."""

import json
from datetime import timedelta

import pytest

from sre_agent.evidence.budget import Ceilings, Price, Spend
from sre_agent.investigation.chat import ChatReply, ToolCall
from sre_agent.investigation.graph import build_investigator, lock_down, thread_id
from sre_agent.investigation.model_reasoner import ModelReasoner
from sre_agent.testing.reasoning import ScriptedChat

ANSWER = json.dumps(
    {
        "statements": [{"text": "It stalls", "evidence": ["e1"]}],
        "alert_class": "infra",
        "confidence_percent": 90,
        "veto": None,
        "runbook": None,
    }
)
LOOK = ChatReply(
    calls=(ToolCall(id="c1", name="search_logs", arguments='{"words": "timeout"}'),), finish="tool_calls", input_tokens=10,
    output_tokens=5,
)  # fmt: skip
SAID = ChatReply(text=ANSWER, finish="stop", input_tokens=10, output_tokens=5)


class Killed(BaseException):
    """The process dies here."""


def die(request):
    raise Killed


@pytest.fixture
def memory():
    lock_down()
    from langgraph.checkpoint.memory import InMemorySaver

    return InMemorySaver()


PRICE = Price(input_usd_per_mtok=5.0, output_usd_per_mtok=20.0)


class Dying(ModelReasoner):
    """Dies right before or right after its call numbered `call`, before the checkpoint that follows it."""

    def __init__(self, chat, when, call):
        super().__init__(chat, ["redis"], lambda: 0.0, price=PRICE)
        self._when, self._left = when, call

    async def ask(self, dialogue):
        self._left -= 1
        if self._left == 0 and self._when == "before":
            raise Killed
        turn = await super().ask(dialogue)
        if self._left == 0 and self._when == "after":
            raise Killed
        return turn


def built(made, chat, saver, sources=None, reasoner=None, ceilings=None):
    reasoner = reasoner or ModelReasoner(chat, ["redis"], lambda: 0.0, ceilings, PRICE)
    return build_investigator(
        sources or made.slow_redis_sources(), [made.detect_slow], reasoner, made.RUNBOOKS, source_deadline_s=5.0, checkpointer=saver
    )


async def test_a_finished_model_call_is_not_paid_again_after_a_crash(made, memory):
    sources = made.slow_redis_sources()
    first = ScriptedChat([LOOK, die])
    with pytest.raises(Killed):
        await built(made, first, memory, sources).investigate(made.scope(), made.triage(), "Q1/1")
    second = ScriptedChat([SAID])
    done = await built(made, second, memory, sources).investigate(made.scope(), made.triage(), "Q1/1")
    assert len(second.requests) == 1
    assert [m.role for m in second.requests[0].messages] == ["system", "user", "assistant", "tool", "user"]
    usage = done.diagnosis.usage
    assert (usage.calls, usage.answered, usage.lost) == (3, 2, 1)
    assert done.proposal is not None
    assert [len(s.scopes) for s in sources] == [1, 1, 1]


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("call", [1, 2])
async def test_a_call_that_a_crash_swallowed_is_charged_once_at_its_estimate(made, memory, when, call):
    replies = [LOOK, SAID][: call - 1]
    first = ScriptedChat([*replies, die if when == "during" else [LOOK, SAID][call - 1]])
    dying = Dying(first, when, call)
    with pytest.raises(Killed):
        await built(made, first, memory, reasoner=dying).investigate(made.scope(), made.triage(), "Q1/1")
    second = ScriptedChat([LOOK, SAID][call - 1 :])
    done = await built(made, second, memory).investigate(made.scope(), made.triage(), "Q1/1")
    usage = done.diagnosis.usage
    assert len(second.requests) == 3 - call  # those that were in no checkpoint
    assert (usage.calls, usage.answered, usage.lost, usage.fallback) == (3, 2, 1, None)
    assert usage.output_tokens == 5 + 5 + Ceilings().output_tokens
    estimate = usage.input_tokens - 20
    assert 300 < estimate < 5_000
    assert usage.usd == pytest.approx(PRICE.usd(usage.input_tokens, usage.output_tokens))
    assert done.proposal is not None


async def test_a_process_that_keeps_dying_runs_out_of_budget_and_rules_end_it(made, memory):
    sent = 0
    for _ in range(20):
        chat = ScriptedChat([die])
        investigator = built(made, chat, memory, ceilings=Ceilings(calls=4))
        try:
            done = await investigator.investigate(made.scope(), made.triage(), "Q1/1")
            break
        except Killed:
            sent += len(chat.requests)
    assert sent == 4
    assert (done.diagnosis.usage.calls, done.diagnosis.usage.lost, done.diagnosis.usage.fallback) == (4, 4, "over-budget")
    assert done.proposal is not None


async def test_an_investigation_that_starts_again_after_a_long_pause_has_spent_what_it_spent(made, memory):
    first = ScriptedChat([LOOK, die])
    with pytest.raises(Killed):
        await built(made, first, memory).investigate(made.scope(), made.triage(), "Q1/1")
    owed = await built(made, first, memory).spent("Q1/1")
    assert (owed.calls, owed.answered, owed.lost) == (2, 1, 1)
    later = made.scope().model_copy(update={"now": made.NOW + timedelta(minutes=6)})
    second = ScriptedChat([SAID])
    done = await built(made, second, memory).investigate(later, made.triage(), "Q1/1")
    assert len(second.requests[0].messages) == 2  # from the start
    assert (done.diagnosis.usage.calls, done.diagnosis.usage.lost) == (3, 1)


async def test_what_other_rounds_spent_counts_against_the_ceilings_and_not_as_this_rounds_usage(made, memory):
    chat = ScriptedChat([SAID])
    ceilings = Ceilings(calls=5)
    broke = await built(made, chat, memory, ceilings=ceilings).investigate(made.scope(), made.triage(), "Q1/2", Spend(calls=5))
    assert (len(chat.requests), broke.diagnosis.usage.calls, broke.diagnosis.usage.fallback) == (0, 0, "over-budget")
    one_left = await built(made, chat, memory, ceilings=ceilings).investigate(made.scope(), made.triage(), "Q1/3", Spend(calls=4))
    assert (one_left.diagnosis.usage.calls, one_left.diagnosis.usage.fallback) == (1, None)
    assert chat.requests[0].answer_now


async def test_nothing_is_known_to_be_spent_by_a_thread_that_never_was(made, memory):
    assert await built(made, ScriptedChat([SAID]), memory).spent("Q9/1") == Spend()


async def test_a_finished_investigation_is_returned_and_not_run_again(made, memory):
    first = await built(made, ScriptedChat([SAID]), memory).investigate(made.scope(), made.triage(), "Q1/1")
    nobody = ScriptedChat([die])
    again = await built(made, nobody, memory).investigate(made.scope(), made.triage(), "Q1/1")
    assert again == first
    assert nobody.requests == []


async def test_another_round_of_the_incident_is_another_thread(made, memory):
    await built(made, ScriptedChat([SAID]), memory).investigate(made.scope(), made.triage(), "Q1/1")
    chat = ScriptedChat([SAID])
    await built(made, chat, memory).investigate(made.scope(), made.triage(), "Q1/2")
    assert len(chat.requests) == 1


async def test_a_stale_or_foreign_thread_is_started_again(made, memory):
    sources = made.slow_redis_sources()
    await built(made, ScriptedChat([SAID]), memory, sources).investigate(made.scope(), made.triage(), "Q1/1")
    later = made.scope().model_copy(update={"now": made.NOW + timedelta(minutes=6)})
    await built(made, ScriptedChat([SAID]), memory, sources).investigate(later, made.triage(), "Q1/1")
    other = made.scope()
    other = other.model_copy(update={"incident": other.incident.model_copy(update={"id": "Q2"})})
    done = await built(made, ScriptedChat([SAID]), memory, sources).investigate(other, made.triage(), "Q1/1")
    assert [len(s.scopes) for s in sources] == [3, 3, 3]
    assert done.proposal is not None
    assert done.proposal.incident_id == "Q2"


async def test_a_checkpoint_holds_json_only(made, memory):
    await built(made, ScriptedChat([LOOK, SAID]), memory).investigate(made.scope(), made.triage(), "Q1/1")
    stored = await memory.aget_tuple({"configurable": {"thread_id": thread_id("Q1/1")}})
    values = {k: v for k, v in stored.checkpoint["channel_values"].items() if not k.startswith("branch:")}
    assert "evidence" in values
    assert json.loads(json.dumps(values)) == values


def test_nothing_is_traced_out_and_checkpoints_are_read_strictly():
    import os

    lock_down()
    assert os.environ["LANGGRAPH_STRICT_MSGPACK"] == "true"
    from langgraph.checkpoint.serde import _msgpack
    from langsmith.utils import tracing_is_enabled

    assert _msgpack.STRICT_MSGPACK_ENABLED
    assert not tracing_is_enabled()
