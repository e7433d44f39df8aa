"""A provider's event feed: the last word on each trouble, weakly; routine, old and mended events are left alone."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.stores.database_events import detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def found(output, operation="rds events"):
    alerts = (Alert(labels={"dbinstance_identifier": "orders"}),)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"), alerts=alerts)
    window = Window.before(ONSET, timedelta(hours=1))
    scope = Scope(incident=incident, now=ONSET, onset=ONSET, window=window, change_window=window)
    payload = {"source": "aws", "operation": operation, "args": {}, "output": output}
    kind, ok = EvidenceKind.TEXT, EvidenceStatus.OK
    told = Evidence(id="e1", source="aws", kind=kind, query="", status=ok, observed_at=ONSET, payload=payload)
    return detect(EvidenceView(scope=scope, evidence=(told,)))


def line(message, minutes=-5, database="orders"):
    return f"{(ONSET + timedelta(minutes=minutes)).isoformat()} {database}: {message}"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (K.POSTGRES_DISK_FULL, "DB instance ran out of storage space."),
        (K.POSTGRES_DISK_FULL, "DB instance storage is critically low."),
        (K.POSTGRES_CONNECTIONS_FULL, "Current connections 498, approaching max_connections."),
        (K.POSTGRES_RESTARTED, "Multi-AZ instance failover completed."),
        (K.POSTGRES_RESTARTED, "DB instance restarted"),
        (K.POSTGRES_REPLICA_LAG, "Replication lag is now 900 seconds."),
        (K.POSTGRES_REPLICATION_BROKEN, "Replication has stopped."),
        (K.POSTGRES_LOCKED, "PostgreSQL log: process 7 still waiting for ShareLock on transaction 99"),
        (K.POSTGRES_MEMORY_SHORT, "The instance is under memory pressure."),
        (K.POSTGRES_CPU_FULL, "CPU utilization has been above 90% for 5 minutes."),
        (K.POSTGRES_IO_SATURATED, "PostgreSQL log: checkpoints are occurring too frequently (9 seconds apart)"),
    ],
)
def test_each_trouble_is_told_weakly_at_its_database(kind, message):
    (told,) = found(line(message))
    assert (told.kind, told.object, told.evidence) == (kind, "postgres/orders", ("e1",))
    assert told.strength < 0.5
    assert told.onset == ONSET - timedelta(minutes=5)


@pytest.mark.parametrize(
    "output",
    [
        line("Automated backup finished for DB instance."),
        line("Parameter group applied. The DB instance needs to be rebooted."),
        line("Failover test completed."),
        line("DB instance ran out of storage space.", minutes=-600),
        line("Free storage is low.") + "\n" + line("Storage autoscaling completed.", minutes=-2),
        line("Replication lag is 900 seconds.") + "\n" + line("The replica has caught up.", minutes=-1),
        "",
        "{broken",
        json.dumps({"events": [None, 3, {"message": None}, {"Message": 5, "Date": {}}]}),
        json.dumps({"events": {"a": 1}}),
    ],
)
def test_routine_old_and_mended_events_and_odd_feeds_are_left_alone(output):
    assert found(output) == ()


def test_events_as_json_are_read_whatever_their_order_and_another_tools_text_is_not():
    events = [
        {"Date": (ONSET - timedelta(minutes=m)).isoformat(), "SourceIdentifier": "Pay", "Message": text}
        for m, text in ((2, "Storage autoscaling completed"), (9, "storage is low"), (1, "CPU exceeded 90%"))
    ]
    told = found(json.dumps({"Events": events}), "describe-events")
    assert [(f.kind, f.object) for f in told] == [(K.POSTGRES_CPU_FULL, "postgres/pay")]
    assert found(line("DB instance ran out of storage space."), "kubectl logs") == ()
