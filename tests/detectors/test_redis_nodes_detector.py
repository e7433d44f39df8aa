"""What a primary's own INFO says: sick, well, and what only looks sick (a full cache, waiting workers, old totals)."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.stores.redis_nodes import detect
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.redis.state import NodeView, RedisState
from sre_agent.evidence.redis.timing import growth, slow_commands
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
WELL = {
    "role": "master",
    "connected_clients": 200,
    "maxclients": 10_000,
    "maxmemory": 1000,
    "used_memory": 600,
    "maxmemory_policy": "allkeys-lru",
    "rdb_last_bgsave_status": "ok",
    "aof_last_write_status": "ok",
    "evicted_keys": 90_000,
    "rejected_connections": 77,
    "blocked_clients": 180,
    "keyspace_hits": 10,
    "keyspace_misses": 90,
}


def found(info=None, **view):
    node = NodeView(address="10.0.0.1:6379", info=WELL | (info or {}), **view)
    replica = NodeView(
        address="10.0.0.2:6379", info={"role": "slave", "rdb_last_bgsave_status": "err", "connected_clients": 10_000}
    )
    state = RedisState(name="Cache", nodes=(node, replica))
    window = Window.before(NOW, timedelta(minutes=15))
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"))
    scope = Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)
    kind, payload = EvidenceKind.REDIS, state.model_dump(mode="json")
    told = Evidence(id="e1", source="redis", kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)
    return {f.kind: f for f in detect(EvidenceView(scope=scope, evidence=(told,)))}


def test_a_primary_that_is_well_is_left_alone_whatever_its_totals_and_its_replica_say():
    assert found() == {}


def test_a_primary_without_room_for_a_client_says_so():
    full = found({"connected_clients": 9_990})[K.REDIS_CLIENTS_FULL]
    assert (full.object, full.evidence, full.strength) == ("redis/cache", ("e1",), 0.94)
    assert "9990 of 10000" in full.cause
    assert found({"connected_clients": 9_200})[K.REDIS_CLIENTS_FULL].strength == 0.6
    refusing = found({"connected_clients": 9_200}, per_s={"rejected_connections": 4.0})[K.REDIS_CLIENTS_FULL]
    assert "4.0 a second are refused" in refusing.cause


def test_evictions_count_while_they_go_on_and_most_look_ups_miss():
    at_limit = {"used_memory": 999}
    assert K.REDIS_EVICTING in found(at_limit)
    now = {"evicted_keys": 50.0, "keyspace_hits": 10.0, "keyspace_misses": 90.0}
    told = found(at_limit, per_s=now)[K.REDIS_EVICTING].cause
    assert "50 keys a second" in told
    assert "90% of look-ups miss" in told


@pytest.mark.parametrize(
    ("info", "per_s"),
    [
        ({"used_memory": 999, "keyspace_hits": 900}, {}),  # a cache that lives at its limit and serves
        ({"used_memory": 999}, {"evicted_keys": 0.0, "keyspace_hits": 1.0, "keyspace_misses": 9.0}),  # it evicted once
        ({"used_memory": 999, "maxmemory_policy": "noeviction"}, {}),  # full, which is another finding
        ({"maxmemory": 0, "used_memory": 10**12}, {}),
    ],
)
def test_what_only_looks_like_an_eviction_storm_is_left_alone(info, per_s):
    assert found(info, per_s=per_s) == {}


def test_a_pause_and_commands_that_hold_up_everybody_are_told_by_name():
    paused = found({"paused_actions": "all", "paused_reason": "client_pause"})[K.REDIS_CLIENTS_BLOCKED]
    assert "client_pause" in paused.cause
    slow = ({"command": "keys", "ms": 2300.0, "ago_s": 40}, {"command": "get", "ms": 900.0, "ago_s": 41})
    assert "KEYS took 2300 ms" in found(slow=slow)[K.REDIS_CLIENTS_BLOCKED].cause


@pytest.mark.parametrize(
    "slow",
    [
        ({"command": "get", "ms": 5000.0, "ago_s": 3},),  # a stopped process, not a heavy command
        ({"command": "keys", "ms": 2300.0, "ago_s": 40_000},),  # yesterday
        ({"command": "hgetall", "ms": 120.0, "ago_s": 3},),  # once, and short
        ({"command": None, "ms": "x", "ago_s": "y"}, {}),
    ],
)
def test_slow_entries_that_explain_nothing_are_left_alone(slow):
    assert found(slow=slow) == {}


def test_saves_that_fail_are_told_because_writes_are_refused():
    assert "MISCONF" in found({"rdb_last_bgsave_status": "err"})[K.REDIS_PERSISTENCE_FAILING].cause
    assert found({"aof_last_write_status": "err"})[K.REDIS_PERSISTENCE_FAILING].strength == 0.9
    assert found({"aof_last_bgrewrite_status": "err"}) == {}


def test_a_primary_that_does_not_answer_is_judged_elsewhere():
    assert found({"rdb_last_bgsave_status": "err"}, error="Timeout") == {}


def test_numbers_that_are_none_do_not_crash_and_say_nothing():
    assert found({"connected_clients": "many", "maxclients": "nan", "maxmemory": "inf", "evicted_keys": None}) == {}


def test_growth_between_two_infos_is_by_the_servers_clock_and_a_restart_tells_nothing():
    before = {"run_id": "a", "server_time_usec": 1_000_000, "evicted_keys": 10, "rejected_connections": 5}
    after = {"run_id": "a", "server_time_usec": 3_000_000, "evicted_keys": 30, "rejected_connections": 5}
    assert growth(before, after) == {"evicted_keys": 10.0, "rejected_connections": 0.0}
    assert growth(before, after | {"run_id": "b"}) == {}
    assert growth(before, before) == {}


def test_slow_log_entries_are_read_raw_or_parsed_without_their_arguments():
    info = {"server_time_usec": 2_000_000_000}
    raw = [[7, 1990, 250_000, ["KEYS", "secret*"], "10.0.0.9:1", ""], ["odd"], None, 3]
    parsed = [{"id": 7, "start_time": 1990, "duration": 250_000, "command": b"KEYS secret*"}]
    wanted = ({"command": "keys", "ms": 250.0, "ago_s": 10},)
    assert slow_commands([e for e in raw if isinstance(e, list)], info) == wanted
    assert slow_commands(parsed, info) == wanted
    assert slow_commands("nothing", info) == ()
