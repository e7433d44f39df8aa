"""A fixed-rate latency probe: what users feel, including the time-outs that a closed-loop writer hides."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sre_agent.testing.redis_client import ANY_FAILURE, AsyncClient, open_async
from sre_agent.testing.redis_follow import BackgroundLoop, told_primary

KEPT = 20_000


@dataclass(frozen=True)
class ProbeSample:
    """One PING sent at `at` (unix seconds). `seconds` is the time-out itself when `answered` is False."""

    at: float
    seconds: float
    answered: bool


class LatencyProbe(BackgroundLoop):
    """Sends one PING every `every_s` to whoever the sentinels call primary, whether or not earlier ones answered.

    A missing answer counts as `timeout` seconds. Thread-safe to read while it runs.
    """

    def __init__(self, sentinels: Sequence[str], master: str, *, every_s: float = 0.05, timeout: float = 1.0) -> None:
        super().__init__()
        self._sentinels, self._master = tuple(sentinels), master
        self._every_s, self._timeout = every_s, timeout
        self._samples: deque[ProbeSample] = deque(maxlen=KEPT)
        self._pools: dict[str, AsyncClient] = {}
        self.primary: str | None = None
        """Where the probe looks now."""

    def samples(self, window_s: float = math.inf, now: float | None = None) -> tuple[ProbeSample, ...]:
        """The samples sent in the last `window_s` seconds before `now` (unix; default: now), oldest first."""
        end = time.time() if now is None else now
        return tuple(sorted((s for s in tuple(self._samples) if end - window_s <= s.at <= end), key=lambda s: s.at))

    def quantile(self, q: float, window_s: float = 5.0, now: float | None = None) -> float | None:
        """The q-quantile in seconds (nearest rank) over a sliding window; None without samples."""
        ordered = sorted(s.seconds for s in self.samples(window_s, now))
        return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None

    def series(self, q: float, *, step_s: float = 1.0, window_s: float = 5.0) -> tuple[tuple[float, float], ...]:
        """(unix seconds, q-quantile in seconds) every `step_s` since the first sample."""
        samples = self.samples()
        if not samples:
            return ()
        first, last = samples[0].at, samples[-1].at
        times = [first + step_s * n for n in range(1, int((last - first) / step_s) + 1)]
        found = ((t, self.quantile(q, window_s, t)) for t in times)
        return tuple((t, v) for t, v in found if v is not None)

    async def _run(self) -> None:
        self.primary = await told_primary(self._sentinels, self._master)
        following = asyncio.create_task(self._follow())
        flying: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self._stopping.is_set():
            if self.primary is not None:
                one = asyncio.create_task(self._probe(self.primary))
                flying.add(one)
                one.add_done_callback(flying.discard)
            due += self._every_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        following.cancel()
        await asyncio.gather(following, *flying, return_exceptions=True)
        for pool in self._pools.values():
            await pool.aclose()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            self.primary = await told_primary(self._sentinels, self._master) or self.primary

    async def _probe(self, address: str) -> None:
        at, began, answered = time.time(), time.monotonic(), True
        if address not in self._pools:
            self._pools[address] = open_async(address, self._timeout)
        try:
            async with asyncio.timeout(self._timeout):
                await self._pools[address].ping()
        except (*ANY_FAILURE, TimeoutError):
            answered = False
        taken = time.monotonic() - began
        self._samples.append(ProbeSample(at=at, seconds=taken if answered else max(taken, self._timeout), answered=answered))
