"""Our own rate limit: PagerDuty allows 960 requests a minute per key, and a 429 stops every caller at once.

Generic cell rate algorithm (ITU-T I.371): one number, the time at which the bucket would be empty.
"""

import asyncio
import time
from typing import Protocol

from sre_agent.incident.errors import ConfigurationError


class Ticks(Protocol):
    """Seconds that only move forward, and waiting; tests hand in their own."""

    def monotonic(self) -> float:
        """Seconds since some start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemTicks:
    """The machine's own."""

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait without holding up anybody else."""
        await asyncio.sleep(seconds)


class Pace:
    """How long the next request has to wait. Used from one event loop; not thread-safe.

    `spare`: how much of what remains of PagerDuty's own count is not used up. As many as are on their way at once: each of them
    was sent before the answer that said how much remains.
    """

    def __init__(self, per_minute: float = 960.0, burst: int = 20, spare: int = 0) -> None:
        if per_minute <= 0 or burst < 1 or spare < 0:
            raise ConfigurationError(f"a rate of {per_minute} requests a minute in bursts of {burst} lets nothing through")
        self._interval = 60.0 / per_minute
        self._slack = self._interval * (burst - 1)
        self.spare = spare
        self._empty_at = float("-inf")
        self._closed_until = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until a request may go, 0 when at once. Takes nothing."""
        return max(0.0, self._empty_at - self._slack - now, self._closed_until - now)

    def take(self, now: float) -> None:
        """Count one request as sent at `now`."""
        self._empty_at = max(self._empty_at, now) + self._interval

    def close_until(self, moment: float) -> None:
        """Let nothing through before `moment`: PagerDuty said when the limit is reset."""
        self._closed_until = max(self._closed_until, moment)
