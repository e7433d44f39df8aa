"""POSTGRES_..._FULL, _REPLICA_LAG and _RESTARTED: by the newest samples of a managed database; what recovered is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.signals import metrics
from sre_agent.detectors.stores.postgres_metrics import detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def view(metric, values, title="", **more):
    told = {metric: values, **more}
    now = START + timedelta(minutes=max(len(v) for v in told.values()))
    service = Reference(id="P1")
    incident = Incident(id="Q1", title=title, status=IncidentStatus.TRIGGERED, created_at=START, service=service)
    window = Window(start=START, end=now)
    scope = Scope(incident=incident, now=now, onset=START + timedelta(minutes=10), window=window, change_window=window)
    kind, status, payload = EvidenceKind.METRICS, EvidenceStatus.OK, [_series(name, v) for name, v in told.items()]
    told = Evidence(id="e1", source="x", kind=kind, query="", status=status, observed_at=now, payload=payload)
    return EvidenceView(scope=scope, evidence=(told,))


def _series(metric, values):
    samples = tuple((START.timestamp() + 60 * i, float(v)) for i, v in enumerate(values))
    return Series(labels={"__name__": f"aws_rds_{metric}", "dbinstance_identifier": "Orders"}, samples=samples).model_dump(
        mode="json"
    )


@pytest.mark.parametrize(
    ("kind", "metric", "values"),
    [
        (K.POSTGRES_DISK_FULL, "free_storage_space", [100 - 6 * i for i in range(17)]),
        (K.POSTGRES_CONNECTIONS_FULL, "database_connections", [100, 130, 160, 180, 190, 196, 197, 198, 199, 200]),
        (K.POSTGRES_REPLICA_LAG, "replica_lag", [1, 1, 1, 2, 90, 400, 500, 600, 700, 800]),
        (K.POSTGRES_CPU_FULL, "cpuutilization", [20] * 5 + [95] * 5),
        (K.POSTGRES_RESTARTED, "database_connections", [90, 91, 90, 0, 0, 80, 90, 91, 90, 89]),
        (K.POSTGRES_RESTARTED, "database_connections", [90, 91, 90, 90, 90, 2, 1, 60, 80, 90, 91, 90, 89]),
        (K.POSTGRES_REPLICA_LAG, "replica_lag", [1, 1, 2, 5, 9, 62, 71, 80, 99, 120]),
        (K.POSTGRES_IO_SATURATED, "disk_queue_depth", [0.1, 0.1, 0.2, 1, 4, 9, 15, 22, 30, 33]),
        (K.POSTGRES_MEMORY_SHORT, "freeable_memory", [40e9 - 3e9 * i for i in range(13)]),
        (K.POSTGRES_WAL_RETAINED, "transaction_logs_disk_usage", [1e9, 1e9, 1e9, 2e9, 3e9, 4e9, 5e9, 6e9, 7e9, 8e9]),
        (K.POSTGRES_DISK_FULL, "free_storage_space", [6e8 - 1e6 * i for i in range(12)]),
        (K.POSTGRES_DISK_FULL, "free_storage_space", [60e9 - 3e9 * i for i in range(13)]),
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
        ("cpuutilization", []),
        ("database_connections", [90, 60, 50, 40, 50, 60, 70, 80, 90, 91]),  # a dip
        ("database_connections", [4600, 4720, 4800, 4860, 4900, 4930, 4950, 4960, 4965, 4967]),  # nobody asks for sessions
        ("disk_queue_depth", [9, 8, 9, 10, 9, 9, 8, 9, 10, 9]),  # as every day
        ("freeable_memory", [40e9, 38e9, 36e9, 40e9, 39e9, 37e9, 36e9, 40e9, 38e9, 37e9]),
        ("freeable_memory", [40e9] * 5 + [4e9, 4e9, 4e9, 9e9, 20e9]),  # it comes back
        ("replica_lag", [1, 1, 1, 1, 1, 4, 8, 12, 16, 20]),
        ("replica_lag", [float("nan")] * 10),
    ],
)
def test_what_recovered_or_only_looks_like_it_is_left_alone(metric, values):
    assert detect(view(metric, values)) == ()


def test_connections_that_rise_ever_less_are_told_where_the_alert_asks_for_sessions():
    values = [4600, 4720, 4800, 4860, 4900, 4930, 4950, 4960, 4965, 4967]
    (found,) = detect(view("database_connections", values, title="New connections are refused"))
    assert found.kind is K.POSTGRES_CONNECTIONS_FULL
    assert detect(view("database_connections", [4600 + 40 * i for i in range(10)], title="New connections are refused")) == ()


def test_reads_at_a_ceiling_that_became_slow_are_told_without_a_queue_and_busy_fast_ones_are_not():
    many, slow = [900, 900, 900, 2000, 2900, 3000, 3000, 3000, 3000, 3000], [1, 1, 1, 3, 8, 9, 9, 9, 9, 9]
    (found,) = detect(view("read_iops", many, read_latency=slow))
    assert (found.kind, found.object) == (K.POSTGRES_IO_SATURATED, "postgres/orders")
    assert detect(view("read_iops", many, read_latency=[1] * 10)) == ()
    assert detect(view("read_iops", many, read_latency=slow, disk_queue_depth=[0.1] * 10)) == ()


def test_the_onset_is_where_the_level_changed_and_duplicates_and_gaps_do_not_move_it():
    (found,) = detect(view("cpuutilization", [20, 21, 20, 22, 20, 21, 95, 96, 95, 97, 96, 95]))
    assert found.onset == START + timedelta(minutes=6)


def test_more_free_space_than_before_is_no_shift_to_tell_of_and_less_is():
    assert metrics.detect(view("free_storage_space", [10] * 9 + [100] * 10)) == ()
    assert [f.object for f in metrics.detect(view("free_storage_space", [100] * 9 + [10] * 10))] == ["postgres/orders"]


def test_a_full_disk_that_flickers_is_full_all_the_same():
    (found,) = detect(view("free_storage_space", [80e9, 40e9, 9e9, 4e8, 4e8, 3.99e8, 4e8, 4.01e8, 4e8, 4.02e8]))
    assert found.kind is K.POSTGRES_DISK_FULL


def test_sessions_that_go_down_as_often_as_up_stand_at_no_ceiling():
    leant = [100, 110, 160, 220, 260, 288, 290, 290, 289, 290]
    busy = [100, 110, 160, 220, 260, 284, 290, 285, 291, 286]
    assert [f.kind for f in detect(view("database_connections", leant))] == [K.POSTGRES_CONNECTIONS_FULL]
    assert detect(view("database_connections", busy)) == ()


def test_a_spent_burst_balance_is_told_where_requests_wait_and_not_where_nobody_does():
    spent = [90, 70, 40, 10, 2, 1, 1, 0, 0, 0]
    slow = [1, 1, 1, 2, 20, 22, 21, 22, 23, 22]
    (found,) = detect(view("burst_balance", spent, read_latency=slow, disk_queue_depth=[0.2, 0.2, 0.3, 1, 2, 2, 2, 2, 2, 2]))
    assert found.kind is K.POSTGRES_IO_SATURATED
    assert detect(view("burst_balance", spent, read_latency=[1] * 10)) == ()
    assert detect(view("burst_balance", [90] * 10, read_latency=slow)) == ()


def test_three_times_as_much_of_nearly_no_lag_is_no_shift_and_ten_seconds_are():
    assert metrics.detect(view("replica_lag", [0.8] * 9 + [2.4] * 10)) == ()
    assert metrics.detect(view("replica_lag", [0.8] * 9 + [40] * 10)) != ()
