"""Shared by the whole suite: one private PostgreSQL per run, one database per test module that asks."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sre_agent import __version__
from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.halt import PostgresHalt
from sre_agent.adapters.postgres.migrate import migrate
from sre_agent.testing.walkthrough import Walkthrough

FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
"""A test's database need not survive a power cut. What survives a killed server is unaffected."""


async def _decided_again(walk: Walkthrough, content: bytes) -> None:
    from tests.decided_again import walk_decided_again  # only where something is recorded: it loads all detectors

    await walk_decided_again(walk, content)


# Every walk of the suite, wherever it is played, is decided again from its recordings.
Walkthrough.after_recording = _decided_again


@pytest.fixture(scope="session")
def postgres(testrun_uid: str) -> Iterator[EmbeddedPostgres]:
    """The run's server: started by the first xdist worker that needs it, stopped by the last that leaves.

    In /tmp and not in pytest's folder, which is 0700: as root the server has its own account.
    """
    folder = Path(tempfile.gettempdir()) / f"sre-agent-test-{os.getuid()}-{testrun_uid[:8]}"
    server = EmbeddedPostgres.start(folder, at_end=AtEnd.DELETE, options=FAST, spare=folder / "spare")
    yield server
    server.close()
    if not server.running():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database without tables, for one test module."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield postgres.database_url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def database_url(empty_database_url: str) -> str:
    """A fresh, migrated database for one test module; the kill switch is not engaged."""
    with ThreadPoolExecutor(1) as thread:  # an event loop may be running here: a fixture asked by an async one
        thread.submit(lambda: asyncio.run(resumed(empty_database_url))).result()
    return empty_database_url


async def resumed(url: str) -> None:
    """Migrate a database and lift the kill switch, which an install leaves engaged."""
    await migrate(url)
    async with Database(url) as pool:
        await PostgresHalt(pool).lift("ana", "the tests may act", datetime.now(UTC))


async def wiped(pool: Database) -> None:
    """Empty every table of a migrated database."""
    async with pool.connection() as connection:
        await connection.execute("SET session_replication_role = replica")  # no triggers: the chain is append-only
        await connection.execute(
            "TRUNCATE inbox, incident, approval, digest, intent, audit, recording, incident_name, told_alert, digest_line,"
            " status_draft, procrastinate_jobs, procrastinate_workers RESTART IDENTITY CASCADE"
        )
        await connection.execute("UPDATE audit_head SET sequence = 0, hash = repeat('0', 64)")
        await connection.execute("UPDATE halt SET engaged = false, version = %s", (__version__,))
        await connection.execute("SET session_replication_role = origin")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open pool on the module's database, emptied first."""
    async with Database(database_url, max_size=20) as pool:
        await wiped(pool)
        yield pool


@pytest.fixture(scope="session")
def wipe() -> Callable[[Database], Awaitable[None]]:
    """Empties a migrated database: for fixtures that open their own pool."""
    return wiped
