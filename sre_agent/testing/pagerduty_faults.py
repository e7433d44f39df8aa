"""Scripted misbehaviour of the stand-in PagerDuty's REST side."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Drop(StrEnum):
    """When the connection is closed without an answer: before the request took effect, or after."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Fault:
    """What happens to the next `times` requests whose method and path match.

    `path` is a regular expression for the whole path. `status` answers with that status instead of doing anything;
    `delay_s` (seconds) comes first and, alone, lets the request through.
    """

    method: str = ".*"
    path: str = ".*"
    status: int | None = None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: Drop | None = None
    delay_s: float = 0.0
    times: int = 1


def rate_limited(path: str = ".*", reset_s: int | None = 1, method: str = ".*", times: int = 1) -> Fault:
    """429; `reset_s` None leaves the rate-limit headers out, as PagerDuty sometimes does."""
    headers = {} if reset_s is None else {"ratelimit-limit": "960", "ratelimit-remaining": "0", "ratelimit-reset": str(reset_s)}
    body = {"error": {"message": "Rate Limit Exceeded", "code": 2020}}
    return Fault(method=method, path=path, status=429, body=body, headers=headers, times=times)


class Faults:
    """The faults still to happen, in order. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Script more."""
        with self._lock:
            self._queue.extend(faults)

    def clear(self) -> None:
        """Behave from now on."""
        with self._lock:
            self._queue.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The first scripted fault for this request, used up once."""
        with self._lock:
            for fault in self._queue:
                if re.fullmatch(fault.method, method) and re.fullmatch(fault.path, path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._queue.remove(fault)
                    return fault
        return None
