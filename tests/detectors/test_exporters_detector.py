"""Redis and PostgreSQL by their exporters' metrics alone: the newest samples count; what recovered or is usual is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.stores import postgres_exporter, redis_exporter
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.testing.redis_states import redis_state

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=5)


def series(name, before, since, **labels):
    """Half an hour at one level, then the minutes since the onset at another; counters (_total) by their rate per second."""
    samples, value = [], 0.0
    for at in range(-1800, 301, 30):
        level = float(since if at >= 0 else before)
        value = value + 30 * level if name.endswith("_total") else level
        samples.append((ONSET.timestamp() + at, value))
    return Series(labels={"__name__": name, "instance": "db-1:9187", **labels}, samples=tuple(samples))


def view(*told, now=NOW):
    window = Window.before(now, timedelta(minutes=35))
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"))
    scope = Scope(incident=incident, now=now, onset=ONSET, window=window, change_window=window)
    kind, ok = EvidenceKind.METRICS, EvidenceStatus.OK
    evidence = tuple(
        Evidence(id=f"e{i}", source="x", kind=kind, query="", status=ok, observed_at=now, payload=[s.model_dump(mode="json")])
        for i, s in enumerate(told, 1)
    )
    return EvidenceView(scope=scope, evidence=evidence)


REDIS = [
    (K.REDIS_PRIMARY_DOWN, [series("redis_up", 1, 0)]),
    (K.REDIS_MEMORY_FULL, [series("redis_memory_used_bytes", 50, 99), series("redis_memory_max_bytes", 100, 100)]),
    (K.REDIS_EVICTING, [series("redis_evicted_keys_total", 0.5, 40)]),
    (K.REDIS_CLIENTS_FULL, [series("redis_connected_clients", 100, 995), series("redis_config_maxclients", 1000, 1000)]),
    (K.REDIS_CLIENTS_FULL, [series("redis_rejected_connections_total", 0, 3)]),
    (K.REDIS_CLIENTS_BLOCKED, [series("redis_blocked_clients", 2, 80)]),
    (K.REDIS_PERSISTENCE_FAILING, [series("redis_rdb_last_bgsave_status", 1, 0)]),
    (K.REDIS_REPLICATION_BROKEN, [series("redis_master_link_up", 1, 0)]),
    (K.REDIS_CLUSTER_INCOMPLETE, [series("redis_cluster_state", 1, 0)]),
]
POSTGRES = [
    (K.POSTGRES_DOWN, [series("pg_up", 1, 0)]),
    (
        K.POSTGRES_CONNECTIONS_FULL,
        [
            series("pg_stat_activity_count", 10, 60, state="idle", datname="a"),
            series("pg_stat_activity_count", 10, 39, state="active", datname="b"),
            series("pg_settings_max_connections", 100, 100),
        ],
    ),
    (K.POSTGRES_LOCKED, [series("pg_stat_activity_count", 0, 7, state="active", wait_event_type="Lock")]),
    (K.POSTGRES_LONG_TRANSACTION, [series("pg_stat_activity_max_tx_duration", 700, 900, state="idle in transaction")]),
    (K.POSTGRES_REPLICA_LAG, [series("pg_replication_lag_seconds", 0, 400)]),
    (
        K.POSTGRES_WAL_RETAINED,
        [
            series("pg_replication_slots_pg_wal_lsn_diff", 2e9, 5e9, slot_name="cdc"),
            series("pg_replication_slots_active", 0, 0, slot_name="cdc"),
        ],
    ),
    (K.POSTGRES_READ_ONLY, [series("pg_settings_default_transaction_read_only", 0, 1)]),
]


@pytest.mark.parametrize(("kind", "told"), REDIS)
def test_each_trouble_of_a_redis_is_found_by_its_metric(kind, told):
    (found,) = redis_exporter.detect(view(*told))
    assert (found.kind, found.object) == (kind, "redis/db-1:9187")
    assert set(found.evidence) == {f"e{i}" for i in range(1, len(told) + 1)}


@pytest.mark.parametrize(("kind", "told"), POSTGRES)
def test_each_trouble_of_a_postgres_is_found_by_its_metric(kind, told):
    (found,) = postgres_exporter.detect(view(*told))
    assert (found.kind, found.object) == (kind, "postgres/db-1:9187")
    assert set(found.evidence) == {f"e{i}" for i in range(1, len(told) + 1)}


@pytest.mark.parametrize(("kind", "told"), [*REDIS, *POSTGRES])
def test_what_recovered_and_what_is_stale_is_left_alone(kind, told):
    well = [s.model_copy(update={"samples": (*s.samples[:-8], *_well(s, kind))}) for s in told]
    for each in (view(*well), view(*told, now=NOW + timedelta(hours=2))):
        assert [*redis_exporter.detect(each), *postgres_exporter.detect(each)] == []


def _well(told, kind):
    """The last samples as they were at the beginning; of a counter, as if nothing more was counted."""
    if told.name.endswith("_total"):
        return tuple((t, told.samples[-9][1]) for t, _ in told.samples[-8:])
    if kind is K.POSTGRES_LONG_TRANSACTION or (kind is K.POSTGRES_WAL_RETAINED and "diff" in told.name):
        return tuple((t, 1.0) for t, _ in told.samples[-8:])
    return tuple((t, told.samples[0][1]) for t, _ in told.samples[-8:])


@pytest.mark.parametrize(
    "told",
    [
        [series("redis_evicted_keys_total", 40, 45)],  # a cache that evicts every day
        [series("redis_blocked_clients", 80, 90)],  # workers of a queue
        [series("redis_memory_used_bytes", 99, 99), series("redis_memory_max_bytes", 0, 0)],  # without a limit
        [
            series("redis_memory_used_bytes", 99, 99),
            series("redis_memory_max_bytes", 100, 100),
            series("redis_evicted_keys_total", 9, 9),
        ],
        [series("pg_stat_activity_count", 10, 70, state="idle"), series("pg_settings_max_connections", 100, 100)],
        [series("pg_stat_activity_max_tx_duration", 90_000, 90_000, state="idle")],
        [series("pg_stat_activity_max_tx_duration", 5, 300, state="active")],
        [series("pg_settings_default_transaction_read_only", 1, 1), series("pg_replication_is_replica", 1, 1)],
        [series("pg_replication_slots_pg_wal_lsn_diff", 2e9, 5e9, slot_name="r1")],  # nobody says that it has no reader
    ],
)
def test_what_only_looks_like_trouble_is_left_alone(told):
    assert [*redis_exporter.detect(view(*told)), *postgres_exporter.detect(view(*told))] == []


def test_an_instance_goes_by_the_name_that_its_labels_give_it():
    (found,) = postgres_exporter.detect(view(series("pg_up", 1, 0, postgres="Orders")))
    assert found.object == "postgres/orders"


def test_an_exporter_without_an_answer_does_not_gainsay_a_primary_that_was_asked_itself():
    down = view(series("redis_up", 1, 0, redis_master="cache"))
    assert [f.object for f in redis_exporter.detect(down)] == ["redis/cache"]
    kind, ok, payload = EvidenceKind.REDIS, EvidenceStatus.OK, redis_state().model_dump(mode="json")
    asked = Evidence(id="e9", source="redis", kind=kind, query="", status=ok, observed_at=NOW, payload=payload)
    assert redis_exporter.detect(EvidenceView(scope=down.scope, evidence=(*down.evidence, asked))) == ()
