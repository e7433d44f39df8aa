from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.stores.redis import SLOW_DISPUTED, SLOW_SEEN_ONCE, SLOW_SEEN_TWICE, detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.redis.state import NodeView, RedisState
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.testing.redis_states import (
    PRIMARY,
    REPLICA_1,
    REPLICA_2,
    SENTINELS,
    primary_view,
    redis_state,
    replica_view,
    sentinel_view,
    sick_primary,
)

ONSET = datetime(2026, 3, 4, 3, 8, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=3)


def view(state: RedisState, *series: Series) -> EvidenceView:
    window = Window(start=ONSET - timedelta(minutes=15), end=NOW)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"))

    def evidence(n, kind, payload):
        return Evidence(
            id=f"e{n}", source="t", kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, window=window, payload=payload
        )

    found = [evidence(1, EvidenceKind.REDIS, state.model_dump(mode="json"))]
    found += [evidence(n, EvidenceKind.METRICS, [s.model_dump(mode="json")]) for n, s in enumerate(series, start=2)]
    scope = Scope(incident=incident, now=NOW, onset=ONSET, window=window, change_window=window)
    return EvidenceView(scope=scope, evidence=tuple(found))


def series(name, before, after, **labels):
    at = ONSET.timestamp()
    samples = [(at + s, after if s >= -20 else before * (1 + s % 3 / 50)) for s in range(-900, 181, 15)]
    return Series(labels={"__name__": name, **labels}, samples=tuple(samples))


def latency(before=0.002, after=0.48):
    return series("redis_probe_latency_seconds", before, after, redis_master="cache", quantile="0.99")


def kinds(found):
    return [f.kind for f in found]


def test_a_healthy_redis_has_no_finding():
    assert detect(view(redis_state(), latency(after=0.002))) == ()


def test_a_slow_primary_seen_by_pings_and_by_metrics_cites_both_and_ranks_high():
    (found,) = detect(view(redis_state(sick_primary()), latency()))
    assert found.kind is FindingKind.REDIS_PRIMARY_SLOW
    assert found.object == "redis/cache"
    assert found.evidence == ("e1", "e2")
    assert found.strength == SLOW_SEEN_TWICE
    assert found.onset is not None
    assert abs(found.onset - ONSET) < timedelta(minutes=1)


def test_a_slow_primary_without_latency_series_is_claimed_weakly():
    (found,) = detect(view(redis_state(sick_primary())))
    assert (found.kind, found.strength, found.evidence) == (FindingKind.REDIS_PRIMARY_SLOW, SLOW_SEEN_ONCE, ("e1",))


def test_a_slow_primary_contradicted_by_its_latency_series_is_claimed_weakest():
    (found,) = detect(view(redis_state(sick_primary()), latency(after=0.002)))
    assert (found.strength, found.evidence) == (SLOW_DISPUTED, ("e1",))


def test_series_of_another_master_corroborate_nothing():
    other = series("redis_probe_latency_seconds", 0.002, 0.48, redis_master="sessions")
    assert detect(view(redis_state(sick_primary()), other))[0].strength == SLOW_SEEN_ONCE


def test_series_that_name_the_primary_by_its_address_corroborate():
    by_address = series("redis_command_duration_milliseconds", 2, 480, instance=PRIMARY)
    assert detect(view(redis_state(sick_primary()), by_address))[0].strength == SLOW_SEEN_TWICE


def test_risen_metrics_alone_do_not_make_a_slow_primary():
    assert detect(view(redis_state(), latency())) == ()


def test_one_late_ping_of_ten_is_no_slow_primary():
    assert detect(view(redis_state(primary_view(p50=0.4, p99=140.0)), latency())) == ()


def test_a_recorded_p99_without_a_count_stands_alone():
    recorded = primary_view(p50=1.0, p99=480.0).model_copy(update={"attempts": 0})
    assert kinds(detect(view(redis_state(recorded), latency()))) == [FindingKind.REDIS_PRIMARY_SLOW]


def test_full_memory_excludes_a_slow_primary():
    full = sick_primary(used_memory=990_000_000, maxmemory=1_000_000_000)
    assert kinds(detect(view(redis_state(full), latency()))) == [FindingKind.REDIS_MEMORY_FULL]


def test_a_cache_that_may_evict_any_key_is_not_full_at_its_limit():
    cache = sick_primary(used_memory=1_000_000_000, maxmemory=1_000_000_000, maxmemory_policy="allkeys-lru")
    assert kinds(detect(view(redis_state(cache), latency()))) == [FindingKind.REDIS_PRIMARY_SLOW]


@pytest.mark.parametrize(
    "changes", [{"busy": 0.97}, {"connected_clients": 9_800}, {"instantaneous_ops_per_sec": 90_000}], ids=["cpu", "clients", "ops"]
)
def test_load_excludes_a_slow_primary(changes):
    loaded = primary_view(p50=210.0, p99=300.0, timeouts=4, **changes)
    assert kinds(detect(view(redis_state(loaded), latency()))) == [FindingKind.REDIS_OVERLOADED]


def test_a_rising_command_rate_excludes_a_slow_primary_and_is_cited():
    load = series("redis_instantaneous_ops_per_sec", 900, 9_000, redis_master="cache")
    (found,) = detect(view(redis_state(sick_primary()), latency(), load))
    assert found.kind is FindingKind.REDIS_OVERLOADED
    assert found.evidence == ("e1", "e3")


def test_replicas_as_slow_as_the_primary_make_no_slow_primary():
    replicas = tuple(replica_view(a, p50=200.0, p99=300.0) for a in (REPLICA_1, REPLICA_2))
    state = redis_state(sick_primary(), replicas)
    assert FindingKind.REDIS_PRIMARY_SLOW not in kinds(detect(view(state, latency())))


def test_a_primary_nobody_reaches_is_down_and_its_replicas_links_are_a_symptom():
    replicas = tuple(replica_view(a, master_link_status="down") for a in (REPLICA_1, REPLICA_2))
    sentinels = tuple(sentinel_view(a, flags="master,s_down,o_down") for a in SENTINELS)
    state = redis_state(NodeView(address=PRIMARY, error="timed out"), replicas, sentinels)
    assert kinds(detect(view(state))) == [FindingKind.REDIS_PRIMARY_DOWN]


def test_a_primary_that_only_we_cannot_reach_is_not_down():
    state = redis_state(NodeView(address=PRIMARY, error="timed out"))
    assert detect(view(state)) == ()


def test_replication_is_broken_when_no_replica_is_in_sync():
    replicas = (replica_view(REPLICA_1, master_link_status="down"), replica_view(REPLICA_2, slave_repl_offset=1_000))
    (found,) = detect(view(redis_state(None, replicas)))
    assert found.kind is FindingKind.REDIS_REPLICATION_BROKEN
    assert detect(view(redis_state(None, (replicas[0], replica_view(REPLICA_2))))) == ()


def test_sentinels_that_name_different_primaries_have_no_quorum():
    sentinels = (sentinel_view(SENTINELS[0]), sentinel_view(SENTINELS[1], ip="10.0.0.2"), sentinel_view(SENTINELS[2]))
    assert FindingKind.REDIS_NO_QUORUM in kinds(detect(view(redis_state(None, None, sentinels))))


def test_a_refusing_ckquorum_is_no_quorum_beside_the_slow_primary():
    sentinels = tuple(sentinel_view(a).model_copy(update={"ckquorum": "NOQUORUM 1 usable Sentinels"}) for a in SENTINELS)
    found = detect(view(redis_state(sick_primary(), None, sentinels), latency()))
    assert set(kinds(found)) == {FindingKind.REDIS_PRIMARY_SLOW, FindingKind.REDIS_NO_QUORUM}


def test_numbers_recorded_as_text_and_missing_fields_are_understood():
    state = RedisState.model_validate(
        {
            "name": "cache",
            "sentinels": [{"address": "s:1", "master": {"ip": "10.0.0.1", "port": 6379}, "ckquorum": "OK 3 usable Sentinels"}],
            "nodes": [
                {
                    "address": PRIMARY,
                    "info": {"role": "master", "used_memory": "100", "maxmemory": "nonsense"},
                    "latency_ms": {"p50": 3, "p99": 600},
                },
                {"address": REPLICA_1, "info": {"role": "slave", "master_link_status": "up"}, "latency_ms": {"p50": 1, "p99": 2}},
            ],
        }
    )
    assert kinds(detect(view(state, latency()))) == [FindingKind.REDIS_PRIMARY_SLOW]


def test_a_replica_whose_link_is_up_and_silent_is_not_in_sync_and_one_that_heard_a_ping_is():
    silent = [replica_view(a, master_last_io_seconds_ago=90) for a in (REPLICA_1, REPLICA_2)]
    (found,) = detect(view(redis_state(None, silent)))
    assert found.kind is FindingKind.REDIS_REPLICATION_BROKEN
    assert "last heard its primary 90 s ago" in found.cause
    idle = [replica_view(a, master_last_io_seconds_ago=9) for a in (REPLICA_1, REPLICA_2)]
    assert detect(view(redis_state(None, idle))) == ()


def test_memory_without_a_limit_is_full_when_the_machines_is_and_fragmentation_is_said():
    full = primary_view(maxmemory=0, total_system_memory=1e9, used_memory_rss=0.97e9, mem_fragmentation_ratio=2.1)
    (found,) = detect(view(redis_state(full)))
    assert found.kind is FindingKind.REDIS_MEMORY_FULL
    assert "maxmemory is not set; mem_fragmentation_ratio 2.1" in found.cause
    well = primary_view(maxmemory=0, total_system_memory=1e9, used_memory_rss=0.5e9, mem_fragmentation_ratio=2.1)
    assert detect(view(redis_state(well))) == ()
