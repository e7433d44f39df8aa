"""The guard: CPU of one verdict under the shipped bundle, over every case of its own policy tests."""

import statistics
import time
from collections.abc import Sequence
from functools import partial

from sre_agent.policy.case import situation
from sre_agent.policy.facts import Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.load import load_bundle, load_cases
from sre_agent.settings.shipped import shipped
from tests.bench.cpu import cpu_ms
from tests.bench.verdict import Row, percentile, spread

ROUNDS = 10
REPLAYED = 10_000


def rows(rounds: int = ROUNDS, replayed: int = REPLAYED) -> list[Row]:
    """p50 and p99 of the quietest round, and the time of `replayed` decisions, against their targets; loading for information."""
    policies = shipped("policies")
    bundle, loading = cpu_ms(lambda: load_bundle(policies))
    guard = Guard(bundle, "bench", b"k" * 32)
    cases, bases = load_cases(policies)
    asked = [situation(case, bases) for case in cases]
    _round(guard, asked)  # what the first calls import and cache is not the verdict's
    taken = [_round(guard, asked) for _ in range(rounds)]
    middle = [statistics.median(r) for r in taken]
    quietest = min(taken, key=statistics.median)
    seen = f"{len(asked)} situations under {len(bundle.rules)} policies, quietest round; {spread(middle, ' ms')}"
    tails = [percentile(r, 99) for r in taken]
    again, replaying = [asked[n % len(asked)] for n in range(replayed)], time.monotonic()
    for one in again:
        guard.decide(one)
    seconds = time.monotonic() - replaying
    return [
        Row("guard: CPU of a verdict, p50", min(middle), " ms", 1.5, seen=seen),
        Row("guard: CPU of a verdict, p99", percentile(quietest, 99), " ms", 5.0, seen=spread(tails, " ms")),
        Row(f"guard: {replayed:,} decisions judged again", seconds, " s", 30.0, seen="one after another, in one process"),
        Row("guard: CPU of loading the bundle at start", loading, " ms", seen="parsed, linted, once per process"),
    ]


def _round(guard: Guard, asked: Sequence[Situation]) -> list[float]:
    return [cpu_ms(partial(guard.decide, s))[1] for s in asked]
