"""Jobs and real processes: takeover from a killed one, a paused one, SIGTERM, a restarted database."""

import asyncio
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.jobs import Pace
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.migrate import migrate
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.response.record import JobKind, State
from tests.adapters.job_desk import GUARD_S, QUICK, job, now, start_jobs, until, waiting, working

pytestmark = pytest.mark.real


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
        await migrate(url)

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
