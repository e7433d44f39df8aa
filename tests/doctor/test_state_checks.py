"""The agent's own database, and the agent as it runs on it: against a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres import chain
from sre_agent.adapters.postgres.condition import Server
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.halt import PostgresHalt
from sre_agent.audit.record import AuditEntry
from sre_agent.settings import fixed
from sre_agent.wiring.doctor.connections import Connections, Terms
from sre_agent.wiring.doctor.database import room, writable
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING, looked, one, silence

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)


class Shifted:
    """A clock that is off by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._by


@pytest.fixture
def settings(database: Database) -> dict[str, str]:
    return {"DATABASE_URL": database.url}


async def test_a_database_that_is_well_and_an_agent_at_rest(settings):
    found = await looked("database,agent", settings)
    assert {name: r.status for name, r in found.items() if r.status is not OK} == {"agent.workers": WARNING}
    assert found["database.reachable"].found.startswith("PostgreSQL 1")


async def test_an_empty_database_has_to_be_migrated_and_the_agent_is_not_asked_for(postgres):
    url = postgres.database_url("doctor_empty")
    try:
        found = await looked("database,agent", {"DATABASE_URL": url})
    finally:
        postgres.drop_database("doctor_empty")
    assert found["database.schema"].status is BROKEN
    assert found["database.schema"].todo == "Run `sre-agent migrate`."
    assert {r.status for r in found.values() if r.connection == "agent"} == {SKIPPED}


async def test_a_database_of_an_older_version_names_what_is_missing(database: Database, settings):
    await database.row("DELETE FROM schema_version WHERE name = '0004_audit_plan' RETURNING name")
    try:
        found = await one("database.schema", settings)
    finally:
        await database.row("INSERT INTO schema_version (name) VALUES ('0004_audit_plan') RETURNING name")
    assert (found.status, "0004_audit_plan" in found.found) == (BROKEN, True)


async def test_a_database_that_lets_nobody_in_says_so_in_the_servers_words(postgres):
    url = postgres.database_url("doctor_gone")
    postgres.drop_database("doctor_gone")
    found = await looked("database", {"DATABASE_URL": url})
    assert found["database.reachable"].status is BROKEN
    assert "doctor_gone" in found["database.reachable"].found
    assert {r.status for n, r in found.items() if n != "database.reachable"} == {SKIPPED}


async def test_a_silent_database_is_broken_in_time():
    with silence() as address:
        found = await looked("database", {"DATABASE_URL": f"postgresql://u@{address}/d"}, terms=Terms(0.5))
    assert (found["database.reachable"].status, found["database.reachable"].found) == (BROKEN, "no answer within 0.5 s")


async def test_without_a_url_no_database_is_made(tmp_path):
    found = await one("database.reachable", {"SRE_AGENT_DATA_DIR": str(tmp_path / "state")})
    assert (found.status, "migrate" in found.todo) == (BROKEN, True)
    assert not (tmp_path / "state").exists()


async def test_a_read_only_database_is_broken(database: Database, settings):
    name = database.address.rpartition("/")[2]
    async with database.connection() as connection:
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    try:
        found = await one("database.writable", settings)
    finally:
        async with database.connection() as connection:
            await connection.execute(b"SET default_transaction_read_only = off")
            await connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    assert found.status is BROKEN


def server(**changed) -> Server:
    return Server(**{"version": "18", "now": NOW, "standby": False, "read_only": False, "free": 50, "most": 97, **changed})


def test_a_standby_is_broken_for_it_takes_no_writes():
    assert writable(server(standby=True)).status is BROKEN
    assert writable(server()).status is OK


@pytest.mark.parametrize(("free", "status"), [(97, OK), (20, OK), (19, WARNING), (3, WARNING), (2, BROKEN), (0, BROKEN)])
def test_few_free_connections_are_told(free, status):
    assert room(server(free=free)).status is status


@pytest.mark.parametrize(("seconds", "status"), [(0, OK), (10, WARNING), (-10, WARNING), (600, BROKEN)])
async def test_a_clock_that_differs_from_the_databases_is_told(settings, seconds, status):
    found = await one("database.clock", settings, clock=Shifted(seconds))
    assert found.status is status


async def test_an_engaged_kill_switch_is_told_with_who_and_why(database: Database, settings):
    await PostgresHalt(database).engage("ben", "restarts look wrong", NOW)
    found = await one("agent.kill_switch", settings)
    assert found.status is WARNING
    assert "ben: restarts look wrong" in found.found
    assert "sre-agent resume" in found.todo


async def test_an_audit_record_that_was_changed_is_found(database: Database, settings):
    async with database.transaction() as connection:
        await chain.append(
            connection, [AuditEntry(at=NOW, incident_id="Q1", kind="noted", actor="ana", detail={"n": n}) for n in (1, 2)]
        )
    assert (await one("agent.audit", settings)).status is OK
    async with database.connection() as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE audit SET entry = replace(entry, 'ana', 'eve') WHERE sequence = 1")
        await connection.execute("SET session_replication_role = origin")
    found = await one("agent.audit", settings)
    assert (found.status, "record 1" in found.found) == (BROKEN, True)


async def _job(database: Database, age_s: int, status: str = "todo") -> None:
    await database.row(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, status) VALUES ('work', 'investigate',"
        " job_priority(now() - make_interval(secs => %(age)s)), %(status)s::procrastinate_job_status) RETURNING id",
        {"age": age_s, "status": status},
    )


async def _worker(database: Database, silent_s: int) -> None:
    await database.row(
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %(age)s)) RETURNING id",
        {"age": silent_s},
    )


@pytest.mark.parametrize(
    ("age_s", "workers", "status"), [(1, 1, OK), (90, 1, WARNING), (90, 0, BROKEN), (900, 1, BROKEN), (-300, 0, OK)]
)
async def test_jobs_that_wait_are_told_by_how_long_and_whether_anybody_works(database: Database, settings, age_s, workers, status):
    await _job(database, age_s)
    for _ in range(workers):
        await _worker(database, 1)
    assert (await one("agent.queue", settings)).status is status


async def test_workers_that_stopped_beating_do_not_count(database: Database, settings):
    await _worker(database, 300)
    found = await one("agent.workers", settings)
    assert (found.status, "1 stopped beating" in found.found) == (WARNING, True)
    await _worker(database, 1)
    assert (await one("agent.workers", settings)).found == "1 worker is alive"


async def _delivery(database: Database, kind: str, age: timedelta) -> None:
    await database.row(
        "INSERT INTO inbox (door, delivery_id, event_id, type_name, occurred_at, received_at, event, body)"
        " VALUES ('pagerduty', %(id)s, %(id)s, %(kind)s, now() - %(age)s, now() - %(age)s, '{}', '') RETURNING id",
        {"id": f"{kind}{age}", "kind": kind, "age": age},
    )


async def test_when_pagerduty_was_last_heard_is_told(database: Database, settings):
    assert (await one("pagerduty.heard", settings)).status is WARNING
    await _delivery(database, "pagey.ping", timedelta(days=9))
    assert (await one("pagerduty.heard", settings)).found == "last delivery 9 d ago, last ping 9 d ago; that is a long silence"
    await _delivery(database, "incident.triggered", timedelta(minutes=4))
    found = await one("pagerduty.heard", settings)
    assert (found.status, found.found) == (OK, "last delivery 4 min ago, last ping 9 d ago")


async def test_the_state_is_only_read(database: Database, settings):
    await PostgresHalt(database).engage("ben", "hold", NOW)
    before = await database.rows("SELECT count(*), max(sequence) FROM audit")
    await looked("database,agent", settings)
    assert await database.rows("SELECT count(*), max(sequence) FROM audit") == before


async def test_closing_gives_up_what_is_still_opening():
    with silence() as address:
        connections = Connections(fixed({"DATABASE_URL": f"postgresql://u@{address}/d"}))
        opening = asyncio.create_task(connections.database())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await connections.aclose()
        with pytest.raises(asyncio.CancelledError):
            await opening
