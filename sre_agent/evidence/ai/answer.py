"""What one call to somebody else's API got, read from labels, error types and messages. Pure.

Knows the words of several worlds: HTTP and gRPC codes, `error.type` of OpenTelemetry's gen_ai conventions, exception
classes of the usual client libraries and gateways. Sources: https://opentelemetry.io/docs/specs/semconv/gen-ai/,
https://docs.litellm.ai/docs/proxy/prometheus
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from sre_agent.evidence.finding_reason import FindingReason


class Answer(StrEnum):
    """What a call got. A call that was itself wrong (400, 404, 422) counts as FINE: the other side is well."""

    FINE = "fine"
    LIMITED = "limited"
    QUOTA = "quota"
    UNAUTHORIZED = "unauthorized"
    OVERLOADED = "overloaded"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


BAD = tuple(a for a in Answer if a is not Answer.FINE)
REASON_OF: dict[Answer, FindingReason | None] = {
    Answer.FINE: None,
    Answer.LIMITED: FindingReason.RATE_LIMITED,
    Answer.QUOTA: FindingReason.QUOTA_EXCEEDED,
    Answer.UNAUTHORIZED: FindingReason.UNAUTHORIZED,
    Answer.OVERLOADED: FindingReason.OVERLOADED,
    Answer.TIMED_OUT: FindingReason.TIMED_OUT,
    Answer.UNREACHABLE: None,
    Answer.FAILED: None,
}
SAID_OF: dict[Answer, str] = {
    Answer.FINE: "answers well",
    Answer.LIMITED: "answers 429 (rate limit)",
    Answer.QUOTA: "refuses: the quota or budget is used up",
    Answer.UNAUTHORIZED: "answers 401 or 403 (key or rights)",
    Answer.OVERLOADED: "answers 5xx (overloaded)",
    Answer.TIMED_OUT: "does not answer in time",
    Answer.UNREACHABLE: "cannot be reached",
    Answer.FAILED: "answers 5xx or an error",
}
_CODE_LABELS = (
    *("code", "status", "status_code", "http_status", "http_status_code", "http_response_status_code", "response_code"),
    *("exception_status", "error_code", "grpc_code", "grpc_status_code", "rpc_grpc_status_code"),
)
_RESULT_LABELS = (
    *("outcome", "result", "reason", "error_type", "exception_class", "exception_type", "exception", "error_class", "error"),
    *("finish_reason", "finished_reason"),
)
_NOTHING = frozenset({"", "none", "null", "false", "unknown", "n_a", "0"})
# The first that matches the whole code wins. 499: the caller hung up.
_CODES: tuple[tuple[re.Pattern[str], Answer], ...] = (
    (re.compile(r"429"), Answer.LIMITED),
    (re.compile(r"402"), Answer.QUOTA),
    (re.compile(r"40[13]"), Answer.UNAUTHORIZED),
    (re.compile(r"408|504|524"), Answer.TIMED_OUT),
    (re.compile(r"503|529"), Answer.OVERLOADED),
    (re.compile(r"5(\d\d|xx)"), Answer.FAILED),
    (re.compile(r"[1234](\d\d|xx)"), Answer.FINE),
)
# The first that is found in the words wins: a quota is more than a rate, a bad request is no failure of the other side.
_WORDS: tuple[tuple[re.Pattern[str], Answer], ...] = (
    (re.compile(r"insufficient_(quota|funds)|quota|billing|budget_?exceeded|credit_balance|payment_required"), Answer.QUOTA),
    (re.compile(r"429|rate_?limit|too_many_requests|throttl|resource_?exhausted"), Answer.LIMITED),
    (
        re.compile(
            r"unauthori[sz]ed|unauthenticated|authentication|permission_?denied|permission_error|forbidden|access_denied"
            r"|invalid_api_key|incorrect_api_key"
        ),
        Answer.UNAUTHORIZED,
    ),
    (
        re.compile(
            r"bad_request|invalid_request|invalid_argument|unprocessable|not_found|context_(window|length)|content_(policy|filter)"
            r"|cancel"
        ),
        Answer.FINE,
    ),
    (re.compile(r"time_?d?_?out|deadline_exceeded"), Answer.TIMED_OUT),
    (re.compile(r"overload|service_unavailable|unavailable|model_not_ready|capacity"), Answer.OVERLOADED),
    (re.compile(r"connect|unknown_host|name_resolution|dns|unreachable|refused|ssl|tls"), Answer.UNREACHABLE),
    (re.compile(r"error|fail|exception|internal|true"), Answer.FAILED),
    (re.compile(r"^(ok|success(ful)?|succeeded|completed?|stop|length|end_turn|tool_calls|abort)$"), Answer.FINE),
)
_FINE_NAME = re.compile(r"success")
_NAMES: tuple[tuple[re.Pattern[str], Answer], ...] = (
    (re.compile(r"rate_?limit|throttl|429"), Answer.LIMITED),
    (re.compile(r"time_?out"), Answer.TIMED_OUT),
    (re.compile(r"error|fail|exception"), Answer.FAILED),
)


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Lower case with underscores: "RateLimitError" and "rate-limit error" both become "rate_limit_error"."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def answer_in_labels(labels: Mapping[str, str]) -> Answer | None:
    """What the calls got that a series with these labels counts; None when its labels do not say."""
    known = {plain(k): plain(v) for k, v in labels.items()}
    told = [known[n] for n in (*_CODE_LABELS, *_RESULT_LABELS) if n in known]
    answers = [a for v in told if v not in _NOTHING and (a := _answer(v)) is not None]
    if answers[:1] == [Answer.LIMITED] and Answer.QUOTA in answers:
        return Answer.QUOTA  # a used-up quota is answered with 429 as well; no waiting helps it
    if answers:
        return answers[0]
    return Answer.FINE if any(v in ("none", "false", "0") for v in told) else None


def answer_in_name(name: str) -> Answer | None:
    """The same by the metric's name alone."""
    if _FINE_NAME.search(name):
        return Answer.FINE
    return next((a for pattern, a in _NAMES if pattern.search(name)), None)


def answer_in_text(message: str) -> Answer:
    """The same for an error's message; FAILED when it does not say more."""
    code = re.search(r"\b(429|402|401|403|408|504|524|503|529|5\d\d)\b", message[:400])
    told = next((a for pattern, a in _WORDS if a is not Answer.FINE and pattern.search(plain(message[:400]))), Answer.FAILED)
    if told in (Answer.FAILED, Answer.UNREACHABLE) and code is not None:
        return _answer(code[1]) or told
    return told


def _answer(value: str) -> Answer | None:
    coded = next((a for pattern, a in _CODES if pattern.fullmatch(value)), None)
    if coded is not None or re.fullmatch(r"\d+", value):
        return coded
    return next((a for pattern, a in _WORDS if pattern.search(value)), None)
