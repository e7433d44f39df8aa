"""What the tests of the job queue share: a worker beside the test, and the only way to put a job on the queue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sre_agent.adapters.jobs import GivenUp, Handler, Pace, build_app
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.response.record import IncidentRecord, Job, JobKind, State, Step

QUICK = Pace(heartbeat=0.2, stale=1.5, poll=0.1, drain=20.0)
GUARD_S = 60


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def working(
    url: str,
    handlers: dict[str, Handler],
    *,
    queues: tuple[str, ...] = ("work", "hands"),
    pace: Pace = QUICK,
    given_up: GivenUp | None = None,
    concurrency: int = 8,
) -> AsyncIterator[asyncio.Event]:
    """A worker beside the test, stopped gracefully at the end."""
    stop = asyncio.Event()
    runner = build_app(url, handlers, given_up=given_up, pace=pace, concurrency=concurrency)
    task = asyncio.create_task(runner.run_worker(queues, stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(GUARD_S):
            await task


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that must come; the guard is generous and nothing depends on it."""
    async with asyncio.timeout(GUARD_S):
        while True:
            answer = condition()
            if (await answer) if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.02)


async def start_jobs(store: PostgresStore, *jobs: Job) -> IncidentRecord:
    """Put jobs on the queue the only way there is: with a step."""
    incident = jobs[0].incident_id
    stored = await store.create(IncidentRecord(id=incident, received_at=now(), updated_at=now()), ())
    return await store.advance(stored, Step(to=State.INVESTIGATING, jobs=jobs))


def job(kind: JobKind = JobKind.INVESTIGATE, incident: str = "P1", at: datetime | None = None, **arguments: Any) -> Job:
    return Job(kind=kind, incident_id=incident, at=at, arguments=arguments)


async def waiting(database: Database) -> list[tuple[str, str, int]]:
    rows = await database.rows("SELECT task_name, status::text, attempts FROM procrastinate_jobs ORDER BY id")
    return [(task, status, attempts) for task, status, attempts in rows]
