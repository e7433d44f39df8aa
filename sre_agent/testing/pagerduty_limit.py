"""The stand-in PagerDuty's rate limit: so many requests in each window of time, told in the headers of every answer."""

import math
import threading
import time
from collections.abc import Callable, Mapping

TURNED_AWAY = {"error": {"message": "Rate Limit Exceeded", "code": 2020}}


class RateLimit:
    """`limit` requests in each window of `window_s` seconds, which begins with the first of them. Thread-safe."""

    def __init__(self, limit: int = 960, window_s: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._window_s, self._now = limit, window_s, now
        self._lock = threading.Lock()
        self._until, self._used = float("-inf"), 0

    def take(self) -> tuple[bool, Mapping[str, str]]:
        """Whether one more request is let in, and the headers that go with its answer."""
        with self._lock:
            now = self._now()
            if now >= self._until:
                self._until, self._used = now + self._window_s, 0
            allowed = self._used < self._limit
            self._used += allowed
            return allowed, {
                "ratelimit-limit": str(self._limit),
                "ratelimit-remaining": str(self._limit - self._used),
                "ratelimit-reset": str(math.ceil(self._until - now)),
            }
