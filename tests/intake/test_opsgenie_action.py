"""The webhook body of Opsgenie and JSM: which alert it is about, what happened, who did it, and nothing believed besides."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.opsgenie import JSM, OPSGENIE, OWN_USER, parse_alert_action

NOW = datetime(2026, 11, 28, 3, 10, tzinfo=UTC)
ALERT = "052652ac-5d1c-464a-812a-7dd18bbfba8c-1413280321135"


def body(action: object = "Create", **alert: object) -> bytes:
    shape = {
        "alertId": ALERT,
        "alias": "a" * 64,
        "message": "redis is full",
        "tags": ["alert_type:infra"],
        "updatedAt": 1795835399123,
    }
    frame = {"action": action, "integrationName": "sre-agent", "source": {"name": "web", "type": "API"}}
    return json.dumps({**frame, "alert": {**shape, **alert}}).encode()


def parsed(raw: bytes, door: str = OPSGENIE) -> IncidentEvent:
    return parse_alert_action(door, raw, NOW)


@pytest.mark.parametrize(("action", "kind"), [
    ("Create", EventKind.TRIGGERED),
    ("Acknowledge", EventKind.ACKNOWLEDGED),
    ("UnAcknowledge", EventKind.UNACKNOWLEDGED),
    ("Close", EventKind.RESOLVED),
    ("Delete", EventKind.RESOLVED),
    ("AssignOwnership", EventKind.REASSIGNED),
    ("Assign Ownership", EventKind.REASSIGNED),
    ("TakeOwnership", EventKind.REASSIGNED),
    ("AddTeam", EventKind.REASSIGNED),
    ("Escalate", EventKind.ESCALATED),
    ("AddNote", EventKind.ANNOTATED),
    ("UpdatePriority", EventKind.PRIORITY_UPDATED),
    ("Restart it", EventKind.OTHER),
    (7, EventKind.OTHER),
    (None, EventKind.OTHER),
])  # fmt: skip
def test_each_action_has_its_kind(action: object, kind: EventKind) -> None:
    assert parsed(body(action)).kind is kind


@pytest.mark.parametrize("door", [OPSGENIE, JSM])
def test_the_body_is_a_doorbell_about_one_alert(door: str) -> None:
    event = parsed(body(), door)
    assert (event.door, event.incident_id, event.alerts) == (door, f"{door}:{ALERT}", ())
    assert event.known_as == (f"{door}:{ALERT}", "key:" + "a" * 64)
    assert event.title == "redis is full"


@pytest.mark.parametrize("alias", ["", ALERT, None, 7.5, "x" * 513])
def test_an_alias_that_says_nothing_is_no_name(alias: object) -> None:
    assert parsed(body(alias=alias)).known_as == (f"opsgenie:{ALERT}",)


@pytest.mark.parametrize("told", [1795835399123, 1795835399123456789, 1795835399, "1795835399123", "2026-11-28T03:09:59.123Z"])
def test_the_moment_is_read_in_whatever_unit_it_comes(told: object) -> None:
    assert abs(parsed(body(updatedAt=told)).occurred_at.timestamp() - 1795835399) < 1


@pytest.mark.parametrize("told", [None, "soon", -5, 12, 10**25, [1], True, 4000000000000])
def test_a_moment_that_cannot_be_is_the_one_at_which_it_was_heard(told: object) -> None:
    assert parsed(body(updatedAt=told, createdAt=told)).occurred_at == NOW


def test_what_the_agent_did_itself_is_known_by_its_name_and_people_by_their_id() -> None:
    assert parsed(body("AddNote", username=OWN_USER)).agent_id == OWN_USER
    assert parsed(body("AddNote", username="ana@example.com", userId="u-1")).agent_id == "u-1"
    assert parsed(body("Close", username="Alert API")).agent_id is None


def test_two_notes_of_one_millisecond_are_two_and_the_same_one_again_is_one() -> None:
    first, second, again = (parsed(body("AddNote", note=n)) for n in ("a", "b", "a"))
    assert first.occurred_at == second.occurred_at
    assert (first.event_id, first.type_name) == (again.event_id, again.type_name)
    assert first.type_name != second.type_name
    assert first.event_id != second.event_id


@pytest.mark.parametrize(
    "identity", [None, "", 7, "../v2/users", "a/b", "short", "x" * 101, "ä" * 20, "a b c d e f g h", {"id": ALERT}]
)
def test_what_could_walk_elsewhere_in_a_path_is_no_alert(identity: object) -> None:
    event = parsed(body(alertId=identity))
    assert (event.kind, event.incident_id, event.known_as) == (EventKind.OTHER, None, ())


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"alert":7}', b'{"action":"Create"}'])
def test_what_cannot_be_understood_is_kept_as_other(raw: bytes) -> None:
    event = parsed(raw)
    assert (event.kind, event.incident_id) == (EventKind.OTHER, None)


@given(st.binary(max_size=200) | st.dictionaries(st.sampled_from(["action", "alert"]), st.text() | st.integers() | st.none()).map(
    lambda d: json.dumps(d).encode()
))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_no_body_makes_the_parser_fail(raw: bytes) -> None:
    assert parsed(raw).event_id
