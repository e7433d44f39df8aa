"""Against a real PostgreSQL: what sessions do to each other cannot be told by a double."""

import asyncio
import contextlib
import socket
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sre_agent.detectors.stores import postgres_servers, postgres_sessions
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.postgres import Limits, PostgresSource

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


def scope(**labels):
    window = Window.before(NOW, timedelta(minutes=15))
    alerts = (Alert(labels=labels),)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"), alerts=alerts)
    return Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window)


async def look(url, **labels):
    labels = labels or {"postgres": "orders"}
    told = await PostgresSource({"orders": url}).gather(scope(**labels))
    return EvidenceView(scope=scope(**labels), evidence=tuple(e.model_copy(update={"id": f"e{i}"}) for i, e in enumerate(told, 1)))


def later(view, seconds):
    """The same view, had it been taken some seconds later with nothing else changed: every age grows."""

    def aged(value):
        if isinstance(value, dict):
            grown = {k: v + seconds for k, v in value.items() if k.endswith("_seconds") and isinstance(v, int | float)}
            return {k: aged(v) for k, v in value.items()} | grown
        return [aged(v) for v in value] if isinstance(value, list) else value

    evidence = tuple(e.model_copy(update={"payload": aged(e.payload)}) for e in view.evidence)
    return EvidenceView(scope=view.scope, evidence=evidence)


def found(view):
    return {f.kind: f for f in (*postgres_sessions.detect(view), *postgres_servers.detect(view))}


@pytest.fixture
async def table(empty_database_url):
    name = f"t{uuid.uuid4().hex[:8]}"
    async with await psycopg.AsyncConnection.connect(empty_database_url, autocommit=True) as connection:
        await connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, n int)")
        await connection.execute(f"INSERT INTO {name} VALUES (1, 0)")
        yield name
        await connection.execute(f"DROP TABLE {name}")


@contextlib.asynccontextmanager
async def waiting_behind(url, table):
    """One session that holds a row and does nothing, and two that wait for it."""
    async with contextlib.AsyncExitStack() as stack:
        each = [await stack.enter_async_context(await psycopg.AsyncConnection.connect(url)) for _ in range(3)]
        update = f"UPDATE {table} SET n = n + 1 WHERE id = 1"
        await each[0].execute(update)

        async def turn(connection):
            await connection.execute(update)
            await connection.rollback()

        tasks = [asyncio.create_task(turn(c)) for c in each[1:]]
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher:
            for _ in range(100):
                count = await (await watcher.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")).fetchone()
                if count[0] >= 2:
                    break
                await asyncio.sleep(0.05)
        yield each[0].info.backend_pid
        await each[0].rollback()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)


async def test_a_healthy_server_is_read_whole_and_nothing_is_found(empty_database_url):
    view = await look(empty_database_url)
    ((evidence, state),) = view.postgres()
    assert (evidence, state.name, state.in_recovery, state.error) == ("e1", "orders", False, "")
    assert state.max_connections == 200
    assert state.settings["default_transaction_read_only"] == "off"
    assert view.evidence[0].payload["missing"] == []
    assert any(d["size_bytes"] for d in view.evidence[0].payload["primary"]["databases"])
    assert found(view) == {}


async def test_a_real_lock_wait_names_the_blocker_the_table_and_how_many_wait(empty_database_url, table):
    async with waiting_behind(empty_database_url, table) as blocker:
        locked = found(later(await look(empty_database_url), 30))[K.POSTGRES_LOCKED]
    assert locked.object == "postgres/orders"
    assert f"pid {blocker}" in locked.cause
    assert "idle in transaction" in locked.cause
    assert f"public.{table}" in locked.cause
    assert "2 sessions wait" in locked.cause
    assert "UPDATE" not in locked.cause
    assert K.POSTGRES_LOCKED not in found(await look(empty_database_url))


async def test_a_lock_wait_of_a_moment_is_left_alone(empty_database_url, table):
    async with waiting_behind(empty_database_url, table):
        assert K.POSTGRES_LOCKED not in found(await look(empty_database_url))


async def test_a_session_idle_in_transaction_is_found_once_it_is_old_enough(empty_database_url, table):
    async with await psycopg.AsyncConnection.connect(empty_database_url, application_name="checkout") as connection:
        await connection.execute(f"SELECT * FROM {table}")
        assert K.POSTGRES_LONG_TRANSACTION not in found(await look(empty_database_url))
        cause = found(later(await look(empty_database_url), 900))[K.POSTGRES_LONG_TRANSACTION].cause
    assert "checkout" in cause
    assert "idle in transaction" in cause


async def test_a_limit_of_a_role_that_is_used_up_is_found_and_a_refused_connection_says_so(postgres, empty_database_url):
    role = f"r{uuid.uuid4().hex[:8]}"
    parts = conninfo_to_dict(empty_database_url)
    async with await psycopg.AsyncConnection.connect(empty_database_url, autocommit=True) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 2")
        as_role = psycopg.conninfo.make_conninfo(**{**parts, "user": role, "password": "x"})
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(await psycopg.AsyncConnection.connect(as_role, application_name="pool"))
            assert K.POSTGRES_CONNECTIONS_FULL not in found(await look(empty_database_url))
            await stack.enter_async_context(await psycopg.AsyncConnection.connect(as_role, application_name="pool"))
            full = found(await look(empty_database_url))[K.POSTGRES_CONNECTIONS_FULL]
            assert f"2 of 2 connections of the limit of role {role}" in full.cause
            refused = found(await look(as_role))
        assert refused[K.POSTGRES_CONNECTIONS_FULL].strength > 0.9
        assert "x" not in {w.strip("'\"") for w in refused[K.POSTGRES_CONNECTIONS_FULL].cause.split()}
        await admin.execute(f"DROP ROLE {role}")


async def test_a_database_that_is_read_only_by_a_setting_is_found(postgres):
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = postgres.database_url(name)
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
            await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        assert K.POSTGRES_READ_ONLY in found(await look(url))
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
            await admin.execute("SET default_transaction_read_only = off")
            await admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        assert found(await look(url)) == {}
    finally:
        postgres.drop_database(name)


async def test_a_slot_that_nobody_reads_is_seen_and_told_only_when_it_keeps_much(empty_database_url):
    async with await psycopg.AsyncConnection.connect(empty_database_url, autocommit=True) as admin:
        name = f"s{uuid.uuid4().hex[:8]}"
        await admin.execute("SELECT pg_create_physical_replication_slot(%s, true)", (name,))
        try:
            view = await look(empty_database_url)
            ((_, state),) = view.postgres()
            assert [(s.name, s.active, s.kind) for s in state.slots if s.name == name] == [(name, False, "physical")]
            assert K.POSTGRES_WAL_RETAINED not in found(view)
            view.evidence[0].payload["slots"][0]["retained_bytes"] += 2 * postgres_servers.GIB
            assert name in found(view)[K.POSTGRES_WAL_RETAINED].cause
        finally:
            await admin.execute("SELECT pg_drop_replication_slot(%s)", (name,))


async def test_a_port_where_nothing_listens_is_a_database_that_is_down(empty_database_url):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://u:secret@127.0.0.1:{taken.getsockname()[1]}/x"
    view = await look(url)
    down = found(view)[K.POSTGRES_DOWN]
    assert "nothing listens" in down.cause
    assert "secret" not in str(view.evidence)


async def test_a_server_that_accepts_and_says_nothing_costs_no_more_than_the_limit():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/x"
        (told,) = await PostgresSource({"orders": url}, Limits(connect_s=60, whole_s=0.3)).gather(scope(postgres="orders"))
    assert (told.status, told.payload["sqlstate"]) == (EvidenceStatus.OK, "timeout")


async def test_a_wrong_password_is_a_failure_to_ask_and_not_a_database_that_is_down(empty_database_url):
    parts = {**conninfo_to_dict(empty_database_url), "user": "nobody_at_all", "password": "wrong"}
    (told,) = (await look(psycopg.conninfo.make_conninfo(**parts))).evidence
    assert (told.status, told.payload, told.kind) == (EvidenceStatus.ERROR, None, EvidenceKind.POSTGRES)


async def test_only_what_an_alert_names_is_asked_by_instance_or_by_database(empty_database_url):
    source = PostgresSource({"Orders": "postgresql://127.0.0.1:1/shop"}, Limits(whole_s=0.2))
    assert await source.gather(scope(pod="api-1")) == ()
    assert await source.gather(scope(postgres="billing")) == ()
    assert len(await source.gather(scope(postgresql="ORDERS"))) == 1
    assert len(await source.gather(scope(datname="shop"))) == 1


async def test_the_snapshot_cannot_write(empty_database_url, table):
    async with await psycopg.AsyncConnection.connect(empty_database_url) as connection:
        await connection.set_read_only(True)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await connection.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("monitors", [True, False])
async def test_no_superuser_is_needed_and_without_pg_monitor_only_counts_are_seen(empty_database_url, monitors):
    role, parts = f"r{uuid.uuid4().hex[:8]}", conninfo_to_dict(empty_database_url)
    async with await psycopg.AsyncConnection.connect(empty_database_url, autocommit=True) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        if monitors:
            await admin.execute(f"GRANT pg_monitor TO {role}")
        try:
            view = await look(psycopg.conninfo.make_conninfo(**{**parts, "user": role, "password": "x"}))
        finally:
            await admin.execute(f"DROP ROLE {role}")
        ((_, state),) = view.postgres()
        mine = state.session(admin.info.backend_pid)
    assert view.evidence[0].payload["missing"] == []
    assert sum(state.states.values()) >= 1
    assert (mine is not None) is monitors
    assert found(view) == {}
