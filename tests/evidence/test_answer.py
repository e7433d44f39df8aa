import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent.evidence.ai.answer import BAD, REASON_OF, SAID_OF, Answer, answer_in_labels, answer_in_name, answer_in_text, plain
from sre_agent.evidence.ai.outside import provider_of, tool_of, upstream_of
from sre_agent.evidence.series import Series


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"exception_class": "RateLimitError", "exception_status": "None"}, Answer.LIMITED),
        ({"exception_class": "Openai.APITimeoutError"}, Answer.TIMED_OUT),
        ({"exception_class": "APIConnectionError"}, Answer.UNREACHABLE),
        ({"exception_class": "ContextWindowExceededError"}, Answer.FINE),
        ({"exception_class": "ContentPolicyViolationError"}, Answer.FINE),
        ({"error.type": "ThrottlingException"}, Answer.LIMITED),
        ({"error_type": "java.net.UnknownHostException"}, Answer.UNREACHABLE),
        ({"error_type": "_OTHER", "code": "500"}, Answer.FAILED),
        ({"grpc_code": "RESOURCE_EXHAUSTED"}, Answer.LIMITED),
        ({"grpc_code": "UNAVAILABLE"}, Answer.OVERLOADED),
        ({"grpc_code": "OK"}, Answer.FINE),
        ({"code": "429", "error_code": "insufficient_quota"}, Answer.QUOTA),
        ({"code": "402"}, Answer.QUOTA),
        ({"code": "403"}, Answer.UNAUTHORIZED),
        ({"code": "499"}, Answer.FINE),
        ({"code": "529"}, Answer.OVERLOADED),
        ({"finished_reason": "length"}, Answer.FINE),
        ({"error": "false"}, Answer.FINE),
        ({"error": "true"}, Answer.FAILED),
        ({"status": ""}, None),
        ({"route": "429"}, None),
    ],
)
def test_labels_of_several_worlds_say_what_a_call_got(labels, expected):
    assert answer_in_labels(labels) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error code: 429 - {'code': 'rate_limit_exceeded'}", Answer.LIMITED),
        ("Error code: 429 - You exceeded your current quota, please check your plan and billing details", Answer.QUOTA),
        ("Error code: 401 - Incorrect API key provided", Answer.UNAUTHORIZED),
        ("Error code: 529 - {'type': 'overloaded_error'}", Answer.OVERLOADED),
        ("503 upstream connect error", Answer.OVERLOADED),
        ("Request timed out.", Answer.TIMED_OUT),
        ("[Errno 111] Connection refused", Answer.UNREACHABLE),
        ("KeyError: 'slot'", Answer.FAILED),
        ("", Answer.FAILED),
    ],
)
def test_messages_say_the_same(message, expected):
    assert answer_in_text(message) is expected


def test_a_name_says_it_when_no_label_does():
    assert answer_in_name("tool_timeouts_total") is Answer.TIMED_OUT
    assert answer_in_name("vllm:request_success_total") is Answer.FINE
    assert answer_in_name("llm_requests_total") is None


def test_every_bad_answer_has_words_and_only_good_ones_are_not_bad():
    assert set(SAID_OF) == set(REASON_OF) == set(Answer)
    assert Answer.FINE not in BAD


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=40), max_size=5), st.text(max_size=500))
def test_any_text_is_read_without_an_error(labels, text):
    assert answer_in_labels(labels) in (None, *Answer)
    assert answer_in_text(text) in Answer
    assert plain(plain(text)) == plain(text)


def series(name="requests_total", **labels):
    return Series(labels={"__name__": name, **labels})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"gen_ai.system": "openai", "gen_ai.request.model": "m"}, ("openai", "m")),
        ({"api_provider": "azure", "litellm_model_name": "m"}, ("azure", "m")),
        ({"tts_provider": "elevenlabs"}, ("elevenlabs", None)),
        ({"model_name": "own-7b"}, (None, "own-7b")),
        ({"server_address": "api.deepgram.com"}, ("deepgram", None)),
        ({"tool_name": "crm", "model": "m"}, None),
        ({"device": "sda", "model": "EVO"}, None),
        ({"cloud_provider": "aws"}, None),
        ({"pod": "api-1"}, None),
    ],
)
def test_whose_api_it_is_is_in_the_labels(labels, expected):
    side = provider_of(series(**labels))
    assert (None if side is None else (side.provider, side.model)) == expected


def test_a_well_known_name_stands_in_for_a_missing_label():
    assert provider_of(series("twilio_requests_total")).name == "twilio"
    assert provider_of(series("daily_requests_total")) is None


def test_tools_and_what_they_go_through():
    made = series(**{"gen_ai.tool.name": "crm", "mcp_server": "eu-1"})
    assert (tool_of(made), upstream_of(made)) == ("crm", "eu-1")
    assert tool_of(series(pod="a")) is None
