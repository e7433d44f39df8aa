"""The crowd keeps the laws of the real queue, and its processes stop, fail and die where they are told to."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from procrastinate.jobs import Job as QueuedJob

from sre_agent.adapters.jobs import Pace, RetryPlan
from sre_agent.incident.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.response.record import Job, JobKind
from sre_agent.testing.crowd import STALE_S, Crowd, TurnLocks, retry_wait_s
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.rooms import ManualClock
from sre_agent.testing.turns import Defect, Process, at_once, stepped, stop

START = datetime(2026, 3, 4, tzinfo=UTC)


class Work:
    """A desk whose every job is two steps, noted; it raises what is in `failures` first."""

    def __init__(self, name: str, done: list[str], failures: list[Exception]) -> None:
        self.name, self.done, self.failures = name, done, failures

    def handlers(self) -> Mapping[str, Callable[..., Awaitable[None]]]:
        return {kind.value: self._body for kind in JobKind} | {"inbox": self._body}

    async def _body(self, **arguments: Any) -> None:
        self.done.append(f"{self.name} begins {sorted(map(str, arguments.values()))}")
        await stop("halfway")
        if self.failures:
            raise self.failures.pop()
        self.done.append(f"{self.name} ends")

    async def given_up(self, name: str, arguments: Mapping[str, Any], error: Exception) -> None:
        await stop("telling")
        self.done.append(f"{self.name} gave up: {error}")


def crowd(*failures: Exception) -> tuple[Crowd, list[str]]:
    done: list[str] = []
    pending = list(failures)
    return Crowd(MemoryStore(), ManualClock(START), lambda name: Work(name, done, pending)), done


def job(incident: str, kind: JobKind = JobKind.PUBLISH, after: float | None = None) -> Job:
    return Job(kind=kind, incident_id=incident, at=None if after is None else START + timedelta(seconds=after))


@pytest.mark.parametrize("attempts", range(8))
@pytest.mark.parametrize(
    "error",
    [Transient("x"), Transient("x", 7.0), OutcomeUnknown("x"), Conflict("x"), Permanent("x"), Refused("x", "y"), Defect("x")],
    ids=lambda e: type(e).__name__,
)
def test_what_is_tried_again_and_when_is_what_the_real_queue_says(error: Exception, attempts: int) -> None:
    queued = QueuedJob(id=1, queue="work", lock=None, queueing_lock=None, task_name="publish", attempts=attempts)
    real, before = RetryPlan().get_retry_decision(exception=error, job=queued), datetime.now(UTC)
    ours = retry_wait_s(error, attempts)
    assert (real is None) == (ours is None)
    if real is not None:
        assert abs((real.retry_at - before).total_seconds() - ours) < 2.0


def test_a_dead_workers_job_is_left_to_it_as_long_as_in_the_real_queue() -> None:
    pace = Pace()
    assert pace.stale + pace.heartbeat + pace.poll == STALE_S


def test_jobs_of_one_incident_run_one_after_another_and_hands_beside_them() -> None:
    c, done = crowd()
    c.store.jobs = [job("A"), job("A"), job("B"), job("A", JobKind.EXECUTE)]
    c.turn("w1")
    c.turn("w2")
    assert done == ["w1 begins ['A']", "w2 begins ['B']"]
    c.turn("w2")
    c.turn("w2")
    assert done[2:] == ["w2 ends", "w2 begins ['A']"]
    assert c.workers["w2"].job.name == "execute"


def test_what_is_due_earlier_goes_first_and_what_is_not_due_waits() -> None:
    c, done = crowd()
    c.store.jobs = [job("A", after=60), job("A", after=5)]
    c.settle()
    assert (done, c.next_due()) == ([], START + timedelta(seconds=5))
    c.clock.advance(5)
    c.settle()
    assert len(done) == 2


def test_a_killed_worker_does_nothing_more_and_its_job_is_run_again_by_another_later() -> None:
    c, done = crowd()
    c.store.jobs = [job("A")]
    c.turn("w1")
    assert c.crash("w1")
    c.settle()
    assert done == ["w1 begins ['A']"]
    c.clock.advance(STALE_S)
    c.settle()
    assert len(done) == 3


def test_a_worker_that_sleeps_past_its_lease_goes_on_beside_its_heir_and_what_it_raises_is_lost() -> None:
    c, done = crowd(Conflict("too late"))
    c.store.jobs = [job("A")]
    c.turn("w1")
    ghost = c.stall("w1")
    assert c.turn(ghost)
    assert [str(e) for e in c.refusals] == ["too late"]
    c.settle()
    assert done == ["w1 begins ['A']", "w1 begins ['A']", "w1 ends"]
    assert ghost not in c.workers


def test_a_job_that_failed_for_good_is_told_and_one_that_may_pass_is_tried_again() -> None:
    c, done = crowd(Permanent("never"), Transient("later"))
    c.store.jobs = [job("A")]
    c.settle()
    assert (done, c.next_due()) == (["w1 begins ['A']"], START + timedelta(seconds=1))
    c.clock.advance(1)
    c.settle()
    assert done[-1].endswith("gave up: never")
    assert c.next_due() is None


def test_telling_that_failed_has_the_job_tried_again() -> None:
    c, done = crowd(Permanent("never"))
    c.store.jobs = [job("A")]
    c.turn("w1")
    c.turn("w1")
    c.turn("w1")
    assert c.where("w1") == "telling"
    c.fail("w1", Transient("not now"))
    c.clock.advance(60)
    c.settle()
    assert done[-1].endswith("ends")


def test_inbox_rows_share_the_lock_of_their_incident() -> None:
    c, done = crowd()
    event = IncidentEvent(
        door="d", kind=EventKind.TRIGGERED, type_name="t", event_id="E", delivery_id="D", incident_id="A", occurred_at=START
    )
    at_once(c.store.accept(event, b"", START))
    c.store.jobs = [job("A")]
    c.turn("w1")
    assert not c.turn("w2")
    assert done == ["w1 begins ['1']"]


def test_a_stepped_call_stops_before_and_after_it_happened() -> None:
    store = MemoryStore()
    process = Process(stepped(store, "store").load("A"))
    process.step()
    assert process.at == "store.load"
    process.step()
    assert process.at == "store.load done"
    process.step()
    assert process.ended


async def _guarded(done: list[str]) -> None:
    try:
        await stop("inside")
    except Exception:
        done.append("caught")
        raise
    finally:
        done.append("left")


def test_a_failed_call_raises_where_it_stopped_and_a_kill_is_caught_by_nobody() -> None:
    done: list[str] = []
    failing, dying, unborn = (Process(_guarded(done)) for _ in range(3))
    failing.step()
    with pytest.raises(Transient):
        failing.fail(Transient("x"))
    dying.step()
    dying.kill()
    unborn.kill()
    assert done == ["caught", "left", "left"]
    assert dying.ended
    assert unborn.ended


def test_a_target_is_held_by_one_at_a_time_and_losing_the_lock_shows() -> None:
    names = iter(("w1", "w2", "w3"))
    locks = TurnLocks(lambda: next(names))

    async def hold() -> None:
        async with locks.target_lock("redis/cache") as lock:
            await lock.confirm()
            await stop("working")
            await lock.confirm()

    first = Process(hold())
    for _ in range(3):
        first.step()
    with pytest.raises(Transient, match="busy"):
        at_once(hold())
    locks.lose("w1")
    first.step()
    with pytest.raises(Conflict, match="lost"):
        first.step()
    at_once(hold())
