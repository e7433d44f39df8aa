"""POSTGRES_..._FULL, _REPLICA_LAG and _RESTARTED: by the newest samples of a managed database; what recovered is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors import metrics
from sre_agent.detectors.postgres_metrics import detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def view(metric, values):
    samples = tuple((START.timestamp() + 60 * i, float(v)) for i, v in enumerate(values))
    series = Series(labels={"__name__": f"aws_rds_{metric}", "dbinstance_identifier": "Orders"}, samples=samples)
    now = START + timedelta(minutes=len(values))
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=START, service=Reference(id="P1"))
    window = Window(start=START, end=now)
    scope = Scope(incident=incident, now=now, onset=START + timedelta(minutes=10), window=window, change_window=window)
    kind, status, payload = EvidenceKind.METRICS, EvidenceStatus.OK, [series.model_dump(mode="json")]
    told = Evidence(id="e1", source="x", kind=kind, query="", status=status, observed_at=now, payload=payload)
    return EvidenceView(scope=scope, evidence=(told,))


@pytest.mark.parametrize(
    ("kind", "metric", "values"),
    [
        (K.POSTGRES_DISK_FULL, "free_storage_space", [100 - 6 * i for i in range(17)]),
        (K.POSTGRES_CONNECTIONS_FULL, "database_connections", [100, 130, 160, 180, 190, 196, 197, 198, 199, 200]),
        (K.POSTGRES_REPLICA_LAG, "replica_lag", [1, 1, 1, 2, 90, 400, 500, 600, 700, 800]),
        (K.POSTGRES_CPU_FULL, "cpuutilization", [20] * 5 + [95] * 5),
        (K.POSTGRES_RESTARTED, "database_connections", [90, 91, 90, 0, 0, 80, 90, 91, 90, 89]),
    ],
)
def test_each_shortage_is_found_at_its_database(kind, metric, values):
    (found,) = detect(view(metric, values))
    assert (found.kind, found.object, found.evidence) == (kind, "postgres/orders", ("e1",))


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("free_storage_space", [100, 60, 20, 5, 3, 200, 200, 200, 200, 200]),  # it was enlarged
        ("free_storage_space", [100 - i for i in range(16)]),  # it shrinks, and there is plenty
        ("database_connections", [100, 110, 120, 100, 130, 120, 118, 125, 119, 121]),  # a busy hour
        ("database_connections", [0, 0, 0, 0, 0, 10, 20, 30, 40, 50]),  # it was just made
        ("replica_lag", [1, 1, 900, 900, 800, 500, 100, 2, 1, 1]),  # it caught up
        ("cpuutilization", [20] * 5 + [95, 95, 30, 95, 95]),  # not for long
        ("cpuutilization", [95] * 4),  # too little to say
    ],
)
def test_what_recovered_or_only_looks_like_it_is_left_alone(metric, values):
    assert detect(view(metric, values)) == ()


def test_more_free_space_than_before_is_no_shift_to_tell_of_and_less_is():
    assert metrics.detect(view("free_storage_space", [10] * 9 + [100] * 10)) == ()
    assert [f.object for f in metrics.detect(view("free_storage_space", [100] * 9 + [10] * 10))] == ["postgres/orders"]
