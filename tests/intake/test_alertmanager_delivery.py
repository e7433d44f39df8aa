"""Alertmanager's webhook body: which incidents one delivery is about, what makes two deliveries one, and what is never believed."""

import copy
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import AlertStatus
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.alertmanager import oversize, parse_delivery
from sre_agent.intake.telling import LONGEST, MOST_ALERTS

NOW = datetime(2026, 11, 28, 3, 10, tzinfo=UTC)
NEVER = "0001-01-01T00:00:00Z"
CRM = {"alertname": "CrmErrors", "alert_type": "tool", "tool_name": "crm"}
CALENDAR = {"alertname": "CalendarErrors", "alert_type": "tool", "tool_name": "calendar"}
REDIS = {"alertname": "RedisMemoryHigh", "alert_type": "infra", "redis_master": "cache"}


def group_of(labels: Mapping[str, str]) -> str:
    """As routing groups by the shipped file, near enough."""
    kind = labels.get("alert_type", "unknown")
    return f"tool:{labels.get('tool_name')}" if kind == "tool" else f"{kind}:{labels.get('alertname')}"


def alert(
    labels: Mapping[str, Any], start: str = "2026-11-28T03:08:00.5Z", end: str | None = None, **more: object
) -> dict[str, Any]:
    shape = {"status": "resolved" if end else "firing", "labels": dict(labels), "annotations": {"summary": "it hurts"}}
    times = {"startsAt": start, "endsAt": end or NEVER, "generatorURL": "http://prom", "fingerprint": f"{len(str(labels)):016x}"}
    return {**shape, **times, **more}


def delivery(*alerts: object, **more: object) -> bytes:
    resolved = all(isinstance(a, dict) and a.get("status") == "resolved" for a in alerts) and alerts
    frame = {"receiver": "sre-agent", "status": "resolved" if resolved else "firing", "alerts": list(alerts), "version": "4"}
    keys = {"groupKey": '{}:{alert_type="tool"}', "truncatedAlerts": 0, "externalURL": "http://am:9093"}
    return json.dumps({**frame, **keys, **more}).encode()


def parsed(body: bytes, now: datetime = NOW) -> tuple[IncidentEvent, ...]:
    return parse_delivery(body, now, group_of)


def only(body: bytes, now: datetime = NOW) -> IncidentEvent:
    [event] = parsed(body, now)
    return event


def test_one_group_is_one_event_with_its_alerts_told() -> None:
    event = only(delivery(alert(CRM), alert(CRM | {"pod": "b"})))
    assert (event.door, event.kind, len(event.alerts)) == ("alertmanager", EventKind.TRIGGERED, 2)
    assert event.incident_id == "group:" + hashlib.sha256(b"tool:crm").hexdigest()[:20]
    assert event.alerts[0].labels == CRM
    assert event.alerts[0].source_id == f"{len(str(CRM)):016x}"
    assert (event.title, event.link) == ("CrmErrors (crm)", "http://am:9093")
    assert event.occurred_at == datetime(2026, 11, 28, 3, 8, 0, 500_000, tzinfo=UTC)


def test_two_tools_in_one_delivery_are_two_incidents() -> None:
    events = parsed(delivery(alert(CRM), alert(CALENDAR), alert(CRM | {"pod": "b"})))
    assert [len(e.alerts) for e in events] == [2, 1]
    assert len({e.incident_id for e in events}) == len({e.event_id for e in events}) == len({e.delivery_id for e in events}) == 2


def test_the_group_key_is_told_under_the_name_that_pagerduty_and_opsgenie_get_from_alertmanager() -> None:
    key = hashlib.sha256(b'{}:{alert_type="tool"}').hexdigest()
    assert only(delivery(alert(CRM))).known_as == (f"key:{key}",)


def test_a_delivery_that_is_split_over_our_groups_lends_its_key_to_none() -> None:
    assert [e.known_as for e in parsed(delivery(alert(CRM), alert(CALENDAR)))] == [(), ()]


def test_an_event_is_resolved_only_when_every_alert_of_its_group_is() -> None:
    over = alert(CRM, end="2026-11-28T03:09:00Z")
    assert only(delivery(over)).kind is EventKind.RESOLVED
    assert only(delivery(over, alert(CRM | {"pod": "b"}))).kind is EventKind.TRIGGERED
    kinds = [e.kind for e in parsed(delivery(over, alert(CALENDAR)))]
    assert kinds == [EventKind.RESOLVED, EventKind.TRIGGERED]


def test_the_same_delivery_again_is_the_same_event_whatever_its_order_and_frame() -> None:
    first = only(delivery(alert(CRM), alert(CRM | {"pod": "b"})))
    again = only(delivery(alert(CRM | {"pod": "b"}), alert(CRM), receiver="other", version="5"), NOW + timedelta(seconds=40))
    assert (first.event_id, first.delivery_id, first.type_name) == (again.event_id, again.delivery_id, again.type_name)


def test_the_guessed_end_of_a_firing_alert_makes_no_new_event() -> None:
    assert only(delivery(alert(CRM))).event_id == only(delivery(alert(CRM, endsAt="2026-11-28T03:14:00Z"))).event_id


def test_firing_resolved_and_firing_again_are_three_events() -> None:
    first = only(delivery(alert(CRM)))
    second = only(delivery(alert(CRM, end="2026-11-28T03:09:00Z")))
    third = only(delivery(alert(CRM, start="2026-11-28T03:09:30Z")))
    assert len({e.event_id for e in (first, second, third)}) == 3


def test_a_sender_that_always_gives_the_same_start_is_heard_the_second_time() -> None:
    old = alert(CRM, start="2020-01-01T00:00:00Z")
    assert only(delivery(old)).event_id != only(delivery(old), NOW + timedelta(minutes=5)).event_id
    none = alert(CRM, start="soon")
    assert only(delivery(none)).event_id != only(delivery(none), NOW + timedelta(minutes=5)).event_id


def test_a_second_delivery_in_the_same_moment_is_not_taken_for_the_first() -> None:
    first, second = only(delivery(alert(CRM))), only(delivery(alert(CRM), alert(CRM | {"pod": "b"})))
    assert (first.incident_id, first.occurred_at) == (second.incident_id, second.occurred_at)
    assert first.type_name != second.type_name


def test_a_changed_annotation_is_a_new_event_because_values_stand_there() -> None:
    assert only(delivery(alert(CRM))).event_id != only(delivery(alert(CRM, annotations={"summary": "worse"}))).event_id


@pytest.mark.parametrize("truncated", [1, 9999, "3", True, 1.5, [1], {"a": 1}])
def test_a_truncated_delivery_has_unknown_labels_in_every_event(truncated: object) -> None:
    events = parsed(delivery(alert(REDIS), alert(CRM), truncatedAlerts=truncated))
    assert [[a.labels_known for a in e.alerts] for e in events] == [[True, False], [True, False]]


def test_what_was_truncated_from_a_firing_delivery_may_still_fire() -> None:
    over = alert(CRM, end="2026-11-28T03:09:00Z")
    assert only(delivery(over, status="firing", truncatedAlerts=1)).kind is EventKind.TRIGGERED
    assert only(delivery(over, truncatedAlerts=1)).kind is EventKind.RESOLVED


@pytest.mark.parametrize(
    "broken", [None, 7, "x", [], {}, {"labels": None}, {"labels": "alert_type=infra"}, {"labels": [["a", "b"]]}]
)
def test_an_alert_that_cannot_be_read_keeps_its_whole_delivery_from_being_acted_on(broken: object) -> None:
    events = parsed(delivery(alert(REDIS), broken, alert(CRM)))
    assert len(events) == 2
    assert all(not all(a.labels_known for a in e.alerts) for e in events)


@pytest.mark.parametrize("value", [["infra"], {"infra": 1}, None, True, 5, 1e99])
def test_a_label_that_is_no_text_equals_no_class(value: object) -> None:
    event = only(delivery(alert({"alert_type": value, "alertname": "X"})))
    assert event.alerts[0].labels["alert_type"] not in {"infra", "model", "tool"}


@pytest.mark.parametrize("name", ["alert_type", "x" * (LONGEST + 1)])
def test_a_label_too_long_to_be_kept_makes_the_labels_unknown(name: str) -> None:
    event = only(delivery(alert(REDIS | {name: "infra" + "x" * LONGEST})))
    assert not event.alerts[0].labels_known
    assert all(len(v) <= LONGEST for v in event.alerts[0].labels.values())


def test_a_long_annotation_is_cut_and_nothing_else() -> None:
    event = only(delivery(alert(REDIS, annotations={"description": "x" * 100_000})))
    assert (event.alerts[0].labels, event.alerts[0].labels_known) == (REDIS, True)
    assert len(event.alerts[0].annotations["description"]) == LONGEST


def test_of_a_group_too_large_to_be_kept_the_rest_is_said_to_be_missing_and_the_firing_ones_stay() -> None:
    over = [alert(REDIS | {"pod": f"o{n}"}, end="2026-11-28T03:09:00Z") for n in range(MOST_ALERTS)]
    event = only(delivery(*over, alert(REDIS | {"pod": "fires"})))
    assert len(event.alerts) == MOST_ALERTS + 1
    assert event.alerts[0].labels["pod"] == "fires"
    assert not event.alerts[-1].labels_known
    assert event.alerts[-1].status is AlertStatus.RESOLVED


@pytest.mark.parametrize("version", ["5", 4, None, {}])
def test_another_version_and_unknown_keys_are_read_as_far_as_they_go(version: object) -> None:
    assert only(delivery(alert(CRM, extra=1), version=version, notification_reason="new", routeLabels=7)).alerts[0].labels == CRM


def test_a_payload_of_ones_own_without_alerts_is_an_incident_with_unknown_labels() -> None:
    event = only(json.dumps({"status": "firing", "commonLabels": CRM, "text": "look"}).encode())
    assert (event.kind, event.incident_id is None) == (EventKind.TRIGGERED, False)
    assert [(a.labels, a.labels_known) for a in event.alerts] == [(CRM, False)]
    assert only(json.dumps({"status": "resolved", "commonLabels": CRM}).encode()).kind is EventKind.RESOLVED


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"{}", b'{"text":"hello"}', b"[" * 100_000, b'{"alerts":[]}']
)
def test_what_tells_nothing_is_kept_as_other_about_no_incident(body: bytes) -> None:
    event = only(body)
    assert (event.kind, event.incident_id) == (EventKind.OTHER, None)
    assert [a.labels_known for a in event.alerts] == [False]


def test_an_alert_from_the_future_happened_when_it_was_heard() -> None:
    event = only(delivery(alert(CRM, start="2099-01-01T00:00:00Z")))
    assert event.occurred_at == NOW
    assert event.event_id == only(delivery(alert(CRM, start="2099-01-01T00:00:00Z")), NOW + timedelta(seconds=9)).event_id


@pytest.mark.parametrize("link", ["javascript:alert(1)", "ftp://x", "http://a b", 7, None, "//x"])
def test_only_a_web_address_becomes_a_link(link: object) -> None:
    assert only(delivery(alert(CRM), externalURL=link)).link == ""


def test_of_a_delivery_too_large_to_be_read_one_event_a_minute_is_kept() -> None:
    first, second = oversize(NOW, 10, group_of), oversize(NOW + timedelta(seconds=59), 10, group_of)
    assert (first.kind, first.event_id) == (EventKind.TRIGGERED, second.event_id)
    assert not first.alerts[0].labels_known
    assert oversize(NOW + timedelta(seconds=60), 10, group_of).event_id != first.event_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["status", "alerts", "groupKey", "commonLabels", "truncatedAlerts", "externalURL"]), JSON), JSON
)
@settings(max_examples=300, deadline=None)
def test_no_body_makes_the_parser_fail_or_say_nothing(frame: dict[str, object], label: object) -> None:
    for told in (frame, {**frame, "alerts": [frame, alert({"alert_type": label}), label]}):
        events = parsed(json.dumps(told).encode())
        assert events
        assert all(e.alerts and e.event_id for e in events)


@given(st.lists(st.sampled_from([alert(CRM), alert(CALENDAR), alert(REDIS), {"labels": 7}, None]), max_size=6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_nothing_readable_is_lost_and_nothing_unreadable_is_forgotten(alerts: list[dict[str, Any] | None], cut: bool) -> None:
    events = parsed(delivery(*copy.deepcopy(alerts), truncatedAlerts=int(cut)))
    readable = [a for a in alerts if a and isinstance(a.get("labels"), dict)]
    told = [a for e in events for a in e.alerts if a.labels_known]
    assert len(told) == len(readable)
    if cut or len(readable) != len(alerts):
        assert all(any(not a.labels_known for a in e.alerts) for e in events)
