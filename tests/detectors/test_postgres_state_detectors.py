"""One PostgreSQL by its own views: what is wrong, what is busy and well, and what only looks wrong. Partial rows do not crash."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.stores import postgres_servers, postgres_sessions
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding import FindingReason
from sre_agent.evidence.postgres.state import lsn, postgres_state, seconds, since
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
GIB = 2**30


def view(payload, **labels):
    window = Window.before(NOW, timedelta(minutes=15))
    alerts = (Alert(labels=labels or {"postgres": "Orders"}),)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"), alerts=alerts)
    scope = Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)
    kind, ok = EvidenceKind.POSTGRES, EvidenceStatus.OK
    told = Evidence(id="e1", source="postgres", kind=kind, query="", status=ok, observed_at=NOW, payload=payload)
    return EvidenceView(scope=scope, evidence=(told,))


def found(payload, **labels):
    seen = view(payload, **labels)
    return {f.kind: f for f in (*postgres_sessions.detect(seen), *postgres_servers.detect(seen))}


def session(pid, state="active", **row):
    return {"pid": pid, "datname": "shop", "usename": "api", "application_name": "checkout", "state": state, **row}


WELL = {
    "primary": {"in_recovery": False, "max_connections": 100, "reserved_connections": 3, "connections": {"idle": 40, "active": 6}},
    "replication": [{"application_name": "r1", "state": "streaming", "sync_state": "async", "lag_bytes": 900, "lag_seconds": 0.1}],
    "activity": [session(1, xact_seconds=2.0, query_seconds=2.0), session(2, "idle", state_seconds=90_000)],
    "locks": [{"pid": 5, "blocked_by": [1], "relation": "public.orders", "waiting_seconds": 0.4}],
    "slots": [{"slot_name": "r1", "slot_type": "physical", "active": True, "retained_bytes": 5e6}],
    "settings": {"default_transaction_read_only": "off", "synchronous_standby_names": ""},
}


def test_a_busy_and_healthy_database_is_left_alone():
    assert found(WELL) == {}


def test_who_waits_behind_whom_is_followed_to_the_one_that_waits_for_nobody():
    locks = [
        {"pid": 2, "blocked_by": [1], "relation": "public.orders", "mode": "AccessExclusiveLock", "waiting_seconds": 80},
        {"pid": 3, "blocked_by": [2], "relation": "public.orders", "waiting_seconds": 70},
        {"pid": 4, "blocked_by": [2, 3], "waiting_seconds": 60},
    ]
    idle = session(1, "idle in transaction", state_seconds=95, xact_seconds=99)
    locked = found({**WELL, "activity": [idle], "locks": locks})[K.POSTGRES_LOCKED]
    assert locked.object == "postgres/orders"
    assert "pid 1 (shop, api, checkout; idle in transaction for 95 s)" in locked.cause
    assert "public.orders that 3 sessions wait for, the longest 80 s" in locked.cause
    assert locked.strength >= 0.75
    assert locked.onset == NOW - timedelta(seconds=80)
    assert locked.alert_class is AlertClass.INFRA


def test_sessions_that_name_their_blockers_are_enough_and_a_ring_names_nobody():
    waits = [session(1, state_seconds=40), session(2, wait_event_type="Lock", blocked_by=[1], state_seconds=30)]
    assert "pid 1" in found({"activity": waits})[K.POSTGRES_LOCKED].cause
    ring = [{"pid": 1, "blocked_by": [2], "waiting_seconds": 9}, {"pid": 2, "blocked_by": [1], "waiting_seconds": 9}]
    assert found({"locks": ring}) == {}


def test_loads_by_what_is_waited_for_tell_of_locks_where_no_session_is_told():
    def load(**waits):
        return {"activity": [{"statement": "UPDATE x", "wait_events": [{"name": n, "db_load_avg": v} for n, v in waits.items()]}]}

    told = found(load(**{"Lock:transactionid": 6.0, "Lock:tuple": 1.0, "CPU": 2.0}))[K.POSTGRES_LOCKED]
    assert "7.0 of 9.0 active sessions wait for locks, most for Lock:transactionid" in told.cause
    assert found(load(**{"Lock:tuple": 1.0, "CPU": 9.0, "LWLock:WALWrite": 9.0})) == {}
    assert found(load(**{"Lock:tuple": 0.5})) == {}


def test_a_vacuum_that_waits_is_no_caller_that_waits():
    rows = [session(9, backend_type="autovacuum worker")]
    locks = [{"pid": 9, "blocked_by": [1], "waiting_seconds": 500}]
    assert K.POSTGRES_LOCKED not in found({"activity": rows, "locks": locks})


def test_a_transaction_that_idles_for_long_is_a_fault_and_a_long_report_is_context():
    idle = found({"activity": [session(7, "idle in transaction", xact_seconds=1200, state_seconds=1100)]})
    assert idle[K.POSTGRES_LONG_TRANSACTION].strength >= 0.5
    report = found({"activity": [session(7, xact_seconds=9000, query_seconds=9000)]})
    assert report[K.POSTGRES_LONG_TRANSACTION].strength < 0.5


@pytest.mark.parametrize(
    "row",
    [
        session(7, "idle", xact_seconds=None, state_seconds=90_000),
        session(7, "idle in transaction", xact_seconds=60, state_seconds=50),
        session(7, xact_seconds=9000) | {"application_name": "pg_dump"},
        session(7, xact_seconds=9000, backend_type="walsender"),
        session(7, "idle in transaction", xact_seconds=9000, state_seconds=1),  # it works on in small steps
    ],
)
def test_sessions_that_only_look_like_a_long_transaction_are_left_alone(row):
    assert found({"activity": [row]}) == {}


def test_connections_near_the_limit_are_told_by_what_they_do_and_whose_they_are():
    states = {"idle": 80, "active": 8, "idle in transaction": 8}
    full = found({**WELL, "primary": WELL["primary"] | {"connections": states}})[K.POSTGRES_CONNECTIONS_FULL]
    assert "96 of 97 connections of max_connections are in use (80 idle, 8 active" in full.cause
    assert "checkout" in full.cause
    assert (full.reason, full.strength) == (FindingReason.TOO_MANY_CONNECTIONS, 0.9)
    assert found({**WELL, "primary": WELL["primary"] | {"connections": {"idle": 80}}}) == {}


def test_many_statements_that_run_for_minutes_are_told_and_a_few_reports_or_lock_waits_are_not():
    slow = [session(n, query_seconds=100 + n, wait_event_type="IO", wait_event="DataFileRead") for n in range(1, 7)]
    told = found({"activity": slow})[K.POSTGRES_SLOW_QUERIES]
    assert "6 of 6" in told.cause
    assert "IO:DataFileRead" in told.cause
    assert found({"activity": slow[:3]}) == {}
    assert found({"activity": slow[:5] + [session(20 + n, query_seconds=0.1) for n in range(9)]}) == {}
    assert K.POSTGRES_SLOW_QUERIES not in found({"activity": [s | {"wait_event_type": "Lock"} for s in slow]})


@pytest.mark.parametrize(("state", "least"), [("refused", 0.9), ("57P03", 0.8), ("timeout", 0.5)])
def test_a_database_that_lets_nobody_in_is_down(state, least):
    told = found({"name": "orders", "error": "connection failed", "sqlstate": state})
    assert list(told) == [K.POSTGRES_DOWN]
    assert told[K.POSTGRES_DOWN].strength >= least


def test_a_database_that_refuses_for_its_connections_is_full_and_not_down():
    assert list(found({"error": "FATAL: sorry, too many clients already", "sqlstate": "53300"})) == [K.POSTGRES_CONNECTIONS_FULL]


def test_a_primary_that_is_read_only_and_a_standby_that_should_be_a_primary_are_told():
    assert K.POSTGRES_READ_ONLY in found({**WELL, "settings": {"default_transaction_read_only": "on"}})
    standby = {"primary": {"in_recovery": True, "receiving": True}, "settings": {"default_transaction_read_only": "on"}}
    assert found(standby) == {}
    assert K.POSTGRES_READ_ONLY in found(standby, postgres="orders", role="primary")


@pytest.mark.parametrize(
    "payload",
    [
        {"primary": {"in_recovery": True, "receiving": False, "replay_age_seconds": 900}},
        {**WELL, "replication": [], "settings": {"synchronous_standby_names": "FIRST 1 (r1)"}},
        {
            **WELL,
            "replication": [],
            "slots": [{"slot_name": "r1", "slot_type": "physical", "active": False, "retained_bytes": 1e6}],
        },
        {**WELL, "replication": [{"application_name": "r1", "state": "stopping"}]},
    ],
)
def test_replication_that_does_not_stream_is_broken(payload):
    assert list(found(payload)) == [K.POSTGRES_REPLICATION_BROKEN]


@pytest.mark.parametrize(
    "payload",
    [
        {"primary": {"in_recovery": True, "receiving": False, "replay_age_seconds": 20}},  # it was just started
        {**WELL, "replication": [{"application_name": "r1", "state": "catchup", "lag_seconds": 5}]},
        {**WELL, "replication": []},  # it never had one
        {**WELL, "replication": [{"application_name": "pg_basebackup", "state": "backup"}]},
        {**WELL, "slots": [{"slot_name": "old", "slot_type": "physical", "active": False, "retained_bytes": 1e6}]},
    ],
)
def test_replication_that_only_looks_broken_is_left_alone(payload):
    assert found(payload) == {}


def test_a_replica_that_is_minutes_or_gigabytes_behind_is_late_by_numbers_intervals_or_positions():
    late = [
        {"state": "streaming", "lag_seconds": 300},
        {"state": "streaming", "replay_lag": "00:05:00.25"},
        {"state": "streaming", "lag_bytes": 3 * GIB},
        {"state": "streaming", "sent_lsn": "2/0", "replay_lsn": "1/0"},
    ]
    for row in late:
        assert list(found({**WELL, "replication": [row]})) == [K.POSTGRES_REPLICA_LAG]
    assert K.POSTGRES_REPLICA_LAG in found({"primary": {"in_recovery": True, "receiving": True, "replay_age_seconds": 400}})


def test_a_slot_is_told_once_it_keeps_what_fills_a_disk():
    def slot(**row):
        return {**WELL, "slots": [{"slot_name": "cdc", "slot_type": "logical", "active": False, **row}]}

    told = found(slot(retained_bytes=12 * GIB))[K.POSTGRES_WAL_RETAINED]
    assert "cdc has no reader and keeps 12.0 GiB" in told.cause
    assert told.strength == 0.8
    assert K.POSTGRES_WAL_RETAINED in found(slot(wal_status="lost"))
    assert found(slot(retained_bytes=3e8)) == {}
    assert found(slot(retained_bytes=3 * GIB, active=True)) == {}


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"primary": None, "replication": None, "activity": "x", "locks": {}, "slots": 4, "settings": []},
        {"primary": [], "activity": [None, 3, {"pid": "x", "state": 7, "xact_start": "yesterday", "blocked_by": {"a": 1}}]},
        {"primary": {"connections": {"idle": "many"}, "limits": [None, {"used": "nan", "limit": -1}], "max_connections": "1e999"}},
        {"replication": [{"replay_lag": "soon", "sent_lsn": "zz/1", "lag_bytes": float("nan")}], "locks": [{"blocked_by": [[]]}]},
        {"activity": [{"statement": "SELECT 1", "db_load_avg": 4.2, "wait_events": [{"name": "CPU:user"}]}]},
    ],
)
def test_odd_shapes_are_skipped_and_nothing_is_made_of_them(payload):
    assert found(payload) == {}


def test_times_intervals_and_positions_of_the_views_are_read():
    assert seconds("1 day 02:00:01.5") == 93_601.5
    assert seconds("-00:00:02") == -2.0
    assert since("2026-05-04T11:59:00+00:00", NOW) == 60.0
    assert seconds("") is None
    assert lsn("1/10") == (1 << 32) + 16
    assert lsn("nothing") is None


def test_a_snapshot_in_the_words_of_the_views_reads_the_same_after_json():
    row = {"pid": 4, "state": "idle in transaction", "xact_start": "2026-05-04T11:00:00Z", "state_change": "2026-05-04T11:30:00Z"}
    state = postgres_state(json.loads(json.dumps({"activity": [row]})), "orders", NOW)
    (seen,) = state.sessions
    assert (seen.transaction_s, seen.state_s, state.states) == (3600.0, 1800.0, {"idle in transaction": 1})
