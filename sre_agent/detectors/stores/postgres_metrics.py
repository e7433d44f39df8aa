"""POSTGRES_..._FULL, _REPLICA_LAG, _IO_SATURATED, _MEMORY_SHORT, _WAL_RETAINED, _RESTARTED: a managed database by its metrics.

Pure. Read are gauges of a managed PostgreSQL under the names that CloudWatch exporters give (aws_rds_..., label
dbinstance_identifier; meanings: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html). Only the newest
samples count: what ran short and has recovered is left alone. A restart or failover alone is told although it is over.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import Samples, change_point
from sre_agent.evidence.view import EvidenceView

K = FindingKind
LATELY = 5
LEFT_OF_MOST, LEFT_BYTES, SOON_S = 0.2, 1e9, 1800.0
MEMORY_LEFT = 0.25
LAG_S, LAG_GROWING_S = 300.0, 60.0
CPU_PERCENT = 85.0
TIMES_MORE, MUCH_MORE = 1.5, 5.0
FLICKER = 0.01
BALANCE_SPENT = 5.0
"""Per cent of the burst balance: below, the disk does its baseline rate and no more."""
MIN_QUEUE, MIN_SWAP, MIN_LOG = 5.0, 256e6, 1024.0**3
LABEL = "dbinstance_identifier"
PREFIX = "aws_rds_"
_ASKS_FOR_SESSIONS = re.compile(r"connection|session|client|pool", re.IGNORECASE)
Values = tuple[float, ...]


@dataclass(frozen=True)
class _Database:
    """One database's series by the metric's short name, oldest sample first; `asked` is what the alert says."""

    name: str
    told: Mapping[str, tuple[str, Samples]]
    asked: str

    def values(self, metric: str) -> Values:
        """All values; () when the metric is not there or too short to judge."""
        samples = self.told[metric][1] if metric in self.told else ()
        return tuple(v for _, v in samples) if len(samples) >= 2 * LATELY else ()

    def late(self, metric: str) -> Values:
        """The newest LATELY values."""
        return self.values(metric)[-LATELY:]

    def grew(self, metric: str) -> float:
        """How many times its first level (median of the first three) it is now at least; 0 when not told."""
        every = self.values(metric)
        first = median(every[:3]) if every else 0.0
        return min(every[-LATELY:]) / first if first > 0 else 0.0


Told = tuple[FindingKind, float, str, str] | None
"""(kind, strength, the metric that shows it, one line)."""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind a database, strongest first."""
    told: dict[str, dict[str, tuple[str, Samples]]] = defaultdict(dict)
    for evidence_id, series in view.series():
        database = series.labels.get(LABEL)
        if database and series.name.startswith(PREFIX):
            told[database][series.name.removeprefix(PREFIX)] = (evidence_id, series.finite())
    incident = view.scope.incident
    asked = " ".join([incident.title, *(w for a in incident.alerts for w in (a.name, *a.annotations.values()))])
    databases = [_Database(name, metrics, asked) for name, metrics in told.items()]
    found = [_finding(d, t) for d in databases for rule in _RULES if (t := rule(d)) is not None]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object, f.kind)))


def _storage(database: _Database) -> Told:
    every, late = database.values("free_storage_space"), database.late("free_storage_space")
    # Full and level, it flickers; enlarged, it is more than that.
    if not every or late[-1] > 1.1 * late[0]:
        return None
    metric = "free_storage_space"
    if median(late) <= LEFT_OF_MOST * max(every):
        return K.POSTGRES_DISK_FULL, 0.8, metric, "its free storage space shrinks and is nearly used up"
    if max(every) >= 1e6 and max(late) < LEFT_BYTES:
        return K.POSTGRES_DISK_FULL, 0.75, metric, "its free storage space is nearly used up"
    samples = database.told[metric][1][-LATELY:]
    shrinks = (late[0] - late[-1]) / max(samples[-1][0] - samples[0][0], 1.0)
    steadily = all(a > b for a, b in pairwise(late))
    if steadily and late[-1] <= 0.5 * max(every) and late[-1] <= shrinks * SOON_S:
        return (
            K.POSTGRES_DISK_FULL,
            0.6,
            metric,
            f"at this pace its free storage space is used up in {late[-1] / shrinks / 60:.0f} minutes",
        )
    return None


def _connections(database: _Database) -> Told:
    every, late = database.values("database_connections"), database.late("database_connections")
    if not every or min(every[:3]) <= 0 or max(late) > 1.05 * min(late):
        return None
    # A ceiling is leant against: what is only as many as there is work for goes down as often as up.
    if any(b < (1 - FLICKER) * a for a, b in pairwise(late)):
        return None
    kind, metric = K.POSTGRES_CONNECTIONS_FULL, "database_connections"
    said = "its connections grew and stand at a ceiling (max_connections), as leaked or idle client sessions do"
    if min(late) >= TIMES_MORE * min(every[:3]):
        return kind, 0.72, metric, said
    # Less growth is told only where the alert asks for sessions: it rose nearly all the time, and ever less.
    steps = [b - a for a, b in pairwise(every)]
    half = len(every) // 2
    slowing = every[half] - every[0] >= 3 * (every[-1] - every[half]) > 0
    rising = sum(s >= 0 for s in steps) >= 0.8 * len(steps) and every[-1] >= 1.05 * every[0]
    return (kind, 0.71, metric, said) if rising and slowing and _ASKS_FOR_SESSIONS.search(database.asked) else None


def _restarted(database: _Database) -> Told:
    every, late = database.values("database_connections"), database.late("database_connections")
    if not every:
        return None
    before = median(every[: max(3, len(every) // 4)])
    gone = min(every)
    if before > 0 and gone <= 0.05 * before and min(late) >= 0.5 * before:
        said = "its connections were all gone at once and came back: a restart or a failover, after which workload resumed"
        return K.POSTGRES_RESTARTED, 0.6, "database_connections", said
    return None


def _lag(database: _Database) -> Told:
    late = database.late("replica_lag")
    fast = database.grew("transaction_logs_generation")
    also = f", and write-ahead log is written {fast:.0f} times as fast" if fast >= 2 else ""
    said = f"the replica's replication lag grew: it cannot replay the WAL as fast as it is written{also}"
    if late and min(late) >= LAG_S:
        return K.POSTGRES_REPLICA_LAG, 0.75, "replica_lag", said
    grows = bool(late) and min(late) >= LAG_GROWING_S and late[-1] >= late[0] and database.grew("replica_lag") >= 2 * MUCH_MORE
    return (K.POSTGRES_REPLICA_LAG, 0.55, "replica_lag", said) if grows else None


def _cpu(database: _Database) -> Told:
    late = database.late("cpuutilization")
    return (K.POSTGRES_CPU_FULL, 0.7, "cpuutilization", "its CPU is used up") if late and min(late) >= CPU_PERCENT else None


def _io(database: _Database) -> Told:
    """A queue at the disk that grew; without that metric, slow reads or writes while they are as many as they can be."""
    balance = database.late("burst_balance")
    waits = max(database.grew(m) for m in ("read_latency", "write_latency", "disk_queue_depth"))
    if balance and max(balance) <= BALANCE_SPENT and waits >= MUCH_MORE:
        said = f"its storage has spent its burst balance, and requests wait {waits:.0f} times as long or as many"
        return K.POSTGRES_IO_SATURATED, 0.66, "burst_balance", said
    queue = database.late("disk_queue_depth")
    if queue:
        deep = min(queue) >= MIN_QUEUE and database.grew("disk_queue_depth") >= MUCH_MORE
        said = "requests queue up at its storage, which is as busy as it can be"
        return (K.POSTGRES_IO_SATURATED, 0.66, "disk_queue_depth", said) if deep else None
    for way in ("read", "write"):
        late = database.late(f"{way}_iops")
        flat = bool(late) and min(late) > 0 and max(late) <= 1.1 * min(late)
        if flat and database.grew(f"{way}_iops") >= TIMES_MORE and database.grew(f"{way}_latency") >= MUCH_MORE:
            said = f"its {way}s stand at a ceiling and take {database.grew(f'{way}_latency'):.0f} times as long"
            return K.POSTGRES_IO_SATURATED, 0.62, f"{way}_iops", said
    return None


def _memory(database: _Database) -> Told:
    every, late = database.values("freeable_memory"), database.late("freeable_memory")
    if every and median(late) <= MEMORY_LEFT * max(every) and late[-1] <= 1.1 * late[0]:
        return K.POSTGRES_MEMORY_SHORT, 0.68, "freeable_memory", "its freeable memory is nearly used up"
    swap = database.late("swap_usage")
    if swap and min(swap) >= MIN_SWAP and database.grew("swap_usage") >= 3 and every and median(late) <= 0.5 * max(every):
        return K.POSTGRES_MEMORY_SHORT, 0.66, "swap_usage", "it swaps many times as much, and half of its free memory is gone"
    return None


def _log(database: _Database) -> Told:
    """Write-ahead log that piles up: a slot that nobody reads, or a replica that is gone."""
    for metric in ("oldest_replication_slot_lag", "transaction_logs_disk_usage"):
        late = database.late(metric)
        if late and min(late) >= MIN_LOG and database.grew(metric) >= 3 and late[-1] >= late[0]:
            return (
                K.POSTGRES_WAL_RETAINED,
                0.62,
                metric,
                "it keeps ever more write-ahead log, as for a replication slot without a reader",
            )
    return None


_RULES: tuple[Callable[[_Database], Told], ...] = (_storage, _connections, _restarted, _lag, _cpu, _io, _memory, _log)


def _finding(database: _Database, told: tuple[FindingKind, float, str, str]) -> Finding:
    kind, strength, metric, said = told
    evidence_id, samples = database.told[metric]
    at = change_point(samples)
    return Finding(
        kind=kind,
        object=f"postgres/{database.name.lower()}",
        cause=f"{database.name}: {said} ({PREFIX}{metric} {samples[0][1]:.4g} -> {samples[-1][1]:.4g})",
        onset=datetime.fromtimestamp(samples[0][0] if at is None else samples[at][0], UTC),
        strength=strength,
        evidence=(evidence_id,),
        refuted_by="the newest samples are back at their usual level",
    )
