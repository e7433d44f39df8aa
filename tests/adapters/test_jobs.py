"""Jobs on the real queue: order, retries, timers, drain, restarts and takeover from a killed process."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from procrastinate.jobs import Job as QueuedJob

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.jobs import GivenUp, Handler, Pace, RetryPlan, build_app
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.migrate import migrate
from sre_agent.adapters.postgres.queue import priority
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.errors import Conflict, Permanent, Refused, Transient
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.response.record import IncidentRecord, Job, JobKind, State, Step

pytestmark = pytest.mark.slow
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
) -> AsyncIterator[asyncio.Event]:
    """A worker beside the test, stopped gracefully at the end."""
    stop = asyncio.Event()
    runner = build_app(url, handlers, given_up=given_up, pace=pace)
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


async def test_an_accepted_event_reaches_its_handler(database: Database) -> None:
    store = PostgresStore(database)
    seen: list[IncidentEvent] = []

    async def inbox(row: int) -> None:
        seen.append(await store.inbox(row))

    event = IncidentEvent(
        door="pagerduty",
        kind=EventKind.TRIGGERED,
        type_name="t",
        event_id="E",
        delivery_id="D",
        incident_id="P1",
        occurred_at=now(),
    )
    async with working(database.url, {"inbox": inbox}):
        assert await store.accept(event, b"{}", now())
        await until(lambda: bool(seen))
    assert seen == [event]
    assert await waiting(database) == []


async def test_jobs_get_their_arguments_and_run_in_their_queue(database: Database) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def handler(name: str) -> Handler:
        async def run(**arguments: Any) -> None:
            seen.append((name, arguments))

        return run

    await start_jobs(PostgresStore(database), job(JobKind.EXECUTE, approval_id="A1"), job(JobKind.PUBLISH, at=now()))
    async with working(database.url, {"publish": handler("publish"), "execute": handler("execute")}, queues=("work",)):
        await until(lambda: bool(seen))
    assert seen == [("publish", {"incident_id": "P1"})]
    async with working(database.url, {"execute": handler("execute")}, queues=("hands",)):
        await until(lambda: len(seen) == 2)
    assert seen[1] == ("execute", {"incident_id": "P1", "approval_id": "A1"})


async def test_jobs_of_one_incident_never_overlap_and_those_of_two_do(database: Database) -> None:
    running: list[str] = []
    most: dict[str, int] = {"P1": 0, "all": 0}
    done: list[int] = []

    async def investigate(incident_id: str, n: int) -> None:
        running.append(incident_id)
        most["P1"] = max(most["P1"], running.count("P1"))
        most["all"] = max(most["all"], len(running))
        async with asyncio.timeout(GUARD_S):
            while n == 0 and incident_id == "P1" and "P2" not in running and most["all"] < 2:
                await asyncio.sleep(0.01)
        running.remove(incident_id)
        if incident_id == "P1":
            done.append(n)

    store = PostgresStore(database)
    await start_jobs(store, *(job(n=n) for n in range(4)))
    await start_jobs(store, *(job(incident="P2", n=n) for n in range(4)))
    async with working(database.url, {"investigate": investigate}):
        await until(lambda: len(done) == 4)
    assert most == {"P1": 1, "all": most["all"]}
    assert most["all"] >= 2
    assert done == [0, 1, 2, 3]


async def test_a_timer_far_away_holds_up_nothing_of_its_incident(database: Database) -> None:
    seen: list[str] = []

    def handler(name: str) -> Handler:
        async def run(incident_id: str) -> None:
            seen.append(name)

        return run

    far = job(JobKind.EXPIRE_APPROVAL, at=now() + timedelta(hours=1))
    near = job(JobKind.VERIFY, at=now() + timedelta(seconds=1))
    await start_jobs(PostgresStore(database), far, near, job(JobKind.PUBLISH))
    handlers = {name: handler(name) for name in ("expire_approval", "verify", "publish")}
    async with working(database.url, handlers):
        await until(lambda: len(seen) == 2)
    assert seen == ["publish", "verify"]
    assert await waiting(database) == [("expire_approval", "todo", 0)]


async def test_transient_and_conflict_are_tried_again_and_the_attempt_starts_anew(database: Database) -> None:
    calls: list[str] = []

    async def verify(incident_id: str) -> None:
        calls.append("verify")
        if calls.count("verify") == 1:
            raise Transient("PagerDuty said 503", retry_after=0.1)
        if calls.count("verify") == 2:
            raise Conflict("somebody moved first")

    await start_jobs(PostgresStore(database), job(JobKind.VERIFY))
    async with working(database.url, {"verify": verify}):
        await until(lambda: len(calls) == 3)
    assert await waiting(database) == []


@pytest.mark.parametrize("error", [Permanent("no such thing"), Refused("rule-1", "not allowed")])
async def test_an_answer_is_not_tried_again_and_somebody_is_told(database: Database, error: Exception) -> None:
    told: list[tuple[str, dict[str, Any], str]] = []

    async def publish(incident_id: str) -> None:
        raise error

    async def given_up(name: str, arguments: Any, why: Exception) -> None:
        told.append((name, dict(arguments), str(why)))

    await start_jobs(PostgresStore(database), job(JobKind.PUBLISH))
    async with working(database.url, {"publish": publish}, given_up=given_up):
        await until(lambda: bool(told))
    assert told == [("publish", {"incident_id": "P1"}, str(error))]
    assert await waiting(database) == [("publish", "failed", 1)]


async def test_when_telling_fails_for_the_moment_the_job_is_tried_again(database: Database) -> None:
    told: list[int] = []

    async def publish(incident_id: str) -> None:
        raise Permanent("no")

    async def given_up(name: str, arguments: Any, why: Exception) -> None:
        told.append(1)
        if len(told) == 1:
            raise Transient("the store is away", retry_after=0.0)

    await start_jobs(PostgresStore(database), job(JobKind.PUBLISH))
    async with working(database.url, {"publish": publish}, given_up=given_up):
        await until(lambda: len(told) == 2)


def test_the_plan_of_retries() -> None:
    def wait(error: BaseException, attempts: int) -> float | None:
        before = now()
        decision = RetryPlan().get_retry_exception(error, queued(attempts))
        if decision is None:
            return None
        at = decision.retry_decision.retry_at
        assert at is not None
        assert decision.retry_decision.priority == priority(at)
        return round((at - before).total_seconds(), 1)

    assert [wait(Transient("x"), n) for n in (0, 1, 5, 6, 5000)] == [1.0, 2.0, 32.0, 60.0, 60.0]
    assert wait(Transient("x", retry_after=90), 0) == 90.0
    assert [wait(Conflict("x"), n) for n in (0, 5, 6)] == [0.1, 3.2, None]
    assert [wait(ValueError("a defect"), n) for n in (0, 1, 2)] == [5.0, 5.0, None]
    assert [wait(e, 0) for e in (Permanent("x"), Refused("r", "x"))] == [None, None]
    assert wait(asyncio.CancelledError(), 9) == 0.0


def queued(attempts: int) -> QueuedJob:
    return QueuedJob(queue="work", lock=None, queueing_lock=None, task_name="t", attempts=attempts)


async def test_stopping_finishes_the_running_job_and_starts_no_other(database: Database) -> None:
    started, finished = asyncio.Event(), []
    go_on = asyncio.Event()

    async def investigate(incident_id: str, n: int) -> None:
        started.set()
        await go_on.wait()
        finished.append(n)

    await start_jobs(PostgresStore(database), job(n=0), job(n=1))
    async with working(database.url, {"investigate": investigate}) as stop:
        await started.wait()
        stop.set()
        await asyncio.sleep(QUICK.stale * 2)  # longer than a worker may be silent: a drain is not a death
        stale = await database.rows("SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - interval '1.5 s'")
        go_on.set()
    assert stale == []
    assert finished == [0]
    assert await waiting(database) == [("investigate", "todo", 0)]


async def test_a_job_longer_than_the_drain_is_cancelled_and_put_back_at_once(database: Database) -> None:
    started = asyncio.Event()

    async def investigate(incident_id: str) -> None:
        started.set()
        await asyncio.sleep(600)

    await start_jobs(PostgresStore(database), job())
    async with working(database.url, {"investigate": investigate}, pace=replace(QUICK, drain=0.1)) as stop:
        await started.wait()
        stop.set()
    assert await waiting(database) == [("investigate", "todo", 1)]


async def test_a_long_job_is_not_taken_over_while_its_worker_lives(database: Database) -> None:
    runs: list[str] = []

    def handler(worker: str) -> Handler:
        async def investigate(incident_id: str) -> None:
            runs.append(worker)
            await asyncio.sleep(QUICK.stale * 2)
            runs.append("end")

        return investigate

    await start_jobs(PostgresStore(database), job())
    async with working(database.url, {"investigate": handler("a")}):
        await until(lambda: bool(runs))
        async with working(database.url, {"investigate": handler("b")}):
            await until(lambda: "end" in runs)
    assert runs == ["a", "end"]


WORKER = """
import asyncio, os, signal, sys
from pathlib import Path
from sre_agent.adapters.jobs import Pace, build_app
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.response.record import State, Step

url, name, hang, pace = sys.argv[1], sys.argv[2], sys.argv[3] == "hang", sys.argv[4]

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Database(url) as database:
        store = PostgresStore(database)

        async def investigate(incident_id):
            record = await store.load(incident_id)
            print(f"{name} runs {record.state.value}", flush=True)
            if record.state is not State.INVESTIGATING:
                return
            if hang:
                await asyncio.sleep(600)
            await asyncio.sleep(0.5)
            await store.advance(record, Step(to=State.RECOVERED, changes={"reason": f"by {name}"}))

        await build_app(url, {"investigate": investigate}, pace=eval(pace)).run_worker(["work"], stop)
    print(f"{name} ended", flush=True)

asyncio.run(main())
"""


class Worker:
    """A worker process; `lines` is what it printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().strip())

    @staticmethod
    async def start(url: str, name: str, *, hang: bool = False, pace: Pace = QUICK) -> "Worker":
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, url, name, "hang" if hang else "go", repr(pace), stdout=asyncio.subprocess.PIPE
        )
        return Worker(process)

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self.reader


async def test_a_killed_workers_job_is_taken_over_with_the_shipped_pace(database: Database) -> None:
    """The promise is 15 s; what is asserted is that it happens, once, and within a guard that no busy machine breaks."""
    store = PostgresStore(database)
    await start_jobs(store, job())
    dying = await Worker.start(database.url, "dying", hang=True, pace=Pace())
    heir = None
    try:
        await until(lambda: "dying runs investigating" in dying.lines)
        heir = await Worker.start(database.url, "heir", pace=Pace())
        os.kill(dying.process.pid, signal.SIGKILL)
        killed_at = time.monotonic()

        async def recovered() -> bool:
            stored = await store.load("P1")
            return stored is not None and stored.state is State.RECOVERED

        await until(lambda: bool(heir and heir.lines))
        print(f"taken over after {time.monotonic() - killed_at:.1f} s")
        await until(recovered)
    finally:
        await dying.end()
        if heir is not None:
            await heir.end()
    stored = await store.load("P1")
    assert stored is not None
    assert (stored.version, stored.reason) == (2, "by heir")
    assert heir.lines == ["heir runs investigating"]


async def test_a_worker_that_was_paused_past_its_lease_changes_nothing_when_it_wakes(database: Database) -> None:
    store = PostgresStore(database)
    await start_jobs(store, job())
    paused = await Worker.start(database.url, "paused")
    heir = None
    try:
        await until(lambda: "paused runs investigating" in paused.lines)
        os.kill(paused.process.pid, signal.SIGSTOP)
        heir = await Worker.start(database.url, "heir")

        async def recovered() -> bool:
            stored = await store.load("P1")
            return stored is not None and stored.state is State.RECOVERED

        await until(recovered)
        os.kill(paused.process.pid, signal.SIGCONT)

        async def settled() -> bool:
            return not await waiting(database)

        await until(settled)
        os.kill(paused.process.pid, signal.SIGTERM)
        await until(lambda: "paused ended" in paused.lines)
    finally:
        await paused.end()
        if heir is not None:
            await heir.end()
    stored = await store.load("P1")
    assert stored is not None
    assert (stored.version, stored.reason) == (2, "by heir")


async def test_sigterm_finishes_the_running_job_and_ends_the_process(database: Database) -> None:
    store = PostgresStore(database)
    await start_jobs(store, job())
    worker = await Worker.start(database.url, "only")
    try:
        await until(lambda: "only runs investigating" in worker.lines)
        os.kill(worker.process.pid, signal.SIGTERM)
        assert await asyncio.wait_for(worker.process.wait(), GUARD_S) == 0
        await worker.reader
    finally:
        await worker.end()
    stored = await store.load("P1")
    assert stored is not None
    assert (stored.state, stored.version) == (State.RECOVERED, 2)
    assert worker.lines == ["only runs investigating", "only ended"]
    assert await waiting(database) == []


async def test_a_restarted_database_loses_no_job_and_its_timers_fire(postgres: EmbeddedPostgres) -> None:
    folder = Path(f"{postgres.home.parent}/jobs-{os.getpid()}")
    runs: list[str] = []
    with EmbeddedPostgres.start(folder, at_end=AtEnd.DELETE, options={"fsync": "off"}, spare=folder / "spare") as own:
        url = own.database_url("agent")
        await migrate(url, halted=False)

        async def investigate(incident_id: str) -> None:
            runs.append(f"investigate {incident_id}")
            if len(runs) == 1:
                await asyncio.to_thread(own.restart)

        async def verify(incident_id: str) -> None:
            runs.append(f"verify {incident_id}")

        async with Database(url, wait_s=30) as database:
            store = PostgresStore(database)
            timer = job(JobKind.VERIFY, at=now() + timedelta(seconds=3))
            await start_jobs(store, job(), timer)
            async with working(url, {"investigate": investigate, "verify": verify}):
                await until(lambda: "verify P1" in runs)
                await start_jobs(store, job(incident="P2"))
                await until(lambda: "investigate P2" in runs)

                async def settled() -> bool:
                    return not await waiting(database)

                await until(settled)
    assert runs.count("verify P1") == 1
