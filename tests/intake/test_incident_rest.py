"""A REST incident, whole, bare or odd."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import IncidentStatus
from sre_agent.intake.incident_rest import EPOCH, incident_from_rest
from sre_agent.intake.untrusted import Unreadable

WHOLE = {
    "id": "Q0EXAMPLE00001",
    "incident_number": 4242,
    "title": "[FIRING:1] RedisMemoryHigh",
    "status": "acknowledged",
    "urgency": "low",
    "created_at": "2026-11-22T21:11:09-06:00",
    "html_url": "https://example.pagerduty.com/incidents/Q0EXAMPLE00001",
    "service": {"id": "PSVC001", "type": "service_reference", "summary": "voice-platform"},
    "escalation_policy": {"id": "PEP0001", "type": "escalation_policy", "name": "Platform", "summary": "Platform"},
    "assignments": [{"at": "2026-11-23T03:11:09Z", "assignee": {"id": "PUSR001", "type": "user_reference", "summary": "On Call"}}],
    "acknowledgements": [
        {"at": "2026-11-23T03:12:00Z", "acknowledger": {"id": "PBOT001", "type": "user_reference", "summary": "Bot"}},
        {"at": "2026-11-23T03:13:00Z", "acknowledger": {"id": "PUSR001", "type": "user_reference", "summary": "On Call"}},
        {"at": "2026-11-23T03:13:30Z", "acknowledger": {"id": "PUSR001", "type": "user_reference", "summary": "On Call"}},
        {"at": "2026-11-23T03:14:00Z", "acknowledger": {"id": "PINT001", "type": "integration_reference", "summary": "Slack"}},
    ],
    "priority": {"id": "PPRIO01", "type": "priority", "name": "P1", "summary": "P1"},
    "pending_actions": [],
    "resolve_reason": None,
}


def test_a_whole_incident_is_read():
    alert = Alert(labels={"alert_type": "infra"})
    incident = incident_from_rest(WHOLE, [alert], own_user_id="PBOT001")
    assert incident.created_at == datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)
    assert (incident.id, incident.number, incident.status, incident.urgency) == (
        "Q0EXAMPLE00001",
        4242,
        IncidentStatus.ACKNOWLEDGED,
        "low",
    )
    assert (incident.service.name, incident.escalation_policy.id, incident.priority) == ("voice-platform", "PEP0001", "P1")
    assert [p.id for p in incident.assignees] == ["PUSR001"]
    assert incident.alerts == (alert,)
    assert (incident.snoozed, incident.merged_into, incident.open) == (False, None, True)


def test_only_other_people_count_as_having_acknowledged():
    assert [p.id for p in incident_from_rest(WHOLE, (), "PBOT001").acknowledged_by] == ["PUSR001"]
    assert [p.id for p in incident_from_rest(WHOLE, (), None).acknowledged_by] == ["PBOT001", "PUSR001"]
    untyped = {"id": "QAAAAA", "acknowledgements": [{"acknowledger": {"id": "PUSR009"}}]}
    assert [p.id for p in incident_from_rest(untyped, (), None).acknowledged_by] == ["PUSR009"]


def test_everything_but_the_id_is_optional():
    incident = incident_from_rest({"id": "QAAAAA"}, (), None)
    assert (incident.status, incident.created_at, incident.service.id) == (IncidentStatus.TRIGGERED, EPOCH, "")
    with pytest.raises(Unreadable, match="no id"):
        incident_from_rest({}, (), None)
    with pytest.raises(Unreadable, match="status"):
        incident_from_rest({"id": "QAAAAA", "status": "paused"}, (), None)


def test_an_incident_without_a_time_begins_with_its_first_alert():
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    alerts = [Alert(labels={}, starts_at=late), Alert(labels={}), Alert(labels={}, starts_at=early)]
    assert incident_from_rest({"id": "QAAAAA", "created_at": "yesterday"}, alerts, None).created_at == early


def test_a_merged_incident_is_not_open_and_says_where_it_went():
    merged = {**WHOLE, "status": "resolved", "resolve_reason": {"type": "merge_resolve_reason", "incident": {"id": "QTARGET001"}}}
    incident = incident_from_rest(merged, (), None)
    assert (incident.merged_into, incident.open) == ("QTARGET001", False)


@pytest.mark.parametrize(
    ("pending_at", "timeout", "snoozed"),
    [
        ("2026-11-23T04:12:00Z", None, True),
        ("2026-11-23T04:12:00Z", "absent", True),
        ("2026-11-23T03:42:00Z", 1800, False),
        ("2026-11-23T04:12:00Z", 1800, True),
        ("whenever", 1800, True),
    ],
)
def test_a_snooze_is_told_from_an_acknowledgement_timeout(pending_at, timeout, snoozed):
    service = {"id": "PSVC001"} if timeout == "absent" else {"id": "PSVC001", "acknowledgement_timeout": timeout}
    shape = {
        **WHOLE,
        "service": service,
        "pending_actions": [{"type": "unacknowledge", "at": pending_at}, {"type": "resolve", "at": pending_at}],
    }
    assert incident_from_rest(shape, (), None).snoozed is snoozed


def test_a_pending_resolve_is_no_snooze():
    assert not incident_from_rest(
        {**WHOLE, "pending_actions": [{"type": "resolve", "at": "2026-11-23T04:12:00Z"}]}, (), None
    ).snoozed


def test_a_link_that_is_not_http_is_dropped():
    assert incident_from_rest({**WHOLE, "html_url": "javascript:alert(1)"}, (), None).html_url == ""


ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.lists(st.none() | st.text(max_size=3), max_size=2)
ODD_OBJECT = st.dictionaries(
    st.sampled_from(["id", "type", "summary", "assignee", "acknowledger", "at", "incident"]), ODD, max_size=4
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.dictionaries(st.sampled_from([*WHOLE, "number", "assignees"]), ODD | ODD_OBJECT | st.lists(ODD_OBJECT, max_size=3)))
def test_no_incident_object_makes_the_reader_raise_anything_else(shape):
    with suppress(Unreadable):
        incident_from_rest(shape, (), "PBOT001").model_dump_json().encode()
