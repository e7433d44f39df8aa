"""The guard: CPU of one verdict under the shipped bundle, over every case of its own policy tests."""

import statistics
from collections.abc import Sequence
from functools import partial

from sre_agent.policy.case import Situation, situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.load import load_bundle, load_cases
from sre_agent.settings.shipped import shipped
from tests.bench.cpu import cpu_ms
from tests.bench.verdict import Row, percentile

REPEATS = 10


def rows(repeats: int = REPEATS) -> list[Row]:
    """p50 against its target; p99 and the loading of the bundle for information."""
    policies = shipped("policies")
    bundle, loading = cpu_ms(lambda: load_bundle(policies))
    guard = Guard(bundle, "bench", b"k" * 32)
    cases, bases = load_cases(policies)
    asked = [situation(case, bases) for case in cases]
    taken = _taken(guard, asked, repeats)
    seen = f"{len(taken)} verdicts on {len(asked)} situations; p99 {percentile(taken, 99):.2f} ms, most {max(taken):.2f} ms"
    return [
        Row("guard: CPU of a verdict, p50", statistics.median(taken), " ms", 2.0, seen=seen),
        Row("guard: CPU of loading the bundle at start", loading, " ms", seen="parsed, linted, once per process"),
    ]


def _taken(guard: Guard, asked: Sequence[Situation], repeats: int) -> list[float]:
    for situation_ in asked[:20]:  # what the first calls import and cache is not the verdict's
        situation_.decide(guard)
    return [cpu_ms(partial(s.decide, guard))[1] for _ in range(repeats) for s in asked]
