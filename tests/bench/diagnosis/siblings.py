"""Made-up siblings of the database incidents: the same family of faults and of what only looks like one, other numbers.

Thirty minutes of gauges a case, a minute each; noise of a few per cent around levels that a middling PostgreSQL has, drawn
from one seed. Nothing is read from outside, so this measures without recordings.
"""

import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import Observation
from tests.bench.diagnosis.answer import share, warmed
from tests.bench.diagnosis.opensre import category
from tests.bench.diagnosis.tables import incident, one_series
from tests.bench.verdict import Row

NAME, MINUTES, ONSET = "siblings", 30, 12
BEGAN = datetime(2026, 6, 2, 3, 0, tzinfo=UTC)
MOST_SESSIONS = 490.0
Shape = Callable[[int], float]
USUAL: Mapping[str, float] = {
    "cpuutilization": 32.0,
    "database_connections": 140.0,
    "disk_queue_depth": 0.4,
    "free_storage_space": 80e9,
    "freeable_memory": 9e9,
    "read_iops": 600.0,
    "write_iops": 900.0,
    "read_latency": 0.9,
    "write_latency": 1.3,
    "replica_lag": 0.8,
    "swap_usage": 40e6,
    "transaction_logs_generation": 2e6,
    "transaction_logs_disk_usage": 300e6,
    "commit_latency": 2.0,
}


def grown(times: float, since: int = ONSET, until: int = MINUTES) -> Shape:
    """That many times the usual level, from one minute to another."""
    return lambda i: times if since <= i < until else 1.0


def ramp(times: float, since: int = ONSET, until: int = MINUTES) -> Shape:
    """From the usual level to that many times it, in a straight line, and then level."""
    return lambda i: 1.0 + (times - 1.0) * min(max((i - since) / (until - since), 0.0), 1.0)


@dataclass(frozen=True)
class Sibling:
    """One case: what it is called by the set's categories, the alert, and how metrics differ from the usual."""

    name: str
    truth: str
    title: str
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    events: tuple[tuple[int, str], ...] = ()
    without: tuple[str, ...] = ()


SHORT, WELL, INFRA = "resource_exhaustion", "healthy", "infrastructure"
SIBLINGS = (
    Sibling(
        "lag by a burst of writes",
        SHORT,
        "Replica is behind",
        {"replica_lag": ramp(900), "write_iops": grown(5), "transaction_logs_generation": grown(12), "cpuutilization": grown(1.4)},
    ),
    Sibling("lag by a long query on the replica", SHORT, "Replica is behind", {"replica_lag": ramp(1100)}),
    Sibling("lag that was caught up", WELL, "Replica is behind", {"replica_lag": lambda i: 700.0 if 8 <= i < 18 else 1.0}),
    Sibling(
        "sessions leak to the ceiling",
        SHORT,
        "Connections are refused",
        {"database_connections": ramp(4.5, 6, 22), "freeable_memory": ramp(0.7)},
        ((24, "remaining connection slots are reserved"),),
    ),
    Sibling("a busy hour that levels", WELL, "More sessions than usual", {"database_connections": ramp(1.6, 6, 14)}),
    Sibling(
        "a busier hour that levels",
        WELL,
        "Scheduled check",
        {"database_connections": ramp(2.0, 6, 14), "cpuutilization": ramp(1.5, 6, 14), "write_iops": ramp(1.8, 6, 14)},
    ),
    Sibling(
        "storage runs full",
        SHORT,
        "Writes fail",
        {"free_storage_space": ramp(0.01), "write_iops": lambda i: 6.0 if ONSET <= i < 26 else 0.1 if i >= 26 else 1.0},
        ((27, "The DB instance has run out of storage space"),),
    ),
    Sibling(
        "storage that grew by itself",
        WELL,
        "Free storage is low",
        {"free_storage_space": lambda i: max(1 - 0.05 * i, 0.06) if i < 20 else 1.4},
        ((15, "free storage capacity is low: 6 % left"), (20, "storage autoscaling completed")),
    ),
    Sibling(
        "CPU by reads without an index",
        SHORT,
        "Queries are slow",
        {"cpuutilization": grown(2.95), "read_iops": grown(9), "read_latency": grown(1.3)},
    ),
    Sibling(
        "CPU by many short queries",
        SHORT,
        "Queries are slow",
        {"cpuutilization": ramp(3.0, 8, 18), "database_connections": ramp(1.3, 8, 18)},
    ),
    Sibling(
        "I/O at its allowance",
        SHORT,
        "Commits are slow",
        {
            "disk_queue_depth": grown(90),
            "write_iops": lambda i: 3.35 if i >= ONSET else 1.0,
            "write_latency": grown(14),
            "commit_latency": grown(12),
        },
    ),
    Sibling(
        "burst balance spent, told without queue",
        SHORT,
        "Commits are slow",
        {"read_iops": grown(2.6), "read_latency": grown(22), "commit_latency": grown(6)},
        without=("disk_queue_depth",),
    ),
    Sibling(
        "burst balance spent, fewer reads than before",
        SHORT,
        "Reads are slow",
        {
            "burst_balance": ramp(0.0, 2, 16),
            "read_iops": grown(0.6, 16),
            "read_latency": grown(25, 16),
            "disk_queue_depth": grown(8, 16),
        },
    ),
    Sibling(
        "memory short and swapping",
        SHORT,
        "Queries are slow",
        {"freeable_memory": ramp(0.08), "swap_usage": ramp(40), "read_iops": grown(2)},
    ),
    Sibling(
        "failover that is over",
        INFRA,
        "Connections dropped",
        {"database_connections": lambda i: 0.0 if i in (13, 14) else 1.0},
        (
            (13, "Multi-AZ instance failover started"),
            (14, "Multi-AZ instance failover completed"),
        ),
    ),
    Sibling(
        "log kept for a slot without a reader",
        SHORT,
        "Disk usage grows",
        {"transaction_logs_disk_usage": ramp(50), "free_storage_space": ramp(0.8), "oldest_replication_slot_lag": ramp(5e4)},
    ),
    Sibling(
        "a nightly batch that ended",
        WELL,
        "CPU was high",
        {"cpuutilization": grown(2.9, 5, 20), "read_iops": grown(8, 5, 20), "disk_queue_depth": grown(40, 5, 20)},
    ),
    Sibling(
        "an alert that misleads: CPU asked, storage is full",
        SHORT,
        "CPU is high",
        {"free_storage_space": ramp(0.005, 4, 24), "cpuutilization": grown(1.6), "write_iops": grown(0.1, 24)},
    ),
    Sibling(
        "an alert that misleads: lag asked, nothing is wrong",
        WELL,
        "Replica is behind",
        {"replica_lag": grown(3)},
        ((3, "automated backup completed"),),
    ),
    Sibling(
        "healthy with frightening words", WELL, "Scheduled check", {}, ((2, "test of failover alerts: no failover took place"),)
    ),
    Sibling(
        "storage full, half of the metrics missing",
        SHORT,
        "Writes fail",
        {"free_storage_space": ramp(0.01)},
        without=("cpuutilization", "write_iops", "write_latency", "commit_latency", "replica_lag", "swap_usage"),
    ),
    Sibling("healthy, most metrics missing", WELL, "Scheduled check", {}, without=tuple(m for m in USUAL if m != "cpuutilization")),
    Sibling("a cache that fills and levels", WELL, "Free memory fell", {"freeable_memory": ramp(0.55, 2, 16)}),
    Sibling(
        "a vacuum that reads for a while and is done",
        WELL,
        "Reads are many",
        {"read_iops": grown(4, 8, 22), "read_latency": grown(1.5, 8, 22)},
    ),
)


def case(one: Sibling, seed: int = 0) -> Case:
    """The case in memory; another seed draws other noise."""
    rng = random.Random(zlib.crc32(one.name.encode()) + seed)
    levels = {
        m: v
        for m, v in {"burst_balance": 99.0, "oldest_replication_slot_lag": 1e5, **USUAL}.items()
        if m in USUAL or m in one.shapes
    }
    stamps = [BEGAN.timestamp() + 60 * i for i in range(MINUTES)]
    series = []
    for metric in sorted(set(levels) - set(one.without)):
        shape = one.shapes.get(metric, lambda _: 1.0)
        # What fills or is counted does not flicker as what is measured by the second does.
        noise = 0.002 if metric.startswith(("free_", "transaction_logs_disk", "oldest", "burst")) else 0.04
        values = [levels[metric] * shape(i) * (1 + noise * rng.uniform(-1, 1)) for i in range(MINUTES)]
        ceiling = {"cpuutilization": 100.0, "burst_balance": 100.0, "database_connections": MOST_SESSIONS}.get(metric, float("inf"))
        labels = {"__name__": f"aws_rds_{metric}", "dbinstance_identifier": "ledger-1"}
        series.append(one_series(labels, [(t, min(v, ceiling)) for t, v in zip(stamps, values, strict=True)]))
    said = [f"{(BEGAN + timedelta(minutes=i)).isoformat()} ledger-1: {text}" for i, text in one.events]
    at = BEGAN + timedelta(minutes=MINUTES)
    return Case(
        id=one.name,
        at=at,
        incident=incident(one.name, one.title, {"dbinstance_identifier": "ledger-1"}, stamps[ONSET + 8]),
        metrics=tuple(series),
        observations=(Observation(source="aws", operation="rds events", status=EvidenceStatus.OK, output="\n".join(said)),)
        if said
        else None,
    )


def measured(seed: int = 0) -> list[Row]:
    """Categories and healthy ones left alone; what went wrong is printed."""
    answers = warmed(case(one, seed) for one in SIBLINGS)
    told = [category(a) for a in answers]
    for one, said, answer in zip(SIBLINGS, told, answers, strict=True):
        if said != one.truth:
            first = f"{answer.causes[0].kind.value} {answer.causes[0].object}" if answer.causes else "nothing"
            print(f"  {NAME}: {one.name} is {one.truth}, told {said} ({first})")
    return [
        share(f"{NAME}: category of the first cause", [t == s.truth for t, s in zip(told, SIBLINGS, strict=True)], 13 / 16),
        share(
            f"{NAME}: healthy cases left alone", [a.healthy for a, s in zip(answers, SIBLINGS, strict=True) if s.truth == WELL], 1.0
        ),
        share(
            f"{NAME}: sick cases not called healthy",
            [not a.healthy for a, s in zip(answers, SIBLINGS, strict=True) if s.truth != WELL],
            1.0,
        ),
    ]
