"""The PagerDuty door: what is kept, what is turned away and with which status, and that nothing hostile makes a 500."""

import asyncio
import json

import httpx
import pytest

from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.event import EventKind
from sre_agent.web import door
from sre_agent.web.body import BODY_CAP

DOOR = "/webhooks/pagerduty"


async def test_an_authentic_delivery_is_kept_and_then_answered_202(remote, shelf, sender):
    body = sender.body()
    answer = await remote.post(DOOR, content=body, headers=sender.headers(body))
    assert answer.status_code == 202
    [(event, raw)] = shelf.kept
    assert (event.kind, event.incident_id, raw) == (EventKind.TRIGGERED, "Q0EXAMPLE00001", body)


async def test_a_repeat_is_answered_202_and_kept_once(remote, shelf, sender, metrics):
    body = sender.body()
    answers = [(await remote.post(DOOR, content=body, headers=sender.headers(body))).status_code for _ in range(3)]
    assert (answers, len(shelf.kept)) == ([202] * 3, 1)
    assert b'kind="triggered",result="duplicate"} 2.0' in metrics.exposition()[0]


@pytest.mark.parametrize("event_type", ["incident.something_new", "service.updated", "pagey.ping", ""])
async def test_what_we_do_not_understand_is_still_kept(event_type: str, remote, shelf, sender):
    body = sender.body(event_type)
    assert (await remote.post(DOOR, content=body, headers=sender.headers(body))).status_code == 202
    assert len(shelf.kept) == 1


DEEP = b'{"event":' * 100_000 + b"1" + b"}" * 100_000
HOSTILE = {
    "not utf-8": b"\xff\xfe\x00\x80",
    "not json": b"{",
    "deep": DEEP,
    "list": b"[]",
    "null": b"null",
    "number": b"1e999",
    "wrong types": b'{"event":{"id":{},"event_type":[],"occurred_at":7,"agent":[1],"data":"x"}}',
    "duplicate keys": b'{"event":1,"event":{"id":"A","id":"B","event_type":"incident.triggered"}}',
    "nul": b'{"event":{"id":"\\u0000","event_type":"incident.\\u0000"}}',
    "surrogate": b'{"event":{"id":"\\ud800"}}',
    "just under the cap": b'"' + b"x" * (BODY_CAP - 2) + b'"',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_an_authentic_body_that_makes_no_sense_is_kept_as_other(body: bytes, remote, shelf, sender):
    assert (await remote.post(DOOR, content=body, headers=sender.headers(body))).status_code == 202
    assert shelf.kept[0][0].kind is EventKind.OTHER


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_the_same_bodies_unsigned_are_401(body: bytes, remote, shelf, sender):
    headers = sender.headers(body, secret="another")
    assert (await remote.post(DOOR, content=body, headers=headers)).status_code == 401
    assert shelf.kept == []


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "v1=",
        "v2=00",
        "v1=zz",
        "v1=" + "0" * 64,
        "v1=ÿÿ".encode("latin-1"),
        ",".join(["v1=00"] * 50),
        "x" * 9000,
        b"v1=\xff",
    ],
)
async def test_a_missing_or_malformed_signature_is_401(signature, remote, shelf, sender):
    body = sender.body()
    headers = sender.headers(body)
    del headers["x-pagerduty-signature"]
    if signature is not None:
        headers["x-pagerduty-signature"] = signature
    assert (await remote.post(DOOR, content=body, headers=headers)).status_code == 401
    assert shelf.kept == []


async def test_a_changed_byte_is_401(remote, shelf, sender):
    body = sender.body()
    assert (await remote.post(DOOR, content=body + b" ", headers=sender.headers(body))).status_code == 401


async def test_one_matching_signature_of_several_is_enough(remote, shelf, sender):
    body = sender.body()
    headers = sender.headers(body)
    headers["x-pagerduty-signature"] = "v1=" + "0" * 64 + ", " + headers["x-pagerduty-signature"]
    assert (await remote.post(DOOR, content=body, headers=headers)).status_code == 202


async def test_a_declared_body_over_the_cap_is_413_before_anything_is_read(app):
    read = []

    async def receive():
        read.append(1)
        return {"type": "http.request", "body": b"x", "more_body": True}

    assert await _status(app, receive, [(b"content-length", b"2097152"), (b"x-pagerduty-signature", b"v1=0")]) == 413
    assert await _status(app, receive, [(b"content-length", b"9" * 5000), (b"x-pagerduty-signature", b"v1=0")]) == 413
    assert read == []


async def test_an_undeclared_body_is_read_to_the_cap_and_no_further(app):
    read = []

    async def receive():
        read.append(1)
        return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

    assert await _status(app, receive, [(b"x-pagerduty-signature", b"v1=0")]) == 413
    assert len(read) == 17


async def test_an_unsigned_delivery_is_turned_away_without_reading_it(app):
    async def receive():
        raise AssertionError("must not be read")

    assert await _status(app, receive, []) == 401


async def test_a_sender_that_goes_away_leaves_no_error(app):
    async def receive():
        return {"type": "http.disconnect"}

    assert await _status(app, receive, [(b"x-pagerduty-signature", b"v1=0")]) == 400


async def test_a_body_that_never_ends_is_given_up(app, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "ANSWER_WITHIN", 0.01)

    async def receive():
        await asyncio.Event().wait()

    assert await _status(app, receive, [(b"x-pagerduty-signature", b"v1=0")]) == 503


@pytest.mark.parametrize("failure", [Transient("the database cannot be reached"), Permanent("no table inbox"), TimeoutError()])
async def test_an_authentic_delivery_that_cannot_be_kept_is_503_so_that_it_comes_again(failure, remote, shelf, sender):
    shelf.failure = failure
    body = sender.body()
    assert (await remote.post(DOOR, content=body, headers=sender.headers(body))).status_code == 503
    shelf.failure = None
    assert (await remote.post(DOOR, content=body, headers=sender.headers(body))).status_code == 202
    assert len(shelf.kept) == 1


async def test_a_store_that_hangs_is_503_in_time(remote, shelf, sender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "ANSWER_WITHIN", 0.01)
    shelf.hangs = True
    body = sender.body()
    assert (await remote.post(DOOR, content=body, headers=sender.headers(body))).status_code == 503


@pytest.mark.parametrize("secrets", [{}, {"": ""}, {"PSUB001": "  "}])
async def test_without_our_own_secret_everybody_gets_503(secrets, remote, shelf, sender):
    body = sender.body()
    answer = await remote.post(DOOR, content=body, headers=sender.headers(body))
    assert (answer.status_code, shelf.kept) == (503, [])
    assert "PAGERDUTY_WEBHOOK_SECRET" in answer.json()["error"]


async def test_only_post_is_answered(remote):
    assert (await remote.get(DOOR)).status_code == 405


async def test_no_secret_and_no_body_is_ever_echoed(remote, sender):
    body = sender.body()
    answer = await remote.post(DOOR, content=body, headers=sender.headers(body, secret="hush-hush"))
    assert "Q0EXAMPLE" not in answer.text
    assert "hush" not in answer.text
    assert json.loads(answer.text).keys() == {"error"}


async def _status(app, receive, headers: list[tuple[bytes, bytes]]) -> int:
    """The status of one raw ASGI request to the door."""
    statuses = []

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": DOOR,
        "raw_path": DOOR.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"x"), *headers],
        "client": ("203.0.113.9", 1),
        "server": ("x", 80),
    }
    await app(scope, receive, send)
    return statuses[0]


async def test_concurrent_deliveries_of_one_event_keep_it_once(remote: httpx.AsyncClient, shelf, sender):
    body = sender.body()
    answers = await asyncio.gather(*(remote.post(DOOR, content=body, headers=sender.headers(body)) for _ in range(20)))
    assert {a.status_code for a in answers} == {202}
    assert len(shelf.kept) == 1
