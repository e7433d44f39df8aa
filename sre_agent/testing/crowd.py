"""Several workers on one store, taking turns: jobs at least once, crashes at any stop, takeover, retries. In memory.

Keeps the queue's laws (adapters/jobs.py, adapters/postgres/queue.py; a test compares the two): jobs of one incident
run one after another within one queue (telling the board apart from the rest), what is due earlier goes first, a dead
worker's job is put back after STALE_S, and a failed job is tried again or told to the desk as the retry rule says.
Time passes when the clock is moved, and only then.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from sre_agent.incident.errors import Conflict, SreAgentError, Transient
from sre_agent.response.record import JobKind
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.rooms import ManualClock
from sre_agent.testing.turns import Defect, Process, at_once, stop

INBOX = "inbox"
STALE_S = 12.0
"""When a dead worker's job is given to another: stale heartbeat, the watch's round, the poll."""
BUSY_S = 3.0
MOST_TURNS = 100_000

Failure = SreAgentError | Defect


class Desk(Protocol):
    """What one process runs (wiring.jobs.Desks is one)."""

    def handlers(self) -> Mapping[str, Callable[..., Awaitable[None]]]:
        """Job name to its body."""
        ...

    async def given_up(self, name: str, arguments: Mapping[str, Any], error: Exception) -> None:
        """A job will not be tried again."""
        ...


def retry_wait_s(error: Exception, attempts: int) -> float | None:
    """Seconds until a job that raised `error` on its `attempts`-th try is run again; None: never."""
    match error:
        case Transient(retry_after=float() | int() as wait):
            return min(wait, 3600.0)
        case Transient():
            return min(2.0 ** min(attempts, 10), 60.0)
        case Conflict():
            return 0.1 * 2.0**attempts if attempts < 6 else None
        case SreAgentError():
            return None
        case _:
            return 5.0 if attempts < 2 else None


@dataclass(frozen=True)
class Queued:
    """A job on the queue. `lock` None: it waits for nobody."""

    number: int
    name: str
    arguments: Mapping[str, Any]
    lock: str | None
    due: datetime
    attempts: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """Its place among jobs of the same lock: whole seconds, then the order of arrival."""
        return int(self.due.timestamp()), self.number


@dataclass
class Worker:
    """One process with a desk and at most one job under way. `telling`: it is giving that job up."""

    name: str
    desk: Desk | None
    process: Process[None] | None = None
    job: Queued | None = None
    telling: bool = False


@dataclass
class Crowd:
    """The queue and whoever works on it. `hire(name)` makes a new process of that name, after a crash too.

    `left_out`: kinds of job that nobody does here, so that they take nobody's turn.
    """

    store: MemoryStore
    clock: ManualClock
    hire: Callable[[str], Desk]
    names: tuple[str, ...] = ("w1", "w2")
    queue: list[Queued] = field(default_factory=list)
    workers: dict[str, Worker] = field(default_factory=dict)
    refusals: list[SreAgentError] = field(default_factory=list)
    acting: str = ""
    left_out: frozenset[JobKind] = frozenset()
    _numbers: int = 0

    def __post_init__(self) -> None:
        for name in self.names:
            self.workers[name] = Worker(name, self.hire(name))

    def visit(self, name: str, errand: Coroutine[Any, Any, Any]) -> None:
        """Somebody who is no worker (a command line): runs once, is never tried again; errors go to `refusals`."""
        self._numbers += 1
        self.workers[f"{name}#{self._numbers}"] = Worker(f"{name}#{self._numbers}", None, Process(errand))

    def turn(self, name: str) -> bool:
        """One stop further for one worker, taking a job if it has none. False: nothing to do for it now."""
        worker = self.workers.get(name)
        if worker is None or not (worker.process or self._took(worker)):
            return False
        process = cast(Process[None], worker.process)
        return self._driven(worker, process.step)

    def fail(self, name: str, error: Failure) -> bool:
        """Let the call a worker stopped at fail. False: it is not at a stop."""
        worker = self.workers.get(name)
        if worker is None or worker.process is None or not worker.process.at:
            return False
        process = worker.process
        return self._driven(worker, lambda: process.fail(error))

    def crash(self, name: str) -> bool:
        """Kill a worker where it is; its job goes to another later, and a new process takes its place at once."""
        worker = self.workers.get(name)
        if worker is None:
            return False
        if worker.process is not None:
            self.acting = name
            worker.process.kill()
        if worker.job is not None:
            self.queue.append(
                replace(worker.job, due=self.clock.now() + timedelta(seconds=STALE_S), attempts=worker.job.attempts + 1)
            )
        del self.workers[name]
        if worker.desk is not None:
            self.workers[name] = Worker(name, self.hire(name))
        return True

    def stall(self, name: str) -> str | None:
        """Put a worker to sleep past its lease: its job may be taken by others while it goes on under the name returned.

        What it raises from then on is lost: its job is not its own any more. None: it has nothing under way.
        """
        worker = self.workers.get(name)
        if worker is None or worker.process is None or worker.job is None:
            return None
        self.queue.append(replace(worker.job, attempts=worker.job.attempts + 1))
        self._numbers += 1
        ghost = f"{name}~{self._numbers}"
        self.workers[ghost] = Worker(ghost, None, worker.process)
        self.workers[name] = Worker(name, self.hire(name))
        return ghost

    def where(self, name: str) -> str:
        """The stop a worker waits at; "" when it has nothing under way."""
        worker = self.workers.get(name)
        return worker.process.at if worker is not None and worker.process is not None else ""

    def settle(self, stride: int = 1) -> None:
        """Let everybody run, `stride` turns each in a row, until nothing is left to do at this time."""
        for _ in range(MOST_TURNS):
            moved = False
            for name in tuple(self.workers):
                for _ in range(stride):
                    if not self.turn(name):
                        break
                    moved = True
            if not moved:
                return
        raise AssertionError("the workers never came to rest")

    def next_due(self) -> datetime | None:
        """When the next job falls due; None when the queue is empty."""
        self._collect()
        return min((job.due for job in self.queue), default=None)

    def _took(self, worker: Worker) -> bool:
        job = self._next() if worker.desk is not None else None
        if job is None or worker.desk is None:
            return False
        self.queue.remove(job)
        body = cast(Coroutine[Any, Any, None], worker.desk.handlers()[job.name](**job.arguments))
        worker.job, worker.process, worker.telling = job, Process(body), False
        return True

    def _next(self) -> Queued | None:
        """The job to run next: due, first of its lock, and nobody at work under that lock."""
        self._collect()
        held = {w.job.lock for w in self.workers.values() if w.job is not None} - {None}
        due = sorted((j for j in self.queue if j.due <= self.clock.now()), key=lambda j: j.place)
        return next((j for j in due if j.lock not in held), None)

    def _driven(self, worker: Worker, go: Callable[[], None]) -> bool:
        self.acting = worker.name
        try:
            go()
        except (SreAgentError, Defect) as error:
            self._failed(worker, error)
        else:
            if worker.process is not None and worker.process.ended:
                self._done(worker)
        finally:
            self.acting = ""
        return True

    def _done(self, worker: Worker) -> None:
        worker.process, worker.job, worker.telling = None, None, False
        if worker.desk is None:
            del self.workers[worker.name]

    def _failed(self, worker: Worker, error: Failure) -> None:
        job, desk = worker.job, worker.desk
        if job is None or desk is None:
            if isinstance(error, SreAgentError):
                self.refusals.append(error)
            self._done(worker)
            return
        wait = retry_wait_s(error, job.attempts)
        if wait is None and not worker.telling:
            worker.process, worker.telling = Process(desk.given_up(job.name, job.arguments, error)), True
            return
        if wait is not None:
            due = self.clock.now() + timedelta(seconds=wait)
            self.queue.append(replace(job, due=due, attempts=job.attempts + 1))
        self._done(worker)

    def _collect(self) -> None:
        """Bring what steps and doors left in the store onto the queue."""
        for row in self.store.take_arrived():
            incident = at_once(self.store.inbox(row)).incident_id
            self._put(INBOX, {"row": row}, f"work:{incident}" if incident else None, self.clock.now())
        jobs, self.store.jobs = self.store.jobs, []
        for job in (j for j in jobs if j.kind not in self.left_out):
            queue = {JobKind.EXECUTE: "hands", JobKind.ANNOUNCE: "board", JobKind.RECORD: "recorder"}.get(job.kind, "work")
            arguments = {**job.arguments, "incident_id": job.incident_id}
            self._put(job.kind.value, arguments, f"{queue}:{job.incident_id}", job.at or self.clock.now())

    def _put(self, name: str, arguments: Mapping[str, Any], lock: str | None, due: datetime) -> None:
        self._numbers += 1
        self.queue.append(Queued(self._numbers, name, arguments, lock, due))


class TurnLocks:
    """Target locks among processes that take turns: held by one at a time, gone with a crash. `acting` says who asks."""

    def __init__(self, acting: Callable[[], str]) -> None:
        self._acting = acting
        self._held: dict[str, tuple[str, object]] = {}

    def target_lock(self, key: str) -> AbstractAsyncContextManager["TurnLock"]:
        """Transient when somebody holds it."""
        return self._lock(key)

    def lose(self, holder: str) -> None:
        """Take every lock from its holder, as a database that ended its session would."""
        self._held = {key: held for key, held in self._held.items() if held[0] != holder}

    @asynccontextmanager
    async def _lock(self, key: str) -> AsyncIterator["TurnLock"]:
        await stop("lock.take")
        if key in self._held:
            raise Transient(f"Another worker is busy with {key}.", retry_after=BUSY_S)
        mine = self._held[key] = (self._acting(), object())
        try:
            yield TurnLock(lambda: self._held.get(key) is mine, key)
        finally:
            if self._held.get(key) is mine:
                del self._held[key]


@dataclass(frozen=True)
class TurnLock:
    """A lock that was taken."""

    is_held: Callable[[], bool]
    key: str

    async def confirm(self) -> None:
        """Conflict when it was lost."""
        await stop("lock.confirm")
        if not self.is_held():
            raise Conflict(f"The lock on {self.key} was lost; another worker may hold it.")
