"""The guard: CPU of one verdict under the shipped bundle, over every case of its own policy tests."""

import statistics
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


def rows(rounds: int = ROUNDS) -> list[Row]:
    """p50 of the quietest round against its target; the loading of the bundle for information."""
    policies = shipped("policies")
    bundle, loading = cpu_ms(lambda: load_bundle(policies))
    guard = Guard(bundle, "bench", b"k" * 32)
    cases, bases = load_cases(policies)
    asked = [situation(case, bases) for case in cases]
    _round(guard, asked)  # what the first calls import and cache is not the verdict's
    taken = [_round(guard, asked) for _ in range(rounds)]
    middle = [statistics.median(r) for r in taken]
    quietest = min(taken, key=statistics.median)
    seen = f"{len(asked)} situations, quietest round; p99 {percentile(quietest, 99):.2f} ms; p50 {spread(middle, ' ms')}"
    return [
        Row("guard: CPU of a verdict, p50", min(middle), " ms", 2.0, seen=seen),
        Row("guard: CPU of loading the bundle at start", loading, " ms", seen="parsed, linted, once per process"),
    ]


def _round(guard: Guard, asked: Sequence[Situation]) -> list[float]:
    return [cpu_ms(partial(s.decide, guard))[1] for s in asked]
