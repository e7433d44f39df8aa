"""What only a real PostgreSQL can show: tampering, restarts, racing migrations, locks that die with their holder."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import sre_agent.adapters.postgres.database as database_module
from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import Database, address_of
from sre_agent.adapters.postgres.halt import PostgresHalt
from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.adapters.postgres.migrate import FOLDER, migrate
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.adapters.postgres.target_lock import TargetLocks
from sre_agent.audit.record import AuditEntry, first_break
from sre_agent.execution.budget import Limits
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import ConfigurationError, Conflict, Permanent, Refused, Transient
from sre_agent.response.record import IncidentRecord, State, Step

pytestmark = pytest.mark.real
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def own_server(postgres: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """A server of this module's own, to be restarted; its folder lies beside the shared one, where it can be reached."""
    folder = postgres.home.parent / f"own-{uuid.uuid4().hex[:8]}"
    server = EmbeddedPostgres.start(folder, at_end=AtEnd.DELETE, options={"fsync": "off"}, spare=folder / "spare")
    yield server
    server.close()


def entry(n: int) -> AuditEntry:
    return AuditEntry(at=NOW, incident_id="P1", kind="noted", detail={"n": n})


async def execute(database: Database, statement: str) -> None:
    async with database.connection() as connection:
        await connection.execute(statement.encode())


async def chain_of(database: Database, length: int) -> PostgresStore:
    store = PostgresStore(database)
    for n in range(length):
        await store.append_audit(entry(n))
    return store


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET entry = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "UPDATE audit_head SET sequence = 1",
        "DELETE FROM audit_head",
    ],
)
async def test_the_audit_chain_is_append_only(database: Database, statement: str) -> None:
    store = await chain_of(database, 3)
    with pytest.raises(Permanent, match=r"append-only|moves on"):
        await execute(database, statement)
    assert await store.audit_break() is None


@pytest.mark.parametrize(
    ("tampering", "first"),
    [
        ("UPDATE audit SET entry = replace(entry, '\"n\":2', '\"n\":9') WHERE sequence = 3", 3),
        ("UPDATE audit SET incident_id = 'P2', hash = repeat('a', 64) WHERE sequence = 2", 2),
        ("UPDATE audit SET entry = 'not an entry' WHERE sequence = 3", 3),
        ("UPDATE audit SET entry = replace(entry, 'detail', 'retail') WHERE sequence > 1", 2),
        ("UPDATE audit SET incident_id = 'P2' WHERE sequence = 4", 4),
        ("DELETE FROM audit WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 4", 4),
        ("DELETE FROM audit WHERE sequence = 5", 5),
        ("DELETE FROM audit", 1),
    ],
)
async def test_tampering_behind_the_triggers_is_found(database: Database, tampering: str, first: int) -> None:
    store = await chain_of(database, 5)
    async with database.connection() as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(tampering.encode())
        await connection.execute("SET session_replication_role = origin")
    assert await store.audit_break() == first


async def test_an_audit_record_is_rolled_back_with_its_change_and_leaves_no_gap(database: Database) -> None:
    store = PostgresStore(database)
    stored = await store.create(IncidentRecord(id="P1", received_at=NOW, updated_at=NOW), ())
    await execute(database, "UPDATE incident SET version = 9 WHERE id = 'P1'")
    with pytest.raises(Conflict):
        await store.advance(stored, Step(to=State.INVESTIGATING, audit=(entry(1),)))
    await store.append_audit(entry(2))
    records = await store.audit(None)
    assert [(r.sequence, r.entry.detail) for r in records] == [(1, {"n": 2})]
    assert first_break(records) is None


async def test_migrating_twice_and_from_eight_replicas_at_once_applies_everything_once(postgres: EmbeddedPostgres) -> None:
    url = postgres.database_url("fresh")

    async def setup(url: str) -> None:
        """Like the checkpointer's: an index built concurrently, which waits for every other snapshot."""
        async with Database(url) as pool:
            await execute(pool, "CREATE INDEX CONCURRENTLY IF NOT EXISTS extra ON schema_version (applied_at)")

    applied = await asyncio.gather(*(migrate(url, setups=[setup]) for _ in range(8)))
    steps = sorted(path.stem for path in FOLDER.glob("*.sql"))
    assert sorted(names for names in applied if names) == [(*steps, "jobs")]
    assert await migrate(url) == ()
    async with Database(url) as pool:
        assert len(await PostgresStore(pool).audit(None)) == 1  # one install, however many replicas


async def test_before_migrate_everything_says_so_and_counts_as_halted(postgres: EmbeddedPostgres) -> None:
    async with Database(postgres.database_url("bare")) as pool:
        with pytest.raises(ConfigurationError, match="sre-agent migrate"):
            await PostgresStore(pool).load("P1")
        assert await PostgresHalt(pool).halted()


async def test_a_missing_halt_row_means_halted(database: Database) -> None:
    await execute(database, "DELETE FROM halt")
    assert await PostgresHalt(database).halted()
    await PostgresHalt(database).lift("ada", "installed", NOW)
    assert not await PostgresHalt(database).halted()


async def test_an_unreachable_database_is_transient_halted_and_keeps_its_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://ada:s3cret@127.0.0.1:{taken.getsockname()[1]}/agent"
        async with Database(url, wait_s=0.3) as pool:
            with pytest.raises(Transient, match=r"127\.0\.0\.1") as raised:
                await PostgresStore(pool).load("P1")
            assert "/agent" in str(raised.value)
            assert "s3cret" not in f"{raised.value!r}"
            assert await PostgresHalt(pool).halted()
            with pytest.raises(Transient):
                async with TargetLocks(url).target_lock("Pod/a/b"):
                    pass


def test_an_address_never_shows_user_or_password() -> None:
    assert address_of("postgresql://ada:s3cret@db.example:5433/agent") == "db.example:5433/agent"
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not"):
        address_of("mysql:/s3cret")


async def test_a_restarted_database_is_found_again(own_server: EmbeddedPostgres) -> None:
    url = own_server.database_url("agent")
    await migrate(url)
    async with Database(url, wait_s=20) as pool:
        store = PostgresStore(pool)
        for n in range(4):
            await store.create(IncidentRecord(id=f"P{n}", received_at=NOW, updated_at=NOW), (entry(n),))
        await asyncio.to_thread(own_server.restart)
        await asyncio.sleep(0.6)  # past the time a connection is trusted unasked
        assert len(await store.listing(None, 10)) == 4
        assert await store.audit_break() is None


async def test_a_restart_in_the_middle_of_a_transaction_is_transient_and_changes_nothing(own_server: EmbeddedPostgres) -> None:
    url = own_server.database_url("other")
    await migrate(url)
    async with Database(url, wait_s=20) as pool:
        store = PostgresStore(pool)
        stored = await store.create(IncidentRecord(id="P1", received_at=NOW, updated_at=NOW), ())

        async def interrupted() -> None:
            async with pool.transaction() as connection:
                await connection.execute("UPDATE incident SET version = 7")
                await asyncio.to_thread(own_server.restart)
                await connection.execute("SELECT 1")

        with pytest.raises(Transient):
            await interrupted()
        assert await store.load("P1") == stored


async def test_once_one_connection_broke_no_other_is_trusted_for_what_it_did_before(
    own_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "TRUST_S", 3600.0)  # however quick the restart, every connection was used "just now"
    url = own_server.database_url("third")
    await migrate(url)
    async with Database(url, wait_s=20) as pool:
        async with pool.connection(), pool.connection(), pool.connection():
            pass

        async def interrupted() -> None:
            async with pool.connection() as broken:
                await asyncio.to_thread(own_server.restart)
                await broken.execute("SELECT 1")

        with pytest.raises(Transient):
            await interrupted()
        assert await PostgresStore(pool).listing(None, 10) == ()


async def test_a_target_lock_has_one_holder_and_is_free_afterwards(database: Database) -> None:
    locks = TargetLocks(database.url)
    async with locks.target_lock("Redis/-/cache") as held:
        await held.confirm()
        with pytest.raises(Conflict, match="busy with Redis/-/cache"):
            async with locks.target_lock("Redis/-/cache"):
                pass
        async with locks.target_lock("Redis/-/other"):
            pass
    async with locks.target_lock("Redis/-/cache"):
        pass


async def test_a_lost_target_lock_is_noticed(database: Database) -> None:
    async with TargetLocks(database.url).target_lock("Pod/a/b") as held:
        await database.row("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sre-agent lock'")
        with pytest.raises(Conflict, match="was lost"):
            await held.confirm()


HOLDER = """
import asyncio, sys
from sre_agent.adapters.postgres.target_lock import TargetLocks
async def main():
    async with TargetLocks(sys.argv[1], lease_s=1.0).target_lock("Pod/a/b"):
        print("held", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def holder(url: str) -> asyncio.subprocess.Process:
    """A process that holds Pod/a/b with a lease of one second."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    return process


async def taken(url: str) -> None:
    """Return when Pod/a/b could be had."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with TargetLocks(url).target_lock("Pod/a/b"):
                    return
            except Conflict:
                await asyncio.sleep(0.05)


async def test_a_killed_holder_frees_its_target(database: Database) -> None:
    process = await holder(database.url)
    with pytest.raises(Conflict):
        async with TargetLocks(database.url).target_lock("Pod/a/b"):
            pass
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await taken(database.url)


async def test_a_running_holder_keeps_its_target_beyond_its_lease_and_a_stopped_one_loses_it(database: Database) -> None:
    process = await holder(database.url)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await taken(database.url)
        os.kill(process.pid, signal.SIGSTOP)
        await taken(database.url)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()


IN_A_TRANSACTION = """
import asyncio, sys
from sre_agent.adapters.postgres.database import Database
async def main():
    async with Database(sys.argv[1], stall_s=1.0) as pool, pool.transaction() as connection:
        await connection.execute("SELECT sequence FROM audit_head FOR UPDATE")
        print("held", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_a_process_stopped_inside_a_transaction_does_not_hold_up_the_audit_of_all_others(database: Database) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IN_A_TRANSACTION, database.url, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"held\n"
        os.kill(process.pid, signal.SIGSTOP)
        async with asyncio.timeout(20):
            await chain_of(database, 1)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()


async def test_no_intent_is_written_after_the_switch_was_engaged(database: Database) -> None:
    ledger = PostgresLedger(database, Limits(in_flight_global=3, global_1h=100))
    halt = PostgresHalt(database)

    async def opened(n: int) -> bool:
        row = Intent(
            key=f"k{n}",
            incident_id=f"P{n}",
            action="restart_pod",
            target_key=f"Pod/a/{n}",
            service=f"s{n}",
            plan_hash="f",
            permit_id=f"permit-{n}",
            created_at=NOW,
        )
        try:
            await ledger.open(row)
            await ledger.close(row.key, IntentState.DONE, "")
        except Refused:
            return False
        return True

    before = [asyncio.create_task(opened(n)) for n in range(8)]
    await asyncio.sleep(0)
    await halt.engage("ada", "stop", NOW)
    written = await database.rows("SELECT key FROM intent ORDER BY key")
    await asyncio.gather(*before, *(opened(n) for n in range(8, 16)))
    assert await database.rows("SELECT key FROM intent ORDER BY key") == written
