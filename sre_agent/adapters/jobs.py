"""Runs the jobs: the only file that knows procrastinate.

Any number of processes run workers on one database. A job is run at least once; the compare-and-set of
the incident and the ledger make its effect happen once. What is added to procrastinate's worker:

- takeover: every worker looks for jobs of workers whose heartbeat stopped and puts them back (`Pace`);
- a heartbeat that goes on while a stopping worker finishes its jobs (procrastinate's own ends with the
  stop signal, and a long drain would look like a death);
- a database that goes away for a while neither ends the worker nor loses a job.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import procrastinate
from procrastinate import exceptions as queue_errors
from procrastinate.connector import Notify
from procrastinate.jobs import Job as QueuedJob
from procrastinate.schema import SchemaManager

from sre_agent.adapters.postgres.database import DriverError, address_of, lock_number, never_stall
from sre_agent.adapters.postgres.queue import priority
from sre_agent.incident.errors import Conflict, SreAgentError, Transient

Handler = Callable[..., Awaitable[None]]
"""Called with the job's arguments by name: `row=` for "inbox", `incident_id=` and more for the others."""

GivenUp = Callable[[str, Mapping[str, Any], Exception], Awaitable[None]]
"""Called when a job will not be tried again: its name, its arguments, what it raised. Hand the incident to a human."""

UNREACHABLE = (queue_errors.ConnectorException, DriverError)
LONGEST_WAIT_S = 60.0
CONFLICT_ATTEMPTS = 6
DEFECT_ATTEMPTS = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """Seconds. A dead worker's job is taken over within stale + heartbeat + poll."""

    heartbeat: float = 2.0
    stale: float = 9.0
    poll: float = 1.0
    drain: float = 60.0


class RetryPlan(procrastinate.BaseRetryStrategy):
    """When a failed job is tried again.

    Transient: always, after `retry_after` or 1, 2, 4, ... 60 s. Conflict: the job starts anew and reads the
    new state, a few times. A worker's stop: at once, elsewhere. A defect (any other exception): twice, in case
    the next state avoids it. Refused and Permanent are answers: never.
    """

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> procrastinate.RetryDecision | None:
        """See procrastinate: None means give up."""
        wait = _wait_s(exception, job.attempts)
        if wait is None:
            return None
        at = datetime.now(UTC) + timedelta(seconds=wait)
        return procrastinate.RetryDecision(retry_at=at, priority=priority(at))


def build_app(
    url: str, handlers: Mapping[str, Handler], *, given_up: GivenUp | None = None, pace: Pace | None = None, concurrency: int = 8
) -> "JobRunner":
    """A runner whose tasks are `handlers` (the value of a JobKind, or "inbox"). Connects when it runs."""
    return JobRunner(url, handlers, given_up=given_up, pace=pace or Pace(), concurrency=concurrency)


class JobRunner:
    """One process' worker. `run_worker` may be called again after it returned, but once at a time."""

    def __init__(
        self, url: str, handlers: Mapping[str, Handler], *, given_up: GivenUp | None, pace: Pace, concurrency: int
    ) -> None:
        self._address = address_of(url)
        self._pace = pace
        self._concurrency = concurrency
        self._given_up = given_up
        self._running: Counter[int] = Counter()
        connector = PatientConnector(
            conninfo=url,
            min_size=1,
            max_size=4,
            kwargs={"application_name": "sre-agent jobs", "connect_timeout": 5},
            configure=never_stall,
        )
        self._app = procrastinate.App(connector=connector)
        self._connector = connector
        for name, handler in handlers.items():
            self._app.task(name=name, pass_context=True, retry=RetryPlan())(self._task(name, handler))

    async def run_worker(self, queues: Sequence[str], stop: asyncio.Event) -> None:
        """Run jobs of `queues` until `stop` is set; then finish the running ones (at most `pace.drain` s) and return.

        Jobs still running after the drain are cancelled and put back at once.
        """
        while not stop.is_set():
            try:
                await self._app.open_async()
                await self._live(queues, stop)
            except UNREACHABLE as error:
                log.warning("worker_interrupted", extra={"database": self._address, "reason": str(error.__cause__ or error)})
            finally:
                with suppress(*UNREACHABLE):
                    await self._app.close_async()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=1.0)

    async def _live(self, queues: Sequence[str], stop: asyncio.Event) -> None:
        """One life of procrastinate's worker, with our watch beside it. Raises what ended it, if that was not `stop`."""
        worker = asyncio.create_task(
            self._app.run_worker_async(
                queues=list(queues),
                concurrency=self._concurrency,
                install_signal_handlers=False,
                fetch_job_polling_interval=self._pace.poll,
                update_heartbeat_interval=self._pace.heartbeat,
                stalled_worker_timeout=self._pace.stale,
                shutdown_graceful_timeout=self._pace.drain,
                delete_jobs="successful",
            )
        )
        watch = asyncio.create_task(self._watch())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            worker.cancel()  # procrastinate's way to ask for a graceful stop; one that has ended ignores it
            await asyncio.wait({worker})
            watch.cancel()
            await asyncio.wait({watch})
        if not worker.cancelled():
            worker.result()

    async def _watch(self) -> None:
        """Keep the workers of running jobs alive in the database, and put back the jobs of dead ones."""
        while True:
            with suppress(*UNREACHABLE):
                for worker_id in +self._running:
                    await self._app.job_manager.update_heartbeat(worker_id)
                await self._take_over()
            await asyncio.sleep(self._pace.heartbeat)

    async def _take_over(self) -> None:
        """Put back every job whose worker's heartbeat stopped. One process at a time: a job put back twice runs twice."""
        async with self._connector.pool.connection() as connection, connection.transaction():
            taken = await (await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (lock_number("takeover"),))).fetchone()
            if taken is None or not taken[0]:
                return
            for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=self._pace.stale):
                with suppress(queue_errors.ConnectorException):  # ended meanwhile: its worker was late, not dead
                    await self._app.job_manager.retry_job(job, retry_at=datetime.now(UTC))
                    log.warning(
                        "job_taken_over", extra={"job": job.task_name, "arguments": job.task_kwargs, "attempts": job.attempts}
                    )

    def _task(self, name: str, handler: Handler) -> Callable[..., Awaitable[None]]:
        """The handler as procrastinate calls it: counted as running, and reported when it will not be tried again."""

        async def run(context: procrastinate.JobContext, **arguments: Any) -> None:
            worker_id = context.job.worker_id or 0
            self._running[worker_id] += 1
            try:
                await handler(**arguments)
            except Exception as error:
                # The outermost loop of the work: whatever was raised is tried again, or told to somebody.
                if self._given_up is not None and _wait_s(error, context.job.attempts) is None:
                    await self._given_up(name, arguments, error)
                raise
            finally:
                self._running[worker_id] -= 1

        return run


class PatientConnector(procrastinate.PsycopgConnector):
    """procrastinate's connector, whose listener survives a database restart (its own ends the worker)."""

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """LISTEN, and again after every loss; meanwhile the worker polls."""
        while True:
            with suppress(*UNREACHABLE):
                await super().listen_notify(on_notification, list(channels))
            await asyncio.sleep(1.0)


def queue_migrations() -> tuple[str, list[tuple[str, str]]]:
    """The queue's whole schema (SQL), and its upgrade steps in order as (name, SQL)."""
    steps = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return SchemaManager.get_schema(), [(f"jobs/{step.stem}", step.read_text(encoding="utf-8")) for step in steps]


def _wait_s(error: BaseException, attempts: int) -> float | None:
    """Seconds until a job that raised `error` is tried again, None for never. `attempts`: how often it ran before."""
    match error:
        case Transient(retry_after=float() | int() as wait):
            return min(wait, 3600.0)
        case Transient():
            return min(2.0 ** min(attempts, 10), LONGEST_WAIT_S)
        case Conflict():
            return 0.1 * 2.0**attempts if attempts < CONFLICT_ATTEMPTS else None
        case asyncio.CancelledError() | queue_errors.JobAborted():
            return 0.0
        case SreAgentError():
            return None
        case _:
            return 5.0 if attempts < DEFECT_ATTEMPTS else None
