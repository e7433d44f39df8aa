"""An incident that is resolved today, put back to what it was when the agent would have looked."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.intake.alert_details import alerts_from_rest
from sre_agent.intake.incident_rest import incident_from_rest
from sre_agent.replay.history.as_of import as_of
from sre_agent.replay.history.entry import HistoryEntry

T0 = datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)
LABELS = {"alertname": "RedisSlow", "alert_type": "infra", "redis_master": "cache"}
ANN = {"id": "PUSRANN", "type": "user_reference", "summary": "Ann"}
BOB = {"id": "PUSRBOB", "type": "user_reference", "summary": "Bob"}


def after(seconds: float) -> str:
    return (T0 + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def log(kind: str, seconds: float, agent=None, **more) -> dict:
    return {"id": f"R{kind}{seconds}", "type": f"{kind}_log_entry", "created_at": after(seconds), "agent": agent, **more}


def alert(name: str = "A1", seconds: float = 0, details=None, **more) -> dict:
    return {
        "id": name,
        "type": "alert",
        "status": "resolved",
        "created_at": after(seconds),
        "summary": "slow",
        "body": {"type": "alert_body", "details": {"firing": [inside()], "num_firing": 1} if details is None else details},
        **more,
    }


def inside(status: str = "firing", start: float = 0, end: float | None = None, **labels: str) -> dict:
    ends = "0001-01-01T00:00:00Z" if end is None else after(end)
    return {"status": status, "labels": {**LABELS, **labels}, "startsAt": after(start), "endsAt": ends}


def entry(alerts=None, log_entries=(), **incident) -> HistoryEntry:
    alerts = (alert(),) if alerts is None else alerts
    shape = {"id": "Q0EXAMPLE00001", "status": "resolved", "created_at": after(0), "title": "slow", **incident}
    return HistoryEntry(incident=shape, alerts=tuple(alerts), log_entries=tuple(log_entries))


def then(given: HistoryEntry, seconds: float = 30, own_user: str | None = None):
    """As the case's reader understands it."""
    was = as_of(given, T0 + timedelta(seconds=seconds), own_user)
    return incident_from_rest(was.incident, [a for raw in was.alerts for a in alerts_from_rest(raw)], own_user_id=None)


LIFE = (
    log("trigger", 0),
    log("assign", 1, assignees=[ANN]),
    log("acknowledge", 60, ANN),
    log("unacknowledge", 300),
    log("escalate", 301, assignees=[BOB]),
    log("acknowledge", 400, BOB),
    log("resolve", 900, BOB),
)


@pytest.mark.parametrize(
    ("seconds", "status", "holders", "assigned"),
    [
        (30, "triggered", [], ["Ann"]),
        (60, "acknowledged", ["Ann"], ["Ann"]),
        (300, "triggered", [], ["Ann"]),
        (350, "triggered", [], ["Bob"]),
        (450, "acknowledged", ["Bob"], ["Bob"]),
        (900, "resolved", [], ["Bob"]),
    ],
)
def test_status_acknowledgements_and_assignments_are_those_of_the_time(seconds, status, holders, assigned):
    was = then(entry(log_entries=LIFE), seconds)
    assert (was.status.value, [p.name for p in was.acknowledged_by], [p.name for p in was.assignees]) == (status, holders, assigned)
    assert bool(was.firing) == (status != "resolved")


def test_without_log_entries_the_incident_is_as_it_was_when_it_began():
    given = entry(acknowledgements=[{"at": after(60), "acknowledger": ANN}], assignments=[{"at": after(5), "assignee": ANN}])
    was = then(given)
    assert (was.status.value, was.acknowledged_by, [p.name for p in was.assignees]) == ("triggered", (), ["Ann"])
    assert [a.labels for a in was.firing] == [LABELS]


def test_what_the_agent_itself_acknowledged_is_nobodys_acknowledgement():
    was = then(entry(log_entries=(log("trigger", 0), log("acknowledge", 10, ANN))), own_user="PUSRANN")
    assert (was.status.value, was.acknowledged_by) == ("acknowledged", ())


def test_nothing_of_later_stays():
    given = entry(
        log_entries=(*LIFE, log("urgency_change", 500, ANN), log("delegate", 600, ANN)),
        urgency="low",
        resolved_at=after(900),
        resolve_reason={"type": "merge_resolve_reason", "incident": {"id": "Q0OTHER"}},
        pending_actions=[{"type": "unacknowledge", "at": after(9000)}],
        escalation_policy={"id": "PEP0009", "summary": "who has it now"},
        responder_requests=[{"requested_at": after(700)}, {"requested_at": after(20)}],
        alert_counts={"all": 2, "triggered": 0, "resolved": 2},
        custom_fields=[{"name": "root_cause", "value": "the import"}],
    )
    was, told = then(given), as_of(given, T0 + timedelta(seconds=30))
    assert (was.urgency, was.merged_into, was.snoozed, was.escalation_policy) == ("high", None, False, None)
    assert told.incident["alert_counts"] == {"all": 1, "triggered": 1, "resolved": 0}
    assert [r["requested_at"] for r in told.incident["responder_requests"]] == [after(20)]
    assert not {"resolved_at", "custom_fields"} & set(told.incident)
    assert len(told.log_entries) == 2


def test_alerts_of_later_are_left_out_and_offsets_are_read():
    was = then(entry(alerts=(alert("A1", created_at="2026-03-03T21:11:09-06:00"), alert("A2", 31), alert("A3", 30))))
    assert [a.source_id for a in was.firing] == ["A1", "A3"]
    local = alert("A4", created_at="2026-03-03T21:11:50-06:00")
    assert then(entry(alerts=(local,))).alerts == ()


@pytest.mark.parametrize("dressed", [lambda inner: inner, json.dumps])
def test_each_alert_inside_is_as_it_was(dressed):
    details = {
        "firing": dressed([inside(pod="still"), inside(start=45, pod="later")]),
        "resolved": dressed([inside("resolved", end=600, pod="ended-later"), inside("resolved", -60, 20, pod="ended-before")]),
        "num_firing": "2",
        "num_resolved": 2,
    }
    was = then(entry(alerts=(alert(details=details),)))
    assert {a.labels["pod"]: a.status.value for a in was.alerts} == {
        "still": "firing",
        "ended-later": "firing",
        "ended-before": "resolved",
    }
    assert all(a.labels_known for a in was.alerts)
    assert all(a.ends_at is None for a in was.firing)


def test_details_inside_a_string_stay_a_string():
    was = as_of(entry(alerts=(alert(details=json.dumps({"firing": [inside(end=600, status="resolved")], "num_firing": 1})),)), T0)
    assert isinstance(was.alerts[0]["body"]["details"], str)
    (one,) = alerts_from_rest(was.alerts[0])
    assert (one.labels, one.status.value) == (LABELS, "firing")


TEXT = (
    "Labels:\n - alertname = RedisSlow\n - alert_type = infra\n - redis_master = cache\nAnnotations:\nSource: http://prometheus\n"
)


def test_text_that_only_tells_of_the_end_is_of_a_later_word():
    details = {"firing": "", "resolved": TEXT, "num_firing": "0", "num_resolved": "1"}
    (one,) = then(entry(alerts=(alert(details=details),))).alerts
    assert (one.labels, one.status.value, one.labels_known) == (LABELS, "firing", True)


@pytest.mark.parametrize("details", [{}, "", "free text", None, {"error": "Custom details have been removed"}, [1], {"firing": 7}])
def test_details_that_are_none_change_nothing_and_stop_nothing(details):
    given = alert(body={"type": "alert_body", "details": details})
    (one,) = then(entry(alerts=(given,))).alerts
    assert (one.status.value, one.labels_known) == ("firing", False)


def test_an_alert_without_a_body_or_a_time_is_kept():
    given = {"id": "A1", "status": "resolved", "body": None}
    assert [a.status.value for a in then(entry(alerts=(given,))).alerts] == ["firing"]


def test_clocks_that_differ_hide_no_alert():
    (one,) = then(entry(alerts=(alert(details={"firing": [inside(start=3600)], "num_firing": 1}),))).alerts
    assert (one.labels, one.labels_known) == (LABELS, True)
