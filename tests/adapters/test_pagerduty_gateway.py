"""Repeats, deadlines, error meanings: over a scripted transport in virtual time."""

from collections.abc import Iterable

import pytest

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.pace import Pace
from sre_agent.adapters.pagerduty.transport import Answer, Request
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, Transient


class Script:
    """A transport that answers, or raises, one line after the other; the last line repeats."""

    def __init__(self, *lines: Answer | Exception) -> None:
        self.lines, self.sent = list(lines), []

    def send(self, request: Request) -> Answer:
        self.sent.append(request)
        line = self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]
        if isinstance(line, Exception):
            raise line
        return line

    def close(self) -> None:
        pass


class VirtualTicks:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def reply(status: int, code: int | None = None, **headers: str) -> Answer:
    body = {"error": {"message": "said", "code": code, "errors": ["why"]}} if status >= 300 else {"ok": True}
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


async def run(script: Script, method: str = "GET", deadline_s: float = 20.0, path: str = "/incidents/QAAAAA"):
    ticks = VirtualTicks()
    gateway = Gateway(script, Pace(), Patience(deadline_s=deadline_s), ticks)
    try:
        if method == "GET":
            return await gateway.get(path), ticks.now
        return await gateway.write(method, path, {"note": {}}), ticks.now
    finally:
        await gateway.aclose()


DROPPED = OutcomeUnknown("dropped")
REFUSED = Transient("no connection")


@pytest.mark.parametrize("first", [reply(500), reply(502), reply(503), DROPPED, REFUSED])
async def test_a_read_is_repeated_until_it_succeeds(first):
    script = Script(first, first, reply(200))
    content, waited = await run(script)
    assert (content, len(script.sent)) == ({"ok": True}, 3)
    assert 0.3 < waited < 2.0


async def test_a_read_that_never_succeeds_ends_as_transient():
    script = Script(reply(503))
    with pytest.raises(Transient, match="503"):
        await run(script)
    assert len(script.sent) == 4


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("first", [reply(500), reply(503), DROPPED])
async def test_a_write_of_unknown_outcome_is_sent_once_and_says_so(method, first):
    script = Script(first, reply(200))
    with pytest.raises(OutcomeUnknown):
        await run(script, method)
    assert len(script.sent) == 1


async def test_a_write_that_never_left_is_not_of_unknown_outcome():
    with pytest.raises(Transient) as caught:
        await run(Script(REFUSED), "POST")
    assert not isinstance(caught.value, OutcomeUnknown)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_429_is_waited_out_as_long_as_told(method):
    script = Script(reply(429, 2020, ratelimit_reset="6"), reply(429, 2020, ratelimit_reset="3"), reply(200))
    _, waited = await run(script, method)
    assert 9.0 <= waited < 10.0
    assert len(script.sent) == 3


async def test_a_429_without_headers_is_waited_out_longer_each_time():
    script = Script(*[reply(429, 2020)] * 3, reply(200))
    _, waited = await run(script)
    assert 5.0 < waited < 9.0


async def test_a_429_beyond_the_deadline_tells_the_caller_when():
    script = Script(reply(429, 2020, ratelimit_reset="55"))
    with pytest.raises(Transient, match="rate limit") as caught:
        await run(script)
    assert (caught.value.retry_after, len(script.sent)) == (55.0, 1)


async def test_endless_429_ends_at_the_deadline():
    with pytest.raises(Transient, match="429"):
        await run(Script(reply(429, 2020)), deadline_s=30.0)


async def test_nonsense_in_the_rate_limit_headers_is_ignored():
    _, waited = await run(Script(reply(429, 2020, ratelimit_reset="-5"), reply(429, 2020, ratelimit_reset="soon"), reply(200)))
    assert waited < 5.0


async def test_when_nothing_remains_of_the_limit_the_next_call_waits():
    ticks = VirtualTicks()
    gateway = Gateway(Script(reply(200, ratelimit_remaining="0", ratelimit_reset="4")), Pace(), Patience(), ticks)
    await gateway.get("/users")
    assert ticks.now == 0.0
    await gateway.get("/users")
    assert ticks.now == pytest.approx(4.0)
    await gateway.aclose()


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (400, 1008, ConfigurationError, "PAGERDUTY_FROM_EMAIL"),
        (401, 2006, ConfigurationError, "PAGERDUTY_API_TOKEN"),
        (401, None, ConfigurationError, "PAGERDUTY_API_TOKEN"),
        (403, 2010, NotAvailable, "rights"),
        (402, 2014, NotAvailable, "plan"),
        (402, None, NotAvailable, "plan"),
        (404, 2100, NotFound, "does not know"),
        (404, 5001, NotFound, "does not know"),
        (400, 1001, Conflict, "resolved"),
        (400, 1019, Conflict, "merged"),
        (400, 1014, ConfigurationError, "escalation policy"),
        (400, 2001, Permanent, "said; why"),
        (302, None, Permanent, "302"),
        (413, None, Permanent, "413"),
    ],
)
async def test_what_stays_wrong_is_explained_and_not_repeated(status, code, kind, words):
    script = Script(reply(status, code))
    with pytest.raises(kind, match=words) as caught:
        await run(script)
    assert "/incidents/QAAAAA" in str(caught.value)
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    "content", [None, [], "text", {"error": "plain"}, {"error": {"code": "2100", "errors": 7}}, {"message": "other"}]
)
async def test_errors_of_another_shape_are_tolerated(content):
    with pytest.raises(Permanent, match="400"):
        await run(Script(Answer(400, {}, content)))


def page(*names: str, more: object = False) -> Answer:
    return Answer(200, {}, {"alerts": list(names), "more": more})


async def pages(*answers: Answer) -> tuple[list[object], Iterable[str]]:
    script = Script(*answers)
    gateway = Gateway(script, ticks=VirtualTicks())
    try:
        return await gateway.pages("/x", "alerts"), [r.params["offset"] for r in script.sent]
    finally:
        await gateway.aclose()


async def test_every_page_is_read():
    assert await pages(page("a", "b", more=True), page("c")) == (["a", "b", "c"], ["0", "2"])


@pytest.mark.parametrize(
    "answers", [[page(more=True)], [Answer(200, {}, {"more": False})], [Answer(200, {}, None)], [page(*"ab" * 5000, more=True)]]
)
async def test_a_list_that_cannot_be_read_to_its_end_is_an_error(answers: Iterable[Answer]):
    with pytest.raises(Permanent):
        await pages(*answers)
