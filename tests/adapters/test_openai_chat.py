"""The adapter against a real HTTP endpoint on loopback."""

import asyncio
import subprocess
import sys

import pytest
from pydantic import SecretStr

from sre_agent.adapters.openai import Endpoint, OpenAIChat
from sre_agent.incident.errors import ConfigurationError, Permanent, Transient
from sre_agent.investigation.chat import ChatRequest, Message, ModelRateLimited, ModelSlow, ToolCall, ToolSpec
from sre_agent.testing.openai import OpenAIStandIn, Reply, answers, asks, asks_all, breaks_off, fails, refuses, says, slowly

TOOL = ToolSpec(
    name="look", description="d", parameters={"type": "object", "properties": {}, "required": [], "additionalProperties": False}
)


def request(**changes):
    given = {
        "messages": (Message(role="user", text="why?"),), "tools": (TOOL,), "answer_schema": {"type": "object"},
        "max_output_tokens": 50, "timeout_s": 10.0, "attempts": 2,
    }  # fmt: skip
    return ChatRequest(**{**given, **changes})


class Pauses:
    def __init__(self):
        self.seconds = []

    async def __call__(self, seconds):
        self.seconds.append(seconds)


async def ask(script, asked=None, pauses=None, **endpoint):
    with OpenAIStandIn(script) as server:
        given = {"model": "m-1", "api_key": SecretStr("key"), "base_url": server.base_url, **endpoint}
        chat = OpenAIChat(Endpoint(**given), sleep=pauses or Pauses())
        try:
            return await chat.complete(asked or request()), server.requests
        finally:
            await chat.close()


async def test_an_answer_comes_back_with_its_cost():
    reply, bodies = await ask([answers({"a": 1}, tokens=(7, 3))])
    assert (reply.text, reply.calls, reply.finish, reply.input_tokens, reply.output_tokens, reply.attempts) == (
        '{"a": 1}', (), "stop", 7, 3, 1,
    )  # fmt: skip
    (body,) = bodies
    assert (body["model"], body["max_tokens"], body["n"], body["tool_choice"]) == ("m-1", 50, 1, "auto")
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
    }
    assert "stream" not in body


async def test_without_tools_none_are_offered_and_a_plain_server_gets_no_schema():
    _, (body,) = await ask([says("x")], request(tools=()), structured=False)
    assert not {"tools", "tool_choice", "response_format"} & set(body)


async def test_tool_calls_come_back_unchecked_and_go_out_again_in_the_apis_own_shape():
    reply, _ = await ask([asks("look", "{oops", call_id="c9")])
    assert reply.calls == (ToolCall(id="c9", name="look", arguments="{oops"),)
    told = (
        Message(role="user", text="why?"),
        Message(role="assistant", calls=reply.calls),
        Message(role="tool", call_id="c9", text="nothing"),
    )
    _, (body,) = await ask([says("x")], request(messages=told))
    assert body["messages"] == [
        {"role": "user", "content": "why?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c9", "type": "function", "function": {"name": "look", "arguments": "{oops"}}],
        },
        {"role": "tool", "tool_call_id": "c9", "content": "nothing"},
    ]


async def test_a_refusal_is_told_apart_from_an_answer():
    reply, _ = await ask([refuses("no")])
    assert (reply.text, reply.refusal) == ("", "no")


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, ModelRateLimited), (500, Transient), (503, Transient), (408, Transient),
     (401, ConfigurationError), (403, ConfigurationError), (400, Permanent), (404, Permanent), (422, Permanent)],
)  # fmt: skip
async def test_every_status_becomes_one_of_our_errors_without_the_providers_words(status, error):
    with pytest.raises(error) as caught:
        await ask([fails(status)])
    assert str(status) in str(caught.value)
    assert "scripted" not in str(caught.value)


async def test_a_passing_failure_is_tried_again_once_and_counted():
    pauses = Pauses()
    reply, bodies = await ask([fails(429, retry_after="2"), answers({})], pauses=pauses)
    assert (reply.attempts, len(bodies), pauses.seconds) == (2, 2, [2.0])


async def test_retries_are_bounded_and_only_made_here():
    with OpenAIStandIn([fails(503)]) as server:
        chat = OpenAIChat(Endpoint(model="m", api_key=SecretStr("k"), base_url=server.base_url), sleep=Pauses())
        with pytest.raises(Transient):
            await chat.complete(request(attempts=3))
        assert len(server.requests) == 3
        with pytest.raises(Transient):
            await chat.complete(request(attempts=1))
        assert len(server.requests) == 4
        await chat.close()


@pytest.mark.parametrize("script", [fails(429, retry_after="60"), fails(400)])
async def test_nobody_waits_for_a_provider_that_asks_for_long_or_says_no_for_good(script):
    pauses = Pauses()
    with pytest.raises((ModelRateLimited, Permanent)):
        await ask([script], pauses=pauses)
    assert pauses.seconds == []


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "nan", "-1", "soon"])
async def test_a_retry_after_that_is_no_number_of_seconds_is_ignored(header):
    pauses = Pauses()
    await ask([fails(429, retry_after=header), answers({})], pauses=pauses)
    assert pauses.seconds == [1.0]


async def test_a_late_answer_is_slow_and_not_tried_again():
    with OpenAIStandIn([slowly(answers({}), 30.0)]) as server:
        chat = OpenAIChat(Endpoint(model="m", api_key=SecretStr("k"), base_url=server.base_url), sleep=Pauses())
        with pytest.raises(ModelSlow):
            await chat.complete(request(timeout_s=0.1))
        assert len(server.requests) == 1
        await chat.close()


async def test_an_endpoint_that_is_gone_is_transient():
    with OpenAIStandIn([answers({})]) as server:
        gone = server.base_url
    chat = OpenAIChat(Endpoint(model="m", api_key=SecretStr("k"), base_url=gone), sleep=Pauses())
    with pytest.raises(Transient, match="OPENAI_BASE_URL"):
        await chat.complete(request())
    await chat.close()


BODIES = {
    "html": "<html>",
    "empty": "",
    "array": "[]",
    "number": "7",
    "null": "null",
    "choices null": '{"choices": null}',
    "choice null": '{"choices": [null]}',
    "message null": '{"choices": [{"message": null}]}',
    "content is a list": '{"choices": [{"message": {"content": [{"type": "text", "text": "x"}]}}]}',
    "call without function": '{"choices": [{"message": {"tool_calls": [{"id": "x"}]}}]}',
    "calls are text": '{"choices": [{"message": {"tool_calls": "x"}}]}',
    "usage is text": '{"choices": [{"message": {"content": "x"}}], "usage": "none"}',
    "tokens are huge": '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1e99, "completion_tokens": -4}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_is_no_completion_is_an_empty_reply_or_transient_and_never_a_crash(body):
    try:
        reply, _ = await ask([Reply(body=body)], request(attempts=1))
    except Transient:
        return
    assert reply.calls == ()
    assert reply.text in ("", "x")
    assert (reply.input_tokens, reply.output_tokens) == (0, 0)


async def test_cancelling_the_caller_cancels_the_request():
    with OpenAIStandIn([slowly(answers({}), 30.0)]) as server:
        chat = OpenAIChat(Endpoint(model="m", api_key=SecretStr("k"), base_url=server.base_url))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await chat.complete(request(timeout_s=60.0))
        await chat.close()


def test_the_key_is_not_in_the_endpoints_text():
    assert "hunter2" not in repr(Endpoint(model="m", api_key=SecretStr("hunter2")))


BESIDE_THE_LOOP = """
import asyncio, sys, threading
from pydantic import SecretStr
from sre_agent.adapters.openai import Endpoint, OpenAIChat
from sre_agent.incident.errors import Transient
from sre_agent.investigation.chat import ChatRequest, Message

class Witness:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "openai" and threading.current_thread() is threading.main_thread():
            sys.exit(f"{name} was loaded on the event loop")

async def ask():
    chat = OpenAIChat(Endpoint(model="m", api_key=SecretStr("k"), base_url="http://127.0.0.1:9/v1"))
    words = (Message(role="user", text="?"),)
    asked = ChatRequest(messages=words, answer_schema={}, max_output_tokens=9, timeout_s=9.0, attempts=1)
    try:
        await chat.complete(asked)
    except Transient:
        print("asked")
    await chat.close()

sys.meta_path.insert(0, Witness())
asyncio.run(ask())
"""


def test_the_sdk_is_loaded_beside_the_event_loop_on_which_webhooks_wait():
    ran = subprocess.run([sys.executable, "-c", BESIDE_THE_LOOP], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.stdout.strip(), ran.stderr) == ("asked", "model_failed\n")


async def test_a_model_that_must_answer_still_sees_the_tools_and_may_call_none():
    _, (body,) = await ask([says("x")], request(answer_now=True))
    assert body["tool_choice"] == "none"
    assert len(body["tools"]) == 1


@pytest.mark.parametrize("sent", [0.0, 0.5])
async def test_a_connection_that_ends_before_the_answer_does_is_transient(sent):
    with pytest.raises(Transient):
        await ask([breaks_off(says("x"), sent)], request())


async def test_all_calls_of_one_reply_are_read():
    reply, _ = await ask([asks_all([("a", {"x": 1}, "c1"), ("b", "{", "c2")])], request())
    assert [(c.id, c.name, c.arguments) for c in reply.calls] == [("c1", "a", '{"x": 1}'), ("c2", "b", "{")]


async def test_the_log_says_why_a_model_failed_and_what_to_do_but_not_what_the_provider_said(caplog):
    body = '{"error":{"message":"Incorrect API key provided: sk-abc","type":"invalid_request_error"}}'
    with caplog.at_level("WARNING"), pytest.raises(ConfigurationError):
        await ask([Reply(status=401, body=body)])
    (record,) = [r for r in caplog.records if r.getMessage() == "model_failed"]
    assert record.reason == "the model's provider answered 401; check OPENAI_API_KEY"
    assert "sk-abc" not in caplog.text
