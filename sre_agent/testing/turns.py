"""Processes that take turns: coroutines driven by hand, one stop at a time, so that a test decides every interleaving.

Every call through `stepped` stops twice: before it reaches the thing behind it, and after that has happened but before
the caller knows. At a stop a process may be left waiting while others run, killed (as by SIGKILL: nothing of it runs
on), or told that the call failed: before the first stop's call nothing was done, at the second it was done and the
answer was lost. No event loop, no threads, no wall clock: the same turns give the same history.
"""

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing in the product may catch it."""


class Defect(Exception):
    """An error nobody foresaw: outside the product's error tree."""


@coroutine
def stop(where: str) -> Generator[str, None, None]:
    """A place where others may go first. `where` says which, for whoever decides."""
    yield where


def stepped(inner: T, name: str) -> T:
    """`inner`, whose every async method stops before and after; the stops are "name.method" and "name.method done"."""
    return cast(T, _Stepped(inner, name))


class _Stepped:
    def __init__(self, inner: object, name: str) -> None:
        self._inner = inner
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        method = getattr(self._inner, attribute)

        async def call(*given: Any, **named: Any) -> Any:
            await stop(f"{self._name}.{attribute}")
            answer = await method(*given, **named)
            await stop(f"{self._name}.{attribute} done")
            return answer

        return call


class Process(Generic[T]):
    """One coroutine being driven. `at` is the stop it waits at ("" before its first); `result` once `ended`."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.at = ""
        self.ended = False
        self.result: T | None = None
        self._work = work

    def step(self) -> None:
        """Run to the next stop or to the end. Raises what the coroutine raises; it has then ended."""
        self._go(lambda: self._work.send(None))

    def fail(self, error: Exception) -> None:
        """Let the call it stopped at fail with `error`, and run on from there."""
        self._go(lambda: self._work.throw(error))

    def kill(self) -> None:
        """End it where it is. A `finally` that wants to await something is not given the time."""
        if not self.at:
            self._work.close()  # it never began
            self.ended = True
        while not self.ended:
            try:
                self._go(lambda: self._work.throw(Killed()))
            except Killed:
                return

    def _go(self, advance: Any) -> None:
        try:
            self.at = str(advance())
        except StopIteration as end:
            self.ended, self.result = True, end.value
        except BaseException:
            self.ended = True
            raise


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine past all its stops and return what it returns."""
    process = Process(work)
    while not process.ended:
        process.step()
    return cast(T, process.result)
