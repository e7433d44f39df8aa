"""The provider or a source fails in the middle: the rules end it in time, and what was seen stays seen."""

import asyncio
import json
import time

import pytest
from pydantic import SecretStr

from sre_agent.adapters.openai import Endpoint, OpenAIChat
from sre_agent.evidence.budget import Ceilings, Spend
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.handback.note import NoteContent, render
from sre_agent.investigation.chat import ChatReply, ToolCall
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.model_reasoner import ModelReasoner
from sre_agent.testing.openai import OpenAIStandIn, Reply, answers, asks, asks_all, breaks_off, fails, refuses, says, slowly
from sre_agent.testing.reasoning import ScriptedChat, SilentSource

ANSWER = {
    "statements": [{"text": "The primary stalls", "evidence": ["e1", "e4"]}],
    "alert_class": "infra",
    "confidence_percent": 93,
    "veto": None,
    "runbook": None,
}
LOOK = asks("look_again", {"source": "loki", "minutes_before_onset": 600}, "c1")


async def no_wait(seconds):
    return None


async def investigated(made, script, ceilings, sources=None):
    sources = made.slow_redis_sources() if sources is None else sources
    with OpenAIStandIn(script) as server:
        chat = OpenAIChat(Endpoint(model="m", api_key=SecretStr("k"), base_url=server.base_url), sleep=no_wait)
        reasoner = ModelReasoner(chat, [s.name for s in sources], time.monotonic, ceilings)
        built = build_investigator(sources, [made.detect_slow], reasoner, made.RUNBOOKS, source_deadline_s=5.0)
        done = await built.investigate(made.scope(), made.triage(), "t")
        await chat.close()
        return done, server.requests


OUTAGES = {
    "429": (fails(429), "model-rate-limited"),
    "429 for a day": (fails(429, retry_after="86000"), "model-rate-limited"),
    "500": (fails(500), "model-down"),
    "503": (fails(503), "model-down"),
    "unauthorised meanwhile": (fails(401), "model-rejected-the-request"),
    "reset before a byte": (breaks_off(answers(ANSWER), 0.0), "model-down"),
    "cut in the middle": (breaks_off(answers(ANSWER), 0.5), "model-down"),
    "hangs": (slowly(answers(ANSWER), 60.0), "model-slow"),
    "html": (Reply(body="<html>bad gateway</html>"), "model-down"),
    "refuses": (refuses(), "model-refused"),
    "prose": (says("I think it is DNS."), "model-answered-garbage"),
}


@pytest.mark.parametrize(("reply", "why"), OUTAGES.values(), ids=OUTAGES.keys())
async def test_an_outage_between_two_turns_ends_in_the_rules_diagnosis_and_keeps_what_was_seen(made, reply, why):
    ceilings = Ceilings(seconds=2.0) if why == "model-slow" else Ceilings(seconds=20.0)
    done, requests = await investigated(made, [LOOK, reply], ceilings)
    diagnosis = done.diagnosis
    assert diagnosis.usage.fallback == why
    assert diagnosis.usage.answered >= 1
    assert len(requests) >= 2
    assert [e.id for e in diagnosis.evidence] == ["e1", "e2", "e3", "e4"]
    assert done.proposal is not None
    assert not done.proposal.nominated_by_model
    assert (diagnosis.claimed_class, diagnosis.veto, diagnosis.confidence_bp.value) == (None, None, 10_000)
    assert "The model was not used" in diagnosis.summary
    assert "What it had asked to see counts: e4." in diagnosis.summary
    note = render(NoteContent(incident_id="Q1", status="handed back", diagnosis=diagnosis))
    assert f"The model did not help ({why}); the rules reasoner took over." in note


async def test_hanging_sources_and_a_hanging_model_end_within_their_deadlines(made):
    """Not measured with a wall clock: whatever does not end by its own deadlines never ends, and fails at the long one."""

    class Hanging:
        name = "hanging"

        async def complete(self, request):
            await asyncio.Event().wait()

    sources = [*made.slow_redis_sources(), SilentSource("silent", EvidenceKind.KUBERNETES)]
    reasoner = ModelReasoner(Hanging(), ["silent"], time.monotonic, Ceilings(seconds=0.1))
    built = build_investigator(sources, [made.detect_slow], reasoner, made.RUNBOOKS, source_deadline_s=0.1)
    async with asyncio.timeout(30.0):
        done = await built.investigate(made.scope(), made.triage(), "t")
    assert done.diagnosis.usage.fallback == "model-slow"
    assert [e.error for e in done.diagnosis.evidence if e.status is EvidenceStatus.ERROR] == ["no answer within 0.1 s"]
    assert done.proposal is not None


async def test_looks_at_a_hanging_source_are_paid_from_the_models_time(made):
    calls = (ToolCall(id="c1", name="look_again", arguments='{"source": "silent", "minutes_before_onset": 60}'),)
    chat = ScriptedChat([ChatReply(calls=calls, finish="tool_calls")])
    sources = [*made.slow_redis_sources(), SilentSource("silent", EvidenceKind.KUBERNETES)]
    reasoner = ModelReasoner(chat, ["silent"], lambda: 0.0, Ceilings(seconds=0.2))
    built = build_investigator(sources, [made.detect_slow], reasoner, made.RUNBOOKS, source_deadline_s=0.1)
    async with asyncio.timeout(30.0):
        done = await built.investigate(made.scope(), made.triage(), "t")
    # Twice 0.1 s of looks are all there is: a third call is never made.
    assert done.diagnosis.usage.fallback in ("over-budget", "model-kept-looking")
    assert len(chat.requests) <= 3
    assert done.diagnosis.usage.seconds >= 0.2 or done.diagnosis.usage.fallback == "model-kept-looking"


async def test_time_that_other_rounds_took_is_gone(made):
    chat = ScriptedChat([ChatReply(text=json.dumps(ANSWER), finish="stop")])
    reasoner = ModelReasoner(chat, [], lambda: 0.0, Ceilings(seconds=60.0))
    built = build_investigator(made.slow_redis_sources(), [made.detect_slow], reasoner, made.RUNBOOKS, source_deadline_s=5.0)
    await built.investigate(made.scope(), made.triage(), "t", Spend(seconds=45.0))
    assert chat.requests[0].timeout_s == 15.0
    done = await built.investigate(made.scope(), made.triage(), "t", Spend(seconds=60.0))
    assert done.diagnosis.usage.fallback == "over-budget"


async def test_the_last_call_that_fits_is_told_to_answer(made):
    endless = lambda body: asks("search_logs", {"words": f"w{len(body['messages'])}"}, tokens=(3_000, 20))  # noqa: E731
    done, requests = await investigated(made, [endless], Ceilings(input_tokens=9_000, calls=12))
    assert [r["tool_choice"] for r in requests] == ["auto", "auto", "none"]
    assert done.diagnosis.usage.fallback == "model-kept-looking"
    assert done.diagnosis.usage.input_tokens <= 9_000


async def test_looks_of_one_reply_with_the_same_id_or_an_impossible_name_are_told_apart(made):
    words = {"words": "timeout"}
    script = [
        asks_all([("search_logs", words, "c"), ("search_logs", {"words": "xx"}, "c"), ("rm -rf /", "x" * 5_000, "")]),
        answers(ANSWER),
    ]
    done, requests = await investigated(made, script, Ceilings(seconds=20.0))
    assistant = next(m for m in requests[1]["messages"] if m["role"] == "assistant")
    ids = [c["id"] for c in assistant["tool_calls"]]
    assert ids == ["c", "look_1_2", "look_1_3"]
    assert [m["tool_call_id"] for m in requests[1]["messages"] if m["role"] == "tool"] == ids
    assert assistant["tool_calls"][2]["function"] == {"name": "unknown", "arguments": '{"too": "long"}'}
    assert done.diagnosis.usage.fallback is None


async def test_only_four_looks_of_one_reply_are_made(made):
    many = asks_all([("search_logs", {"words": f"word{i}"}, f"c{i}") for i in range(50)])
    done, requests = await investigated(made, [many, answers(ANSWER)], Ceilings(seconds=20.0))
    assert sum(m["role"] == "tool" for m in requests[1]["messages"]) == 4
    assert done.diagnosis.usage.fallback is None


async def test_an_answer_in_another_language_keeps_its_words_and_the_same_rules(made):
    said = [{"text": "Der Primary antwortet spät", "evidence": ["e1"]}, {"text": "主节点已死", "evidence": ["e77"]}]
    done, _ = await investigated(made, [answers({**ANSWER, "statements": said, "veto": "zu unsicher"})], Ceilings(seconds=20.0))
    assert "Der Primary antwortet spät (e1)." in done.diagnosis.summary
    assert "主节点" not in done.diagnosis.summary
    assert done.diagnosis.usage.dropped == 1
    assert done.diagnosis.veto is not None
