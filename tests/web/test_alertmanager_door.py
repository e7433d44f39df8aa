"""Alertmanager's door: who gets in, what is kept before the answer, and which status makes Alertmanager send again."""

import asyncio
import json
import random
from datetime import UTC, datetime

import pytest

from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.event import EventKind
from sre_agent.intake.alertmanager import parse_delivery
from sre_agent.web import alertmanager
from sre_agent.web.app import create_app
from sre_agent.web.ports import AlertDoors, WebPorts

DOOR = "/webhooks/alertmanager"
TOKEN = "a long random token"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


class Stopped:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 28, 3, 10, tzinfo=UTC)


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def app(shelf, metrics, token: str):
    doors = AlertDoors(lambda labels: labels.get("tool_name", "-"), alertmanager_token=token)
    return create_app(WebPorts(store=shelf, clock=Stopped(), metrics=metrics, doors=doors))


def body(*tools: str, **more: object) -> bytes:
    alerts = [
        {"status": "firing", "labels": {"alert_type": "tool", "tool_name": t}, "startsAt": "2026-11-28T03:08:00Z"} for t in tools
    ]
    return json.dumps({"version": "4", "status": "firing", "alerts": alerts, **more}).encode()


def told(sent: bytes) -> set[str]:
    """The events that a body tells of."""
    return {e.event_id for e in parse_delivery(sent, Stopped().now(), lambda labels: labels.get("tool_name", "-"))}


async def test_a_delivery_is_kept_and_then_answered_202(remote, shelf, metrics) -> None:
    sent = body("crm", groupKey="{}")
    assert (await remote.post(DOOR, content=sent, headers=SHOWN)).status_code == 202
    [(event, raw)] = shelf.kept
    assert (event.kind, event.alerts[0].labels["tool_name"], raw) == (EventKind.TRIGGERED, "crm", sent)
    assert b'door="alertmanager",kind="triggered",result="new"} 1.0' in metrics.exposition()[0]


async def test_every_group_of_a_delivery_is_kept_and_the_raw_body_once(remote, shelf) -> None:
    sent = body("crm", "calendar", "sms")
    assert (await remote.post(DOOR, content=sent, headers=SHOWN)).status_code == 202
    assert [event.alerts[0].labels["tool_name"] for event, _ in shelf.kept] == ["crm", "calendar", "sms"]
    assert [raw for _, raw in shelf.kept] == [sent, b"", b""]


async def test_the_same_delivery_from_three_of_a_cluster_is_kept_once(remote, shelf) -> None:
    answers = await asyncio.gather(*(remote.post(DOOR, content=body("crm"), headers=SHOWN) for _ in range(3)))
    assert ({a.status_code for a in answers}, len(shelf.kept)) == ({202}, 1)


@pytest.mark.parametrize("headers", [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer "},
    {"Authorization": TOKEN},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": f"Digest {TOKEN}"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Bearer  {TOKEN}"},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"Authorization": b"Bearer \xff\xfe"},
    {"X-SRE-Agent-Token": TOKEN},
    [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")],
])  # fmt: skip
async def test_without_the_token_nothing_is_kept(headers, remote, shelf) -> None:
    answer = await remote.post(DOOR, content=body("crm"), headers=headers)
    assert (answer.status_code, shelf.kept) == (401, [])
    assert TOKEN not in answer.text


async def test_the_scheme_counts_in_any_case(remote) -> None:
    assert (await remote.post(DOOR, content=body("crm"), headers={"Authorization": f"bearer {TOKEN}"})).status_code == 202


@pytest.mark.parametrize("token", ["", "  "])
async def test_without_a_token_of_our_own_the_answer_is_503_and_says_what_to_set(remote, shelf) -> None:
    for headers in ({}, SHOWN, {"Authorization": "Bearer "}, {"Authorization": "Bearer   "}):
        answer = await remote.post(DOOR, content=body("crm"), headers=headers)
        assert (answer.status_code, shelf.kept) == (503, [])
        assert "SRE_AGENT_ALERTMANAGER_TOKEN" in answer.json()["error"]


@pytest.mark.parametrize("failure", [Transient("the database cannot be reached"), Permanent("the disk is full")])
async def test_while_the_store_is_away_the_answer_makes_alertmanager_send_again(failure, remote, shelf) -> None:
    shelf.failure = failure
    assert (await remote.post(DOOR, content=body("crm"), headers=SHOWN)).status_code == 503
    shelf.failure = None
    assert (await remote.post(DOOR, content=body("crm"), headers=SHOWN)).status_code == 202
    assert len(shelf.kept) == 1


async def test_a_store_that_does_not_answer_is_503_in_time(remote, shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertmanager, "ANSWER_WITHIN", 0.05)
    shelf.hangs = True
    assert (await remote.post(DOOR, content=body("crm"), headers=SHOWN)).status_code == 503


async def test_a_delivery_of_ten_megabytes_is_refused_and_that_it_came_is_kept(remote, shelf, metrics) -> None:
    sent = body("crm", text="x" * 10_000_000)
    for _ in range(3):
        assert (await remote.post(DOOR, content=sent, headers=SHOWN)).status_code == 413
    [(event, raw)] = shelf.kept
    assert (event.kind, [a.labels_known for a in event.alerts], raw) == (EventKind.TRIGGERED, [False], b"")
    assert "max_alerts" in event.alerts[0].annotations["summary"]
    assert b'sre_agent_deliveries_refused_total{door="alertmanager",reason="oversize"} 3.0' in metrics.exposition()[0]


async def test_a_delivery_of_seven_megabytes_is_kept(remote, shelf) -> None:
    sent = body(*(f"tool-{n % 7}" for n in range(2000)), text="x" * 7_000_000)
    assert (await remote.post(DOOR, content=sent, headers=SHOWN)).status_code == 202
    assert len(shelf.kept) == 7


async def test_a_stranger_s_huge_body_is_not_read_and_not_noted(remote, shelf) -> None:
    assert (await remote.post(DOOR, content=b"x" * 9_000_000)).status_code == 401
    assert shelf.kept == []


async def test_no_body_whatever_makes_a_5xx_or_goes_unkept(remote, shelf) -> None:
    drawn = random.Random(7)
    whole = body("crm", "calendar", groupKey="{}", truncatedAlerts=0)
    for n in range(200):
        raw = bytearray(whole)
        for _ in range(drawn.randrange(1, 8)):
            raw[drawn.randrange(len(raw))] = drawn.randrange(256)
        sent = bytes(raw[: drawn.randrange(len(raw))]) if n % 3 == 0 else bytes(raw)
        assert (await remote.post(DOOR, content=sent, headers=SHOWN)).status_code == 202
        assert any(raw == sent for _, raw in shelf.kept) or told(sent) <= {e.event_id for e, _ in shelf.kept}


async def test_only_post_is_answered(remote) -> None:
    assert (await remote.get(DOOR, headers=SHOWN)).status_code == 405
