"""The two stores that must keep the same promises."""

from collections.abc import AsyncIterator

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.testing.memory_store import MemoryStore


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[PostgresStore | MemoryStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    url = request.getfixturevalue("database_url")
    async with Database(url, max_size=20) as pool:
        await request.getfixturevalue("wipe")(pool)
        yield PostgresStore(pool)
