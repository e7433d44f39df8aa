"""Many cases through the dry run, in worker processes, told in the order they were given. Nothing here can write anywhere.

Memory stays flat: at most WINDOW cases per worker are on their way, whatever the number of cases. A worker that dies (a case
too big for this machine) costs that case and no other.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sre_agent.incident.errors import SreAgentError
from sre_agent.investigation.graph import warm
from sre_agent.replay.fingerprint import folder_sha256
from sre_agent.replay.replayed import Replayed
from sre_agent.settings import Settings
from sre_agent.wiring.brain import Books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.purse import Purse
from sre_agent.wiring.recorded import dry_run, replay_books

WINDOW = 4
NOTHING = 1e-9  # USD


@dataclass(frozen=True)
class Found:
    """One case to be replayed: its folder, and what to call the place it came from. `error` set: there is none, and why.

    `as_recorded`: judge it on the facts that its recording holds, instead of mode auto and empty budgets.
    """

    place: str
    folder: Path | None = None
    error: str = ""
    as_recorded: bool = False


@dataclass(frozen=True)
class Setup:
    """Under what a case is replayed: the settings, and the books they name. `again` loads the same in another process."""

    settings: Settings
    books: Books
    again: "Callable[[], Setup]"


def setup_of(settings: Settings) -> Setup:
    """The settings with their books, and everything imported that a case needs. Raises ConfigurationError."""
    warm()
    return Setup(settings, replay_books(settings), partial(setup_of, settings))


def replayed(found: Found, setups: tuple[Setup, ...], usd: float | None = None) -> tuple[Replayed, ...]:
    """One case under each setup. Never raises for a case that is broken: that is in the answer.

    `usd`: the most that a model may cost for it, under all setups together; None for what the settings say.
    """
    if found.folder is None:
        return tuple(Replayed(case=found.place, place=found.place, error=found.error) for _ in setups)
    return tuple(_once(found, found.folder, setup, None if usd is None else usd / len(setups)) for setup in setups)


def _once(found: Found, folder: Path, setup: Setup, usd: float | None) -> Replayed:
    began = time.perf_counter()
    # A model that may cost nothing is not asked: its ceiling must be above zero, and below what any call costs.
    settings = setup.settings if usd is None else setup.settings.model_copy(update={"model_max_usd": max(usd, NOTHING)})
    content = ""
    try:
        content = folder_sha256(folder)
        run = dry_run(settings, setup.books, folder, as_recorded=found.as_recorded)
        done = asyncio.run(run.replayed(found.place))
        if run.case.at > SystemClock().now():
            later = f"{folder.name}/case.json: its clock ({run.case.at.isoformat()}) is in the future; replayed all the same"
            done = done.model_copy(update={"warnings": (*done.warnings, later)})
    except SreAgentError as wrong:
        done = Replayed(case=folder.name, place=found.place, error=str(wrong))
    except MemoryError:
        done = Replayed(case=folder.name, place=found.place, error=f"{folder.name}: too big for the memory of this machine")
    return done.model_copy(update={"content_sha256": content, "duration_ms": (time.perf_counter() - began) * 1000})


Replay = Callable[[Found, tuple[Setup, ...], float | None], tuple[Replayed, ...]]
"""As `replayed`."""

_given: tuple[tuple[Setup, ...], Replay] | None = None
"""What the workers work with: inherited where processes are forked, loaded by `_begin` where they are not."""


def _begin(loading: "tuple[Callable[[], Setup], ...]", replay: Replay) -> None:
    global _given
    # Who presses Ctrl-C means the program: it ends its workers itself, and no worker has anything to say about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_follow, name="follow-the-program", daemon=True).start()
    if _given is None:
        _given = tuple(load() for load in loading), replay


def _follow() -> None:
    """End with the program, however that ends: a worker that is left behind would wait for ever."""
    program = multiprocessing.parent_process()
    if program is not None:
        program.join()
        os._exit(1)


def _work(found: Found, usd: float | None) -> tuple[Replayed, ...]:
    setups, replay = _given or ((), replayed)
    return replay(found, setups, usd)


@dataclass
class _Under:
    """A case on its way; without an answer while nobody took it."""

    found: Found
    share: float | None
    answer: Future[tuple[Replayed, ...]] | None = None


@dataclass
class Crew:
    """`workers` processes over these setups. `purse` is None where the settings alone say what a model may cost."""

    setups: tuple[Setup, ...]
    workers: int
    purse: Purse | None = None
    replay: Replay = replayed

    def run(self, cases: Iterable[Found]) -> Iterator[tuple[Replayed, ...]]:
        """Every case under every setup, in the order given. With one worker, in this process."""
        if self.workers <= 1:
            for case in cases:
                share = self._share()
                yield self._settled(share, self.replay(case, self.setups, share))
            return
        waiting, under = iter(cases), deque[_Under]()
        pool, ended = self._pool(self.workers), False
        try:
            while not ended:
                try:
                    self._dispatch(pool, waiting, under)
                    ended = not under
                    if not ended and (first := under[0].answer) is not None:
                        done = first.result()
                        yield self._settled(under.popleft().share, done)
                except BrokenProcessPool:
                    pool.shutdown(wait=False, cancel_futures=True)
                    # One of them killed its worker. Each is tried once more by itself, so that the others are not lost with it.
                    yield from (self._settled(lost.share, self._alone(lost)) for lost in under)
                    under.clear()
                    pool = self._pool(self.workers)
        finally:
            # Who stops the run does not wait for cases that nobody will read; a model may take its time.
            if not ended:
                for worker in multiprocessing.active_children():
                    worker.terminate()
            pool.shutdown(wait=ended, cancel_futures=True)

    def _dispatch(self, pool: ProcessPoolExecutor, waiting: Iterator[Found], under: deque[_Under]) -> None:
        """Give the workers as much as they may have. What money is short for waits until some of it comes back."""
        while len(under) < self.workers * WINDOW and (self.purse is None or self.purse.ready):
            following = next(waiting, None)
            if following is None:
                return
            under.append(_Under(following, self._share()))
            under[-1].answer = pool.submit(_work, following, under[-1].share)

    def charge(self, done: tuple[Replayed, ...]) -> None:
        """Count what a case cost that was replayed earlier in the same run."""
        self._settled(0.0, done)

    def _share(self) -> float | None:
        return self.purse.promise() if self.purse else None

    def _settled(self, share: float | None, done: tuple[Replayed, ...]) -> tuple[Replayed, ...]:
        if self.purse is not None and share is not None:
            self.purse.settle(share, sum(r.result.model.usd for r in done if r.result is not None))
        return done

    def _alone(self, lost: _Under) -> tuple[Replayed, ...]:
        answer = lost.answer
        if answer is not None and answer.done() and not answer.cancelled() and answer.exception() is None:
            return answer.result()
        pool = self._pool(1)
        try:
            return pool.submit(_work, lost.found, lost.share).result()
        except BrokenProcessPool:
            place = lost.found.place
            error = f"{place}: the process that replayed it died, twice; it may need more memory than this machine has"
            return tuple(Replayed(case=place, place=place, error=error) for _ in self.setups)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _pool(self, workers: int) -> ProcessPoolExecutor:
        """Forked where that is the system's custom, so that a worker begins at once with what is loaded here."""
        global _given
        _given = self.setups, self.replay
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        given = (tuple(s.again for s in self.setups), self.replay)
        pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=given)
        # The processes begin with the first task: now, while this one has no threads that a fork would cut in half.
        pool.submit(int)
        return pool
