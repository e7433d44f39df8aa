"""incident.io, Rootly and FireHydrant: three signatures checked against code of the test's own, and three bodies."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import AlertStatus
from sre_agent.incident.errors import ConfigurationError
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.signatures import FIREHYDRANT, ROOTLY, SCHEMES, STANDARD_WEBHOOKS, BadWebhookSignature, Scheme, verify
from sre_agent.intake.signed_webhook import SHAPES, parse_webhook

NOW = datetime(2026, 11, 28, 3, 10, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
KEY = bytes(range(24))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"event":{"id":"e1"},"data":{"title":"prüfen – café"}}'.encode()


def sha(key: bytes, message: bytes) -> hmac.HMAC:
    return hmac.new(key, message, hashlib.sha256)


def svix(body: bytes = BODY, stamp: str = STAMP, key: bytes = KEY, number: str = "msg_1") -> dict[str, str]:
    """As the Standard Webhooks specification signs."""
    signed = base64.b64encode(sha(key, f"{number}.{stamp}.".encode() + body).digest()).decode()
    return {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signed}"}


def rootly(body: bytes = BODY, stamp: str = STAMP, key: str = "rootly-secret") -> dict[str, str]:
    return {"x-rootly-signature": f"t={stamp},v1={sha(key.encode(), stamp.encode() + body).hexdigest()}"}


def firehydrant(body: bytes = BODY, key: str = "hydrant-secret") -> dict[str, str]:
    return {"fh-signature": sha(key.encode(), body).hexdigest()}


def check(scheme: Scheme, headers: dict[str, str], secret: str, body: bytes = BODY, now: datetime = NOW) -> None:
    verify(scheme, headers.items(), body, secret, now)


GOOD = [(STANDARD_WEBHOOKS, svix(), WHSEC), (ROOTLY, rootly(), "rootly-secret"), (FIREHYDRANT, firehydrant(), "hydrant-secret")]


@pytest.mark.parametrize(("scheme", "headers", "secret"), GOOD, ids=SCHEMES)
def test_what_the_sender_signs_is_accepted_and_nothing_a_byte_away(scheme: Scheme, headers: dict[str, str], secret: str) -> None:
    check(scheme, headers, secret)
    for body in (BODY + b"\n", BODY[:-1], b"", BODY.replace(b"e1", b"e2")):
        with pytest.raises(BadWebhookSignature):
            check(scheme, headers, secret, body)


def test_a_signature_made_long_ago_by_other_code_is_accepted() -> None:
    """The example of the Standard Webhooks libraries (their README)."""
    headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}
    signed = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    verify(
        STANDARD_WEBHOOKS, {**headers, "webhook-signature": signed}.items(), body, secret, datetime.fromtimestamp(1614265330, UTC)
    )


@pytest.mark.parametrize(("scheme", "headers", "secret"), GOOD, ids=SCHEMES)
def test_another_secret_is_refused_and_none_is_our_own_fault(scheme: Scheme, headers: dict[str, str], secret: str) -> None:
    with pytest.raises(BadWebhookSignature):
        check(scheme, headers, secret[:-2] + "0=")
    for empty in ("", "  "):
        with pytest.raises(ConfigurationError, match="SRE_AGENT_WEBHOOK_SIGNING_SECRETS"):
            check(scheme, headers, empty)


@pytest.mark.parametrize(("scheme", "headers", "secret"), GOOD, ids=SCHEMES)
def test_every_header_is_needed_once(scheme: Scheme, headers: dict[str, str], secret: str) -> None:
    for name in headers:
        with pytest.raises(BadWebhookSignature):
            check(scheme, {k: v for k, v in headers.items() if k != name}, secret)
        with pytest.raises(BadWebhookSignature):
            verify(scheme, [*headers.items(), (name, headers[name])], BODY, secret, NOW)


@pytest.mark.parametrize(("scheme", "make", "secret"), [(STANDARD_WEBHOOKS, svix, WHSEC), (ROOTLY, rootly, "rootly-secret")])
def test_a_signed_delivery_can_be_replayed_for_five_minutes_and_no_longer(scheme: Scheme, make: Any, secret: str) -> None:
    for seconds, good in ((300, True), (301, False), (-300, True), (-301, False)):
        now = NOW + timedelta(seconds=seconds)
        if good:
            check(scheme, make(), secret, now=now)
        else:
            with pytest.raises(BadWebhookSignature):
                check(scheme, make(), secret, now=now)


@pytest.mark.parametrize("stamp", ["abc", "1.5", " 1795835400", "１７９５８３５４００", "-1795835400", "9" * 30, "", "1795835400 "])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused_though_it_is_signed(stamp: str) -> None:
    for scheme, headers, secret in ((STANDARD_WEBHOOKS, svix(stamp=stamp), WHSEC), (ROOTLY, rootly(stamp=stamp), "rootly-secret")):
        with pytest.raises(BadWebhookSignature):
            check(scheme, headers, secret)


def test_of_several_signatures_one_is_enough_so_that_secrets_can_be_rotated() -> None:
    old, new = svix(key=b"k" * 24)["webhook-signature"], svix()["webhook-signature"]
    check(STANDARD_WEBHOOKS, svix() | {"webhook-signature": f"{old} {new}"}, WHSEC)
    check(STANDARD_WEBHOOKS, svix() | {"webhook-signature": f"v1a,{'A' * 86}== {new}"}, WHSEC)
    right = rootly()["x-rootly-signature"].partition(",")[2]
    check(ROOTLY, {"x-rootly-signature": f"t={STAMP},v1={'0' * 64},{right}"}, "rootly-secret")


@pytest.mark.parametrize(("scheme", "headers", "secret"), GOOD, ids=SCHEMES)
def test_too_many_signatures_are_not_looked_at(scheme: Scheme, headers: dict[str, str], secret: str) -> None:
    name = scheme.signature_header
    many = scheme.separator.join([headers[name], *(scheme.version + "0" * 64 for _ in range(11))])
    with pytest.raises(BadWebhookSignature):
        check(scheme, headers | {name: many}, secret)


@pytest.mark.parametrize(("scheme", "headers", "secret"), GOOD, ids=SCHEMES)
def test_no_header_makes_the_verifier_fail_otherwise(scheme: Scheme, headers: dict[str, str], secret: str) -> None:
    for bad in ("", ",", "v1,", "v1=", "t=", "ä", "\udcff", "v0=00", "v1,not base64!", "t=1,t=2,v1=0", "=" * 5000):
        for name in headers:
            with pytest.raises(BadWebhookSignature):
                check(scheme, headers | {name: bad}, secret)


def test_a_secret_cut_off_when_it_was_copied_is_told() -> None:
    for secret in ("whsec_", "whsec_abc", "whsec_ä"):
        with pytest.raises(ConfigurationError, match="whsec_"):
            check(STANDARD_WEBHOOKS, svix(), secret)


def parsed(door: str, told: object, delivery: str = "") -> IncidentEvent:
    return parse_webhook(door, json.dumps(told).encode(), delivery, NOW)


def io_alert(**more: object) -> dict[str, Any]:
    attributes = [
        {"attribute": {"name": "alert_type"}, "value": {"literal": "infra", "label": "Infra"}},
        {"attribute": {"name": "redis_master"}, "value": {"literal": "cache"}},
    ]
    alert = {
        "id": "01GW2G3V0S",
        "title": "redis is full",
        "status": "firing",
        "deduplication_key": "d" * 64,
        "attributes": attributes,
    }
    times = {"created_at": "2026-11-28T03:08:00Z", "updated_at": "2026-11-28T03:09:00Z", "source_url": "https://am.example"}
    name = "public_alert.alert_created_v1"
    return {"event_type": name, name: {**alert, **times, **more}}


def test_an_alert_of_incident_io() -> None:
    event = parsed("incident.io", io_alert(), "msg_1")
    assert (event.kind, event.incident_id, event.delivery_id) == (EventKind.TRIGGERED, "incident.io:01GW2G3V0S", "msg_1")
    assert event.known_as == ("incident.io:01GW2G3V0S", "key:" + "d" * 64)
    [alert] = event.alerts
    assert (alert.labels, alert.labels_known) == ({"alert_type": "infra", "redis_master": "cache"}, True)
    assert (event.title, event.link) == ("redis is full", "https://am.example")
    assert event.occurred_at == datetime(2026, 11, 28, 3, 9, tzinfo=UTC)
    assert parsed("incident.io", io_alert(status="resolved")).alerts[0].status is AlertStatus.RESOLVED


@pytest.mark.parametrize(
    ("category", "kind"), [("triage", EventKind.TRIGGERED), ("live", EventKind.TRIGGERED), ("closed", EventKind.RESOLVED)]
)
def test_an_incident_of_incident_io_with_custom_fields_wrapped_or_not(category: str, kind: EventKind) -> None:
    entries = [{"custom_field": {"name": "alert_type"}, "values": [{"value_option": {"value": "tool"}}]}]
    incident = {"id": "01INC", "name": "CRM fails", "incident_status": {"category": category}, "custom_field_entries": entries}
    for name, told in (
        ("public_incident.incident_created_v2", incident),
        ("public_incident.incident_status_updated_v2", {"incident": incident, "new_status": {}}),
    ):
        event = parsed("incident.io", {"event_type": name, name: told})
        assert (event.kind, event.incident_id, event.title) == (kind, "incident.io:01INC", "CRM fails")
        assert event.alerts[0].labels == {"alert_type": "tool"}


def test_a_custom_field_with_two_values_equals_no_class() -> None:
    entries = [{"custom_field": {"name": "alert_type"}, "values": [{"value_text": "infra"}, {"value_text": "model"}]}]
    name = "public_incident.incident_created_v2"
    event = parsed("incident.io", {"event_type": name, name: {"id": "01INC", "custom_field_entries": entries}})
    assert event.alerts[0].labels["alert_type"] not in {"infra", "model"}


def test_a_private_incident_of_which_only_the_id_is_told_has_unknown_labels() -> None:
    name = "private_incident.incident_created_v2"
    event = parsed("incident.io", {"event_type": name, name: {"id": "01INC"}})
    assert (event.kind, [a.labels_known for a in event.alerts]) == (EventKind.TRIGGERED, [False])


def test_an_alert_of_rootly_with_labels_as_pairs_or_in_its_source_s_data() -> None:
    data = {"id": "13c82722", "summary": "memory", "external_id": "x1", "started_at": "2026-11-28T03:08:00-08:00", "status": "open"}
    event = {"id": "9839c4ca", "type": "alert.created", "issued_at": "2026-11-27T19:09:00-08:00"}
    pairs = parsed("rootly", {"event": event, "data": {**data, "labels": [{"key": "alert_type", "value": "model"}]}})
    within = parsed("rootly", {"event": event, "data": {**data, "labels": [], "data": {"commonLabels": {"alert_type": "model"}}}})
    assert pairs.alerts[0].labels == within.alerts[0].labels == {"alert_type": "model"}
    assert (pairs.kind, pairs.incident_id, pairs.event_id) == (EventKind.TRIGGERED, "rootly:13c82722", "9839c4ca")
    assert pairs.occurred_at == datetime(2026, 11, 28, 3, 9, tzinfo=UTC)


def test_a_label_told_twice_with_two_values_is_unknown() -> None:
    data = {"id": "1", "labels": [{"key": "alert_type", "value": "infra"}], "data": {"alert_type": "model"}}
    event = parsed("rootly", {"event": {"id": "e", "type": "alert.created"}, "data": data})
    assert not event.alerts[0].labels_known


@pytest.mark.parametrize(("name", "kind"), [
    ("incident.created", EventKind.TRIGGERED),
    ("incident.updated", EventKind.OTHER),
    ("incident.mitigated", EventKind.OTHER),
    ("incident.resolved", EventKind.RESOLVED),
    ("incident.cancelled", EventKind.RESOLVED),
    ("alert.acknowledged", EventKind.ACKNOWLEDGED),
])  # fmt: skip
def test_each_type_of_rootly_has_its_kind(name: str, kind: EventKind) -> None:
    assert parsed("rootly", {"event": {"id": "e", "type": name}, "data": {"id": "1", "title": "t"}}).kind is kind


@pytest.mark.parametrize(("door", "told"), [
    ("rootly", {"event": {"id": "e", "type": "incident.scheduled.created"}, "data": {"id": "1"}}),
    ("rootly", {"event": {"id": "e", "type": "incident_post_mortem.created"}, "data": {"id": "1"}}),
    ("rootly", {"event": {"id": "e", "type": "pulse.created"}, "data": {"id": "1"}}),
    ("incident.io", {"event_type": "public_incident.follow_up_created_v2", "public_incident.follow_up_created_v2": {"id": "1"}}),
    ("firehydrant", {"event": {"operation": "CREATED", "resource_type": "change_event"}, "data": {"change_event": {"id": "1"}}}),
])  # fmt: skip
def test_what_is_no_incident_and_no_alert_begins_nothing(door: str, told: object) -> None:
    event = parsed(door, told)
    assert (event.kind, event.incident_id, event.known_as) == (EventKind.OTHER, None, ())


@pytest.mark.parametrize(("operation", "milestone", "kind"), [
    ("CREATED", "started", EventKind.TRIGGERED),
    ("CREATED", "investigating", EventKind.TRIGGERED),
    ("UPDATED", "acknowledged", EventKind.ACKNOWLEDGED),
    ("UPDATED", "mitigated", EventKind.OTHER),
    ("UPDATED", "resolved", EventKind.RESOLVED),
    ("UPDATED", "retrospective_completed", EventKind.OTHER),
])  # fmt: skip
def test_an_incident_of_firehydrant(operation: str, milestone: str, kind: EventKind) -> None:
    times = {"created_at": "2026-11-28 03:08:00 UTC", "updated_at": "2026-11-28 03:09:00 UTC"}
    incident = {"id": "04d9fd1a", "name": "it hurts", "current_milestone": milestone, "labels": {"alert_type": "infra"}, **times}
    event = parsed("firehydrant", {"event": {"operation": operation, "resource_type": "incident"}, "data": {"incident": incident}})
    assert (event.kind, event.incident_id, event.title) == (kind, "firehydrant:04d9fd1a", "it hurts")
    assert event.alerts[0].labels == {"alert_type": "infra"}
    assert event.alerts[0].starts_at == datetime(2026, 11, 28, 3, 8, tzinfo=UTC)
    assert event.occurred_at == datetime(2026, 11, 28, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize("door", SHAPES)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"event":7,"data":[]}', b'{"event_type":["x"]}'])
def test_what_cannot_be_understood_is_kept_as_other_with_unknown_labels(door: str, raw: bytes) -> None:
    event = parse_webhook(door, raw, "", NOW)
    assert (event.kind, event.incident_id, [a.labels_known for a in event.alerts]) == (EventKind.OTHER, None, [False])


def test_every_sender_with_a_signature_has_a_shape() -> None:
    assert set(SHAPES) == set(SCHEMES)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["id", "title", "labels", "data", "attributes", "custom_field_entries", "status", "incident", "created_at", "values"]
)


@given(st.sampled_from(sorted(SHAPES)), st.dictionaries(KEYS, JSON | st.lists(st.dictionaries(KEYS, JSON, max_size=3), max_size=3)))
@settings(max_examples=300, deadline=None)
def test_no_body_makes_the_reader_fail(door: str, subject: dict[str, object]) -> None:
    told = {
        "event_type": "public_alert.alert_created_v1",
        "public_alert.alert_created_v1": subject,
        "event": {"id": "e", "type": "alert.created", "operation": "CREATED"},
        "data": {**subject, "incident": subject},
    }
    event = parsed(door, told)
    assert event.event_id
    assert len(event.alerts) == 1
