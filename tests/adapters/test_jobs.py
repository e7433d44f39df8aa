"""Jobs on the real queue: order, retries, timers and drain."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from procrastinate.jobs import Job as QueuedJob

from sre_agent.adapters.jobs import Handler, RetryPlan
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.queue import priority
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.errors import Conflict, Permanent, Refused, Transient
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.response.record import JobKind
from tests.adapters.job_desk import GUARD_S, QUICK, job, now, start_jobs, until, waiting, working

pytestmark = pytest.mark.slow


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
    assert sorted(seen) == ["publish", "verify"]
    assert await waiting(database) == [("expire_approval", "todo", 0)]


async def test_news_and_pages_do_not_wait_for_the_investigations_that_others_began_before(database: Database) -> None:
    store, ran = PostgresStore(database), list[str]()

    def handler(name: str) -> Handler:
        async def run(**arguments: Any) -> None:
            ran.append(name)

        return run

    for n in range(5):
        await start_jobs(store, job(JobKind.INVESTIGATE, f"P{n}"))
    await start_jobs(store, job(JobKind.PAGE, "P4"), job(JobKind.PAGE, "P9", at=now() + timedelta(hours=1)))
    event = IncidentEvent(
        door="alertmanager",
        kind=EventKind.TRIGGERED,
        type_name="t",
        event_id="E",
        delivery_id="D",
        incident_id="group:1",
        occurred_at=now(),
    )
    assert await store.accept(event, b"{}", now())
    handlers = {name: handler(name) for name in ("inbox", "investigate", "page")}
    async with working(database.url, handlers, concurrency=1):
        await until(lambda: len(ran) == 7)
    assert sorted(ran[:2]) == ["inbox", "page"]
    assert ran[2:] == ["investigate"] * 5


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
