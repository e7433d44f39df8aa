"""The button's door: who may press, what is kept, and that nothing hostile makes a 500."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from sre_agent.incident.errors import Transient
from sre_agent.incident.event import EventKind
from sre_agent.web import door
from sre_agent.web.app import create_app
from sre_agent.web.body import BODY_CAP
from sre_agent.web.ports import WebPorts

DOOR = "/webhooks/pagerduty/investigate"
TOKEN = "a long random token"
SHOWN = {"X-SRE-Agent-Token": TOKEN}


def body(**more: object) -> bytes:
    message = {"id": "m1", "event": "incident.custom", "incident": {"id": "Q0EXAMPLE00001"}, **more}
    return json.dumps({"messages": [message]}).encode()


@pytest.fixture
def action_token() -> str:
    return TOKEN


class Stopped:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)


@pytest.fixture
def app(shelf, metrics, action_token: str):
    return create_app(WebPorts(store=shelf, clock=Stopped(), metrics=metrics, pagerduty_action_token=action_token))


async def test_a_press_with_the_token_is_kept_and_answered_202(remote, shelf, metrics) -> None:
    assert (await remote.post(DOOR, content=body(), headers=SHOWN)).status_code == 202
    [(event, _)] = shelf.kept
    assert (event.kind, event.incident_id, event.agent_id) == (EventKind.REQUESTED, "Q0EXAMPLE00001", None)
    assert b'door="pagerduty-action",kind="requested",result="new"} 1.0' in metrics.exposition()[0]


async def test_the_same_press_again_is_kept_once(remote, shelf) -> None:
    answers = await asyncio.gather(*(remote.post(DOOR, content=body(), headers=SHOWN) for _ in range(10)))
    assert ({a.status_code for a in answers}, len(shelf.kept)) == ({202}, 1)


@pytest.mark.parametrize("headers", [
    {},
    {"X-SRE-Agent-Token": ""},
    {"X-SRE-Agent-Token": "a long random toke"},
    {"X-SRE-Agent-Token": TOKEN + "x"},
    {"X-SRE-Agent-Token": TOKEN.upper()},
    {"X-SRE-Agent-Token": b"\xff\xfe"},
    {"Authorization": f"Bearer {TOKEN}"},
    {"X-PagerDuty-Signature": "v1=" + "0" * 64},
    [("X-SRE-Agent-Token", TOKEN), ("X-SRE-Agent-Token", "other")],
])  # fmt: skip
async def test_without_the_token_nothing_is_kept(headers, remote, shelf) -> None:
    answer = await remote.post(DOOR, content=body(), headers=headers)
    assert (answer.status_code, shelf.kept) == (401, [])
    assert TOKEN not in answer.text


async def test_without_the_token_the_body_is_not_read(app) -> None:
    async def receive():
        raise AssertionError("must not be read")

    assert await _status(app, receive, []) == 401


@pytest.mark.parametrize("action_token", ["", "  "])
async def test_without_a_token_of_our_own_nobody_gets_in_and_the_answer_says_what_to_set(remote, shelf) -> None:
    for headers in ({}, SHOWN, {"X-SRE-Agent-Token": ""}, {"X-SRE-Agent-Token": "  "}):
        answer = await remote.post(DOOR, content=body(), headers=headers)
        assert (answer.status_code, shelf.kept) == (503, [])
        assert "PAGERDUTY_ACTION_TOKEN" in answer.json()["error"]


@pytest.mark.parametrize("event", ["incident.trigger", "incident.acknowledge", "incident.resolve"])
async def test_other_events_of_the_old_format_change_nothing(event: str, remote, shelf) -> None:
    assert (await remote.post(DOOR, content=body(event=event), headers=SHOWN)).status_code == 202
    assert shelf.kept == []


async def test_each_press_of_one_body_is_kept(remote, shelf) -> None:
    messages = [{"id": f"m{n}", "event": "incident.custom", "incident": {"id": f"Q0EXAMPLE0000{n}"}} for n in range(3)]
    sent = json.dumps({"messages": messages}).encode()
    assert (await remote.post(DOOR, content=sent, headers=SHOWN)).status_code == 202
    assert [event.incident_id for event, _ in shelf.kept] == ["Q0EXAMPLE00000", "Q0EXAMPLE00001", "Q0EXAMPLE00002"]


@pytest.mark.parametrize("sent", [b"", b"{", b"\xff", b"[]", b'{"event":{"id":"x"}}', b"[" * 200_000, b'{"messages":"x"}'])
async def test_a_foreign_body_with_the_token_is_202_and_nothing(sent: bytes, remote, shelf) -> None:
    assert (await remote.post(DOOR, content=sent, headers=SHOWN)).status_code == 202
    assert shelf.kept == []


async def test_a_huge_body_is_413(remote, shelf) -> None:
    assert (await remote.post(DOOR, content=b"x" * (BODY_CAP + 1), headers=SHOWN)).status_code == 413
    assert shelf.kept == []


async def test_a_press_that_cannot_be_kept_is_503(remote, shelf) -> None:
    shelf.failure = Transient("the database cannot be reached")
    assert (await remote.post(DOOR, content=body(), headers=SHOWN)).status_code == 503


async def test_a_body_that_never_ends_is_given_up(app, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ANSWER_WITHIN", 0.01)

    async def receive():
        await asyncio.Event().wait()

    assert await _status(app, receive, [(b"x-sre-agent-token", TOKEN.encode())]) == 503


async def test_only_post_is_answered(remote) -> None:
    assert (await remote.get(DOOR, headers=SHOWN)).status_code == 405


async def _status(app, receive, headers: list[tuple[bytes, bytes]]) -> int:
    statuses = []

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http"},
        **{"path": DOOR, "raw_path": DOOR.encode(), "query_string": b"", "root_path": ""},
        **{"headers": [(b"host", b"x"), *headers], "client": ("203.0.113.9", 1), "server": ("x", 80)},
    }
    await app(scope, receive, send)
    return statuses[0]
