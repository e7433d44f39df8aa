"""Between the tracker and the transport: threads, deadlines, the rate limit, repeats of reads, pages."""

import asyncio
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from sre_agent.adapters.pagerduty.failure import failure, reset_after
from sre_agent.adapters.pagerduty.pace import Pace, SystemTicks, Ticks
from sre_agent.adapters.pagerduty.transport import Answer, Request, Transport
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Transient
from sre_agent.intake.untrusted import fields, items

PAGE: Final = 100
LAST_ITEM: Final = 10_000
"""Classic pagination: offset + limit may not exceed this."""


@dataclass(frozen=True)
class Patience:
    """How long one call may take in all (seconds), and how often a read is tried."""

    deadline_s: float = 20.0
    attempts: int = 4
    first_pause_s: float = 0.25


class _NoTurn(Transient):
    """The time was up before the request could be sent at all."""


class Gateway:
    """Calls PagerDuty from one event loop. Raises Transient, OutcomeUnknown or Permanent."""

    def __init__(
        self,
        transport: Transport,
        pace: Pace | None = None,
        patience: Patience | None = None,
        ticks: Ticks | None = None,
        workers: int = 4,
    ) -> None:
        self._transport = transport
        self._pace = pace or Pace()
        self._patience = patience or Patience()
        self._ticks = ticks or SystemTicks()
        # SAFETY: no more than there are threads have had their turn: what waits in a queue is sent after the limit was reached.
        self._free = asyncio.Semaphore(workers)
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="pagerduty")

    async def get(self, path: str, params: Mapping[str, str | list[str]] | None = None) -> dict[str, object]:
        """Read; repeated after network failures, 429 and 5xx until the deadline."""
        return await self._call(Request("GET", path, params or {}), self._patience.attempts)

    async def look(self, path: str, params: Mapping[str, str | list[str]] | None = None) -> Answer:
        """Read, asked once: whatever was answered, with its headers. Raises Transient when no answer came."""
        request = Request("GET", path, params or {})
        until = self._ticks.monotonic() + self._patience.deadline_s
        return await self._asked(request, until)

    async def write(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        """Write, once. Only a 429, which says that nothing was done, is followed by another attempt.

        Raises OutcomeUnknown when it may or may not have happened.
        """
        return await self._call(Request(method, path, {}, body), 1)

    async def pages(self, path: str, name: str, params: Mapping[str, str | list[str]] | None = None) -> list[object]:
        """Every item of a list, over all its pages. A list that cannot be read to its end is an error, never a part."""
        found: list[object] = []
        while True:
            query = {**(params or {}), "limit": str(PAGE), "offset": str(len(found))}
            answer = await self.get(path, query)
            page = answer.get(name)
            if not isinstance(page, list):
                raise Permanent(f"PagerDuty: GET {path}: the answer has no list {name!r}")
            found += items(page)
            if answer.get("more") is not True:
                return found
            if not page or len(found) + PAGE > LAST_ITEM:
                raise Permanent(f"PagerDuty: GET {path}: more than the {len(found)} items read cannot be listed")

    async def aclose(self) -> None:
        """Let calls that run end, and close the connections."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
        self._transport.close()

    async def _call(self, request: Request, attempts: int) -> dict[str, object]:
        """Send until it succeeds, is refused, or attempts or time run out."""
        until = self._ticks.monotonic() + self._patience.deadline_s
        failed = 0
        while True:
            try:
                answer = await self._asked(request, until)
            except _NoTurn:
                raise
            except Transient as error:
                problem, pause = error, self._backoff(failed)
            else:
                if 200 <= answer.status < 300:
                    return fields(answer.content)
                error_seen = failure(request, answer)
                if not isinstance(error_seen, Transient):
                    raise error_seen
                problem = error_seen
                if answer.status == 429:
                    pause = self._limited(error_seen, failed)
                    attempts += 1  # it was turned away, not tried
                else:
                    pause = self._backoff(failed)
            failed += 1
            if failed >= attempts or self._ticks.monotonic() + pause > until:
                problem.retry_after = problem.retry_after or pause
                problem.retried = True
                raise problem
            await self._ticks.sleep(pause)

    async def _asked(self, request: Request, until: float) -> Answer:
        """One attempt, when a thread is free and it is this request's turn under the rate limit."""
        try:
            async with asyncio.timeout(max(0.05, until - self._ticks.monotonic())):
                await self._free.acquire()
        except TimeoutError as error:
            raise _NoTurn(f"PagerDuty: {request.method} {request.path}: others were before it; nothing was sent") from error
        try:
            await self._turn(request, until)
            answer = await self._send(request, until)
            self._heed(answer)
            return answer
        finally:
            self._free.release()

    async def _turn(self, request: Request, until: float) -> None:
        """Wait for this request's turn under the rate limit."""
        while (pause := self._pace.wait(now := self._ticks.monotonic())) > 0:
            if now + pause > until:
                raise _NoTurn(f"PagerDuty: {request.method} {request.path}: waiting for the rate limit; nothing was sent", pause)
            await self._ticks.sleep(pause)
        self._pace.take(self._ticks.monotonic())

    async def _send(self, request: Request, until: float) -> Answer:
        """One attempt in a worker thread, no longer than the deadline."""
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._transport.send, request)
        try:
            return await asyncio.wait_for(work, max(0.05, until - self._ticks.monotonic()))
        except TimeoutError as error:
            seconds = self._patience.deadline_s
            raise OutcomeUnknown(f"PagerDuty: {request.method} {request.path}: no answer within {seconds:g} s") from error

    def _heed(self, answer: Answer) -> None:
        """Stop before the limit is hit, when PagerDuty says that nothing but the spare remains of it."""
        after, remaining = reset_after(answer), answer.headers.get("ratelimit-remaining", "").strip()
        spent = remaining.isascii() and remaining.isdigit() and len(remaining) < 9 and int(remaining) <= self._pace.spare
        if after is not None and (answer.status == 429 or spent):
            self._pace.close_until(self._ticks.monotonic() + after)

    def _limited(self, error: Transient, failed: int) -> float:
        """Seconds to wait after a 429: as told, with a little jitter; else twice as long each time."""
        told = error.retry_after
        return told + random.uniform(0.0, 0.25) if told is not None else min(30.0, 2.0**failed) * random.uniform(0.75, 1.25)

    def _backoff(self, failed: int) -> float:
        """Seconds to wait after a failure, twice as long each time."""
        return min(5.0, self._patience.first_pause_s * 2.0**failed) * random.uniform(0.75, 1.25)
