"""CPU time of this process, and how busy the machine was.

CPU time leaves out waiting, but not the neighbour who shares a core's caches and its other thread: on a busy machine the
same work was seen to take twice its CPU. What is deterministic is therefore measured in rounds and judged by the quietest
one, as Python's timeit advises; the spread is printed beside it.
"""

import os
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def cpu_ms(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` returned, and the milliseconds of CPU it took, all threads of this process included."""
    began = time.process_time()
    done = work()
    return done, (time.process_time() - began) * 1000


async def cpu_ms_of(work: Awaitable[T]) -> tuple[T, float]:
    """The same for something awaited. What it waits for costs nothing, unless another task works meanwhile."""
    began = time.process_time()
    done = await work
    return done, (time.process_time() - began) * 1000


def wall_per_cpu(times: int = 5) -> float:
    """How long a second of computing takes here and now, in seconds: 1 on an idle machine."""
    seen = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        while time.process_time() - cpu < 0.05:
            pass
        seen.append((time.perf_counter() - wall) / (time.process_time() - cpu))
    return statistics.median(seen)


def machine() -> str:
    """Cores and the load of the last minute, as text."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores{load}, a second of computing takes {wall_per_cpu():.2f} s"
