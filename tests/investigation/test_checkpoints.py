"""A crashed investigation continues, and pays for no model call twice."""

import json
from datetime import timedelta

import pytest

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
    calls=(ToolCall(id="c1", name="search_logs", arguments='{"words": "timeout"}'),), finish="tool_calls", input_tokens=10
)
SAID = ChatReply(text=ANSWER, finish="stop", input_tokens=10)


class Killed(BaseException):
    """The process dies here."""


def die(request):
    raise Killed


@pytest.fixture
def memory():
    lock_down()
    from langgraph.checkpoint.memory import InMemorySaver

    return InMemorySaver()


def built(made, chat, saver, sources=None):
    reasoner = ModelReasoner(chat, ["redis"], lambda: 0.0)
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
    assert done.diagnosis.usage.calls == 2
    assert done.proposal is not None
    assert [len(s.scopes) for s in sources] == [1, 1, 1]


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
