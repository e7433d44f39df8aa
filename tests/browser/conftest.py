"""One stage and one browser for the module's tests; where there is no Chromium the tests say so and are skipped."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.halt import PostgresHalt
from sre_agent.wiring.state import migrate_database
from tests.browser.stage import CHROMIUM, Stage, browser, staged


@pytest.fixture(scope="module")
def stage(empty_database_url: str) -> Iterator[Stage]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser here: {CHROMIUM} does not exist (Debian: apt-get install chromium)")
    with ThreadPoolExecutor(1) as thread:  # an event loop may be running here
        thread.submit(lambda: asyncio.run(_made_ready(empty_database_url))).result()
    with tempfile.TemporaryDirectory(prefix="sre-agent-browser-") as folder, staged(empty_database_url, Path(folder)) as made:
        yield made


async def _made_ready(url: str) -> None:
    """Migrated as `serve` does it, and resumed by a person."""
    await migrate_database(url)
    async with Database(url) as pool:
        await PostgresHalt(pool).lift("ana", "looked at it", datetime.now(UTC))


@pytest.fixture
async def chromium(stage: Stage) -> AsyncIterator[Browser]:
    async with browser() as started:
        yield started
