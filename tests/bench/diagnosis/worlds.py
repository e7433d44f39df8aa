"""Made-up service graphs with one fault each, and without: is it found where it was put, and is the healthy left alone?

A world has 10 to 60 services, each called by one or two others; the front door is alerted. Two hours of minutes before the
onset and ten since, of latency, failures, CPU, memory and requests, with noise of 2 to 10 per cent, and the counters of a
service graph. What is slow or fails is felt by its callers by the share of their calls that go there. All is drawn from
the world's number, nothing is read from outside; no constant of a detector was chosen by these.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate

from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.series import Series
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import TopologyFile
from tests.bench.diagnosis.answer import Answer, answered, ranks, share
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
    gauges: dict[tuple[str, str], list[float]] = defaultdict(list)
    ways: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    usual = {
        n: _Usual(rng.uniform(0.004, 0.08), rng.uniform(0.001, 0.003), rng.uniform(0.05, 0.6), rng.uniform(2e8, 2e9))
        for n in made.calls
    }
    harm = rng.uniform(0.3, 1.0)
    for minute in range(BEFORE + SINCE):
        sick = Fault.NONE if minute < BEFORE else made.fault
        _minute(made, usual, _Harm(sick, harm * rng.uniform(0.5, 1.0), (minute - BEFORE + 1) / SINCE), rng, (gauges, ways))
    stamps = [BEGAN + STEP_S * (i - BEFORE) for i in range(BEFORE + SINCE)]
    series = [one_series({"__name__": m, "service": s}, list(zip(stamps, v, strict=True))) for (s, m), v in gauges.items()]
    asked = "failures" if made.fault in (Fault.FAILS, Fault.DROPPED) else "latency"
    return Case(
        id=f"{made.fault.value} {made.number}",
        at=datetime.fromtimestamp(stamps[-1] + 1, UTC),
        incident=incident(f"w{made.number}", f"{asked} of s00 violates its objective", {"service": "s00"}, BEGAN),
        metrics=(*series, *_graph(ways, stamps)),
        topology=TopologyFile(calls=tuple((a, b) for a in made.calls for b in made.calls[a])),
    )


@dataclass(frozen=True)
class _Usual:
    """One service's own seconds a call, seconds on the way to it, CPU in cores, memory in bytes."""

    seconds: float
    way: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class _Harm:
    """What is wrong in one minute: how badly (seconds, or a share), and how far a slow fault has come, 0 to 1."""

    fault: Fault
    much: float
    progress: float


_Told = tuple[dict[tuple[str, str], list[float]], dict[tuple[str, str], list[tuple[float, float, float]]]]


def _minute(made: World, usual: dict[str, _Usual], harm: _Harm, rng: random.Random, told: _Told) -> None:
    """One sample of every gauge, and (calls, seconds waited, seconds worked) of every way."""
    gauges, ways = told
    seconds: dict[str, float] = {}
    fails: dict[str, float] = {}
    asked: dict[str, float] = dict.fromkeys(made.calls, 0.0) | {"s00": 6000 * _about(rng, made.noise)}
    lost = {n: 0.9 if harm.fault is Fault.DROPPED and n == made.at else 0.0 for n in made.calls}
    for name, callees in made.calls.items():
        for callee, part in callees.items():
            asked[callee] += asked[name] * part * (1 - lost[callee])
    for name in reversed(made.calls):
        fault = harm.fault if name == made.at else Fault.NONE
        own = usual[name].seconds * _about(rng, made.noise)
        own += {Fault.SLOW: harm.much, Fault.CPU: harm.much, Fault.LEAK: harm.much * harm.progress}.get(fault, 0.0)
        failed = 0.002 * _about(rng, made.noise) + (0.3 * harm.much if fault is Fault.FAILS else 0.0)
        for callee, part in made.calls[name].items():
            way = usual[callee].way * _about(rng, made.noise)
            way += harm.much if harm.fault is Fault.WAY and callee == made.at else 0.0
            own += part * (seconds[callee] + way)
            failed += part * max(fails[callee], lost[callee])
            calls = asked[name] * part * (1 - lost[callee])
            ways[name, callee].append((calls, calls * (seconds[callee] + way), calls * seconds[callee]))
        seconds[name], fails[name] = own, min(failed, 1.0)
        gauges[name, "latency_average"].append(own)
        gauges[name, "error_ratio"].append(fails[name])
        gauges[name, "requests"].append(asked[name] * _about(rng, made.noise))
        gauges[name, "cpu_usage_cores"].append(usual[name].cpu * _about(rng, made.noise) * (20 if fault is Fault.CPU else 1))
        grown = 1 + (3 * harm.progress if fault is Fault.LEAK else 0.0)
        gauges[name, "memory_working_set_bytes"].append(usual[name].memory * _about(rng, made.noise) * grown)


def _about(rng: random.Random, noise: float) -> float:
    return max(rng.gauss(1.0, noise), 0.0)


def _graph(ways: dict[tuple[str, str], list[tuple[float, float, float]]], stamps: list[float]) -> Iterator[Series]:
    """The counters of a service graph, by caller and callee."""
    for (client, server), counted in ways.items():
        calls, waited, worked = (list(accumulate(column)) for column in zip(*counted, strict=True))
        for part, grown in zip(_PARTS, (calls, calls, waited, worked), strict=True):
            labels = {"__name__": f"traces_service_graph_request_{part}", "client": client, "server": server}
            yield one_series(labels, list(zip(stamps, grown, strict=True)))


def measured(count: int = 200) -> list[Row]:
    """Top-1 and top-3 over `count` worlds with a fault, by fault and in all; a tenth as many healthy ones left alone."""
    faults = [f for f in Fault if f is not Fault.NONE]
    made = [world(i, faults[i % len(faults)]) for i in range(count)]
    places = [_answer(one).place(one.at) for one in made]
    for fault in faults:
        mine = [p for p, one in zip(places, made, strict=True) if one.fault is fault]
        print(f"  {NAME}: {fault.value}: {sum(p <= 1 for p in mine)} first, {sum(p <= 3 for p in mine)} in three, of {len(mine)}")
    quiet = [not _typed(_answer(world(10_000 + i, Fault.NONE))) for i in range(count // 4)]
    return [*ranks(NAME, places, (0.45, 0.65)), share(f"{NAME}: nothing typed in healthy worlds", quiet, 1.0)]


def _answer(made: World) -> Answer:
    return answered(case(made))


def _typed(answer: Answer) -> bool:
    return any(f.kind is not FindingKind.METRIC_SHIFTED for f in answer.findings)
