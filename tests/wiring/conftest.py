"""Shared by the tests of what is put together: a stage for the PagerDuty extension."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sre_agent.adapters.postgres.database import Database
from tests.wiring.extension_stage import Stage, opened


@pytest.fixture
async def stage(database: Database, tmp_path: Path) -> AsyncIterator[Stage]:
    async with opened(database, tmp_path) as found:
        yield found
