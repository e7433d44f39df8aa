"""The doors with a secret header or a signature: who gets in, what is kept, and that nothing hostile makes a 5xx."""

import hashlib
import hmac
import json
import random
from datetime import UTC, datetime

import pytest

from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.event import EventKind
from sre_agent.web.app import create_app
from sre_agent.web.body import BODY_CAP
from sre_agent.web.ports import AlertDoors, WebPorts

NOW = datetime(2026, 11, 28, 3, 10, tzinfo=UTC)
ALERT = "052652ac-5d1c-464a-812a-7dd18bbfba8c-1413280321135"
CALL = json.dumps({"action": "Create", "alert": {"alertId": ALERT, "alias": "key-of-the-group"}}).encode()
SIGNED = json.dumps(
    {"event": {"id": "e1", "type": "alert.created"}, "data": {"id": "a1", "labels": [{"key": "a", "value": "b"}]}}
).encode()
SHUT = {"opsgenie": "SRE_AGENT_OPSGENIE_TOKEN", "jsm": "SRE_AGENT_JSM_TOKEN"}


class Stopped:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


@pytest.fixture
def secrets_set() -> bool:
    return True


@pytest.fixture
def app(shelf, metrics, secrets_set: bool):
    keys = {
        "opsgenie_token": "token of opsgenie",
        "jsm_token": "token of jsm",
        "signing_secrets": {"rootly": "r", "firehydrant": "f"},
    }
    doors = AlertDoors(lambda _: "-", **(keys if secrets_set else {}))
    return create_app(WebPorts(store=shelf, clock=Stopped(), metrics=metrics, doors=doors))


def rootly(body: bytes) -> dict[str, str]:
    stamp = str(int(NOW.timestamp()))
    return {"X-Rootly-Signature": f"t={stamp},v1={hmac.new(b'r', stamp.encode() + body, hashlib.sha256).hexdigest()}"}


def firehydrant(body: bytes) -> dict[str, str]:
    return {"fh-signature": hmac.new(b"f", body, hashlib.sha256).hexdigest()}


def shown(door: str) -> dict[str, str]:
    return {"X-SRE-Agent-Token": f"token of {door}"}


@pytest.mark.parametrize("door", SHUT)
async def test_a_call_with_the_token_is_kept_and_answered_202(door: str, remote, shelf, metrics) -> None:
    assert (await remote.post(f"/webhooks/{door}", content=CALL, headers=shown(door))).status_code == 202
    [(event, raw)] = shelf.kept
    assert (event.door, event.kind, event.incident_id, raw) == (door, EventKind.TRIGGERED, f"{door}:{ALERT}", CALL)
    assert f'door="{door}",kind="triggered",result="new"}} 1.0'.encode() in metrics.exposition()[0]


async def test_the_same_alert_through_opsgenie_and_jsm_is_two_events_with_one_name_in_common(remote, shelf) -> None:
    for door in SHUT:
        await remote.post(f"/webhooks/{door}", content=CALL, headers=shown(door))
    names = [set(event.known_as) for event, _ in shelf.kept]
    assert names[0] & names[1] == {"key:key-of-the-group"}


@pytest.mark.parametrize(("door", "other"), [("opsgenie", "jsm"), ("jsm", "opsgenie")])
async def test_the_token_of_one_door_opens_no_other(door: str, other: str, remote, shelf) -> None:
    for headers in ({}, shown(other), {"Authorization": f"Bearer token of {door}"}, {"Authorization": f"GenieKey token of {door}"}):
        assert (await remote.post(f"/webhooks/{door}", content=CALL, headers=headers)).status_code == 401
    assert shelf.kept == []


@pytest.mark.parametrize("secrets_set", [False])
@pytest.mark.parametrize("door", SHUT)
async def test_without_a_token_of_our_own_the_answer_is_503_and_says_what_to_set(door: str, remote, shelf) -> None:
    for headers in ({}, shown(door), {"X-SRE-Agent-Token": ""}):
        answer = await remote.post(f"/webhooks/{door}", content=CALL, headers=headers)
        assert (answer.status_code, SHUT[door] in answer.json()["error"], shelf.kept) == (503, True, [])


async def test_a_signed_delivery_is_kept_once_however_often_it_comes(remote, shelf) -> None:
    for _ in range(3):
        assert (await remote.post("/webhooks/signed/rootly", content=SIGNED, headers=rootly(SIGNED))).status_code == 202
    [(event, raw)] = shelf.kept
    assert (event.door, event.incident_id, raw) == ("rootly", "rootly:a1", SIGNED)


@pytest.mark.parametrize(
    "headers", [{}, {"fh-signature": ""}, {"fh-signature": "0" * 64}, firehydrant(SIGNED + b" "), rootly(SIGNED)]
)
async def test_without_a_good_signature_nothing_is_kept(headers: dict[str, str], remote, shelf) -> None:
    answer = await remote.post("/webhooks/signed/firehydrant", content=SIGNED, headers=headers)
    assert (answer.status_code, shelf.kept) == (401, [])


async def test_a_signature_under_another_sender_s_name_does_not_count(remote, shelf) -> None:
    assert (await remote.post("/webhooks/signed/rootly", content=SIGNED, headers=firehydrant(SIGNED))).status_code == 401
    assert shelf.kept == []


async def test_a_sender_without_a_secret_gets_503_and_one_nobody_knows_has_no_door(remote, shelf) -> None:
    answer = await remote.post("/webhooks/signed/incident.io", content=SIGNED)
    assert (answer.status_code, "SRE_AGENT_WEBHOOK_SIGNING_SECRETS" in answer.json()["error"]) == (503, True)
    assert (await remote.post("/webhooks/signed/somebody", content=SIGNED)).status_code == 403
    assert shelf.kept == []


@pytest.mark.parametrize("failure", [Transient("the database cannot be reached"), Permanent("the disk is full")])
async def test_while_the_store_is_away_every_door_asks_to_send_again(failure: Exception, remote, shelf) -> None:
    shelf.failure = failure
    for path, headers in (("opsgenie", shown("opsgenie")), ("jsm", shown("jsm")), ("signed/rootly", rootly(SIGNED))):
        assert (await remote.post(f"/webhooks/{path}", content=SIGNED, headers=headers)).status_code == 503


async def test_no_authentic_body_makes_a_5xx_or_goes_unkept(remote, shelf) -> None:
    drawn = random.Random(11)
    for n in range(120):
        raw = bytearray(CALL if n % 2 else SIGNED)
        for _ in range(drawn.randrange(0, 6)):
            raw[drawn.randrange(len(raw))] = drawn.randrange(256)
        body = bytes(raw[: drawn.randrange(1, len(raw))]) if n % 3 == 0 else bytes(raw)
        for path, headers in (("jsm", shown("jsm")), ("signed/rootly", rootly(body)), ("signed/firehydrant", firehydrant(body))):
            assert (await remote.post(f"/webhooks/{path}", content=body, headers=headers)).status_code == 202
            assert any(kept == body for _, kept in shelf.kept) or b'"e1"' in body


async def test_a_huge_body_is_413_at_each_door(remote, shelf) -> None:
    huge = b"x" * (BODY_CAP + 1)
    for path, headers in (("opsgenie", shown("opsgenie")), ("jsm", shown("jsm")), ("signed/rootly", rootly(b""))):
        assert (await remote.post(f"/webhooks/{path}", content=huge, headers=headers)).status_code == 413
    assert shelf.kept == []


@pytest.mark.parametrize("path", ["opsgenie", "jsm", "signed/rootly", "signed/firehydrant", "signed/incident.io"])
async def test_only_post_is_answered(path: str, remote) -> None:
    assert (await remote.get(f"/webhooks/{path}")).status_code == 405
