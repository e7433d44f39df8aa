"""What the door reads out of authentic deliveries, sane and hostile."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.event import EventKind
from sre_agent.intake.pagerduty import parse_event

NOW = datetime(2026, 11, 23, 9, 0, 5, tzinfo=UTC)
HEADERS = {"X-Webhook-Id": "delivery-1", "X-Webhook-Subscription": "PSUB001"}


def body(event_type: str = "incident.triggered", **event) -> bytes:
    shape = {
        "id": "01EVENT",
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": "2026-11-23T09:00:01.250Z",
        "agent": {"id": "PUSER01", "type": "user_reference"},
        "data": {"id": "Q1TESTINC000001", "type": "incident", "status": "triggered"},
    }
    return json.dumps({"event": {**shape, **event}}).encode()


def test_a_triggered_incident_is_read():
    event = parse_event(HEADERS, body(), NOW)
    assert (event.kind, event.incident_id, event.agent_id) == (EventKind.TRIGGERED, "Q1TESTINC000001", "PUSER01")
    assert (event.event_id, event.delivery_id, event.subscription_id, event.door) == (
        "01EVENT",
        "delivery-1",
        "PSUB001",
        "pagerduty",
    )
    assert event.occurred_at == datetime(2026, 11, 23, 9, 0, 1, 250_000, tzinfo=UTC)
    assert (event.service_id, event.incident_key) == ("", "")
    assert event.known_as == (f"pagerduty:{event.incident_id}",)


def test_the_service_and_the_deduplication_key_are_taken_as_hints():
    data = {"id": "Q1TESTINC000001", "type": "incident", "service": {"id": "PSVC001"}, "incident_key": "cache/slow"}
    event = parse_event(HEADERS, body(data=data), NOW)
    assert (event.service_id, event.incident_key) == ("PSVC001", "cache/slow")
    assert event.known_as == ("pagerduty:Q1TESTINC000001", "key:cache/slow")
    odd = parse_event(HEADERS, body(data={**data, "service": {"id": "../x"}, "incident_key": 7}), NOW)
    assert odd.service_id == ""
    assert odd.incident_id == "Q1TESTINC000001"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("incident.acknowledged", EventKind.ACKNOWLEDGED),
        ("incident.unacknowledged", EventKind.UNACKNOWLEDGED),
        ("incident.resolved", EventKind.RESOLVED),
        ("incident.reopened", EventKind.REOPENED),
        ("incident.reassigned", EventKind.REASSIGNED),
        ("incident.delegated", EventKind.DELEGATED),
        ("incident.escalated", EventKind.ESCALATED),
        ("incident.priority_updated", EventKind.PRIORITY_UPDATED),
        ("incident.service_updated", EventKind.SERVICE_UPDATED),
        ("incident.ping", EventKind.OTHER),
        ("incident.other", EventKind.OTHER),
        ("incident.incident_type.changed", EventKind.OTHER),
        ("incident.invented_tomorrow", EventKind.OTHER),
        ("service.updated", EventKind.OTHER),
        ("triggered", EventKind.OTHER),
        ("INCIDENT.TRIGGERED", EventKind.OTHER),
    ],
)
def test_every_event_type_has_its_kind_and_unknown_ones_are_other(name, kind):
    event = parse_event(HEADERS, body(name), NOW)
    assert (event.kind, event.type_name, event.incident_id) == (kind, name, "Q1TESTINC000001")


def test_a_note_is_about_its_incident_and_not_about_itself():
    data = {"id": "PNOTE01", "type": "incident_note", "incident": {"id": "Q1TESTINC000001", "type": "incident_reference"}}
    event = parse_event(HEADERS, body("incident.annotated", data=data), NOW)
    assert (event.kind, event.incident_id) == (EventKind.ANNOTATED, "Q1TESTINC000001")


def test_a_ping_is_about_no_incident():
    event = parse_event(HEADERS, body("pagey.ping", data={"type": "ping", "message": "Hello from your friend Pagey!"}), NOW)
    assert (event.kind, event.incident_id) == (EventKind.PING, None)


@pytest.mark.parametrize(
    "identity", ["../users", "q1testinc000001", "Q1", "Q" * 21, "Q1TESTINC00001\n", 12345, None, ["Q1TESTINC000001"], "Q1/ALERTS"]
)
def test_an_incident_id_that_is_not_pagerdutys_is_not_taken(identity):
    event = parse_event(HEADERS, body(data={"id": identity, "type": "incident"}), NOW)
    assert (event.kind, event.incident_id) == (EventKind.OTHER, None)


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"event":null}',
        b'{"event":[]}',
        b'{"event":{"data":[[]]}}',
        b"\xff\xfe\x00{",
        b'{"event":{"id":' + b"9" * 5000 + b"}}",
        b"[" * 200_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"event":{"event_type":{},"id":[],"occurred_at":7,"agent":"me","data":"x"}}',
        b'{"event":{"event_type":"incident.triggered","occurred_at":"9999-12-31T23:59:59-23:59"}}',
        b"x" * 2_000_000,
    ],
)
def test_hostile_bodies_become_an_event_about_nothing(hostile):
    event = parse_event({}, hostile, NOW)
    assert (event.kind, event.incident_id, event.agent_id, event.occurred_at) == (EventKind.OTHER, None, None, NOW)
    assert event.event_id.startswith("sha256:")
    assert event.delivery_id == event.event_id


def test_of_duplicate_keys_the_last_wins():
    data = b'{"type":"incident","id":"QAAAAA","id":"QBBBBB"}'
    twice = b'{"event":{"event_type":"service.updated","event_type":"incident.resolved","data":' + data + b"}}"
    event = parse_event(HEADERS, twice, NOW)
    assert (event.kind, event.incident_id) == (EventKind.RESOLVED, "QBBBBB")


def test_missing_ids_are_made_from_the_body_so_that_repeats_are_recognised():
    first, again, other = (parse_event({}, body(id=None, client=c), NOW) for c in ("a", "a", "b"))
    assert first.event_id == again.event_id != other.event_id
    assert first.delivery_id == again.delivery_id


def test_over_long_ids_are_replaced_and_not_cut_to_equal_ones():
    one, two = (parse_event({}, body(id="x" * 300 + end), NOW) for end in "ab")
    assert one.event_id != two.event_id


def test_text_that_no_database_stores_is_replaced():
    event = parse_event(HEADERS, b'{"event":{"event_type":"a\\u0000\\ud800","id":"\\u0000"}}', NOW)
    assert event.type_name == "a\ufffd\ufffd"
    event.model_dump_json().encode("utf-8")


@pytest.mark.parametrize(
    "agent",
    [None, {"id": "PSVC001", "type": "service_reference"}, {"id": "PINT001", "type": "integration_reference"}, {"id": "../x"}],
)
def test_automation_is_nobody(agent):
    assert parse_event(HEADERS, body(agent=agent), NOW).agent_id is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["incident", "incident.resolved", "QAAAAA"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["event", "event_type", "data", "id", "type", "incident", "agent", "occurred_at"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(JSON, st.binary(max_size=64))
def test_no_body_makes_the_parser_raise(shape, noise):
    for content in (json.dumps({"event": shape}).encode(), noise):
        event = parse_event({"x-webhook-id": "d"}, content, NOW)
        assert event.incident_id is None or event.kind is not EventKind.PING
