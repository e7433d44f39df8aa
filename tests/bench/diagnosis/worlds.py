"""Made-up service graphs with one fault each, and without: is it found where it was put, and is the healthy left alone?

A world has 10 to 60 services, each called by one or two others; the front door is alerted. Two hours of minutes before the
onset and ten since, of latency, failures, CPU, memory and requests, with noise of 2 to 10 per cent, and the counters of a
service graph. What is slow or fails is felt by its callers by the share of their calls that go there. All is drawn from
the world's number, nothing is read from outside; no constant of a detector was chosen by these.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.series import Series
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import TopologyFile
from tests.bench.diagnosis.answer import Answer, share, warmed
from tests.bench.diagnosis.tables import incident, one_series
from tests.bench.verdict import Row

NAME, BEFORE, SINCE, STEP_S = "worlds", 120, 10, 60.0
BEGAN = datetime(2026, 6, 2, 3, 0, tzinfo=UTC).timestamp()
_PARTS = ("client_seconds_count", "server_seconds_count", "client_seconds_sum", "server_seconds_sum")


class Fault(StrEnum):
    """What is done to one service, or to the way to it."""

    NONE = "nothing"
    SLOW = "a slow service"
    WAY = "a slow way"
    FAILS = "a failing service"
    CPU = "a busy CPU"
    LEAK = "a memory leak"
    DROPPED = "dropped traffic"


@dataclass(frozen=True)
class World:
    """One world: who calls whom with which share, the fault, and where."""

    number: int
    calls: dict[str, dict[str, float]]
    fault: Fault
    at: str
    noise: float

    @property
    def names(self) -> list[str]:
        """Every service, callers before those whom they call."""
        return list(self.calls)


def world(number: int, fault: Fault) -> World:
    """The world of that number."""
    rng = random.Random(number)
    names = [f"s{i:02d}" for i in range(rng.randint(10, 60))]
    calls: dict[str, dict[str, float]] = {n: {} for n in names}
    for i, name in enumerate(names[1:], start=1):
        for caller in rng.sample(names[max(0, i - 12) : i], min(i, rng.choice((1, 1, 2)))):
            calls[caller][name] = rng.uniform(0.4, 1.0)
    return World(number, calls, fault, rng.choice(names[1:]), rng.uniform(0.02, 0.1))


def case(made: World) -> Case:
    """The world as the agent is shown it."""
    rng = random.Random(made.number + 1)
    own = {n: rng.uniform(0.004, 0.08) for n in made.names}
    cpu, memory = ({n: rng.uniform(low, high) for n in made.names} for low, high in ((0.05, 0.6), (2e8, 2e9)))
    harm = rng.uniform(0.3, 1.0)
    rows: dict[tuple[str, str], list[float]] = {}
    ways: dict[tuple[str, str], list[list[float]]] = {(a, b): [] for a in made.calls for b in made.calls[a]}
    for minute in range(BEFORE + SINCE):
        sick = minute >= BEFORE
        _minute(made, sick, (minute - BEFORE + 1) / SINCE, harm, own, rng, rows, ways, cpu, memory)
    stamps = [BEGAN + STEP_S * (i - BEFORE) for i in range(BEFORE + SINCE)]
    series = [
        one_series({"__name__": metric, "service": service}, list(zip(stamps, values, strict=True)))
        for (service, metric), values in rows.items()
    ]
    title = "failures of s00 violate its objective" if made.fault in (Fault.FAILS, Fault.DROPPED) else "latency of s00 violates it"
    return Case(
        id=f"{made.fault.value} {made.number}",
        at=datetime.fromtimestamp(stamps[-1] + 1, UTC),
        incident=incident(f"w{made.number}", title, {"service": "s00"}, BEGAN),
        metrics=(*series, *_graph(ways, stamps)),
        topology=TopologyFile(calls=tuple((a, b) for a in made.calls for b in made.calls[a])),
    )
