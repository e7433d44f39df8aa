"""Makes and updates the tables. Safe to run twice, and from any number of starting replicas at once.

Each file of migrations/ runs once, in order, in a transaction together with its row in schema_version; so
do the job queue's own files. One process migrates at a time, under an advisory lock that is *polled*: a
session waiting inside `pg_advisory_lock` holds a snapshot, and the checkpointer's CREATE INDEX
CONCURRENTLY waits for every snapshot, so a blocking lock deadlocks replicas that boot together.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from sre_agent import __version__
from sre_agent.adapters.jobs import queue_migrations
from sre_agent.adapters.postgres.database import Connection, Database, lock_number, single_connection
from sre_agent.adapters.postgres.halt import enter
from sre_agent.incident.errors import Transient

FOLDER = Path(__file__).parent / "migrations"
POLL_S = 0.1

Setup = Callable[[str], Awaitable[None]]
"""Another library's own set-up of its tables, given the database URL (the checkpointer's)."""


async def migrate(url: str, *, setups: Sequence[Setup] = (), wait_s: float = 120.0, version: str = __version__) -> tuple[str, ...]:
    """Bring the database to this version; the names of the files applied, () when there was nothing to do.

    The kill switch is engaged on a database that is new, or was last used by another `version` than this program's.
    `setups` run last, under the same lock. Raises Transient when the lock or the server cannot be had within `wait_s`.
    """
    async with single_connection(url) as connection:
        await _lock(connection, wait_s)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = [name for name, sql in _files() if await _apply(connection, name, sql)]
        applied += await _apply_queue(connection)
        await enter(connection, version)
        for setup in setups:
            await setup(url)
    return tuple(applied)


async def missing(database: Database) -> tuple[str, ...]:
    """The files of this version that the database has not had yet, () when it is up to date. Only reads."""
    wanted = [name for name, _ in _files()] + ["jobs"] + [name for name, _ in queue_migrations()[1]]
    if (await database.rows("SELECT to_regclass('schema_version') IS NULL"))[0][0]:
        return tuple(wanted)
    had = {name for (name,) in await database.rows("SELECT name FROM schema_version")}
    return tuple(name for name in wanted if name not in had)


async def _lock(connection: Connection, wait_s: float) -> None:
    """Take the migration lock; it goes with the connection."""
    deadline = time.monotonic() + wait_s
    while True:
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_number("migrate"),))).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > deadline:
            raise Transient(f"Another process has been migrating the database for {wait_s:.0f} s; try again when it is done.")
        await asyncio.sleep(POLL_S)


def _files() -> list[tuple[str, str]]:
    """Our migrations in order: (name, SQL)."""
    return [(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.sql"))]


async def _apply(connection: Connection, name: str, sql: str) -> bool:
    """Run one file unless it ran before; True when it ran now."""
    async with connection.transaction():
        row = await (
            await connection.execute("INSERT INTO schema_version (name) VALUES (%s) ON CONFLICT DO NOTHING RETURNING name", (name,))
        ).fetchone()
        if row is None:
            return False
        await connection.execute(sql.encode())  # bytes: several statements at once, % is no placeholder
        return True


async def _apply_queue(connection: Connection) -> list[str]:
    """The job queue's tables: its whole schema when there is none, else the steps since the version we made."""
    schema, steps = queue_migrations()
    if await _apply(connection, "jobs", schema):
        for name, _ in steps:  # the schema holds them all already
            await connection.execute("INSERT INTO schema_version (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
        return ["jobs"]
    return [name for name, sql in steps if await _apply(connection, name, sql)]
