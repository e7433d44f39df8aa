"""POSTGRES_..._FULL, POSTGRES_REPLICA_LAG, POSTGRES_RESTARTED: a database short of something, or gone for a while, by its metrics.

Pure. Read are gauges of a managed PostgreSQL under the names that CloudWatch exporters give (aws_rds_..., label
dbinstance_identifier; meanings: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html). Only the newest
samples count: what ran short and has recovered is left alone. A restart or failover alone is told although it is over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView

LATELY = 5
LEFT_OF_MOST = 0.2
LAG_S = 300.0
CPU_PERCENT = 85.0
TIMES_MORE = 1.5
LABEL = "dbinstance_identifier"
Values = tuple[float, ...]


@dataclass(frozen=True)
class _Rule:
    """`short` judges (all values, the newest LATELY of them), oldest first."""

    kind: FindingKind
    metric: str
    short: Callable[[Values, Values], bool]
    said: str
    strength: float


_RULES = (
    _Rule(
        FindingKind.POSTGRES_DISK_FULL,
        "aws_rds_free_storage_space",
        lambda every, late: median(late) <= LEFT_OF_MOST * max(every) and late[-1] <= late[0],
        "its free storage space shrinks and is nearly used up",
        0.8,
    ),
    _Rule(
        FindingKind.POSTGRES_CONNECTIONS_FULL,
        "aws_rds_database_connections",
        lambda every, late: min(late) >= TIMES_MORE * every[0] and max(late) <= 1.05 * min(late),
        "its connections grew by half and more and stand at a ceiling, as leaked or idle client sessions do",
        0.65,
    ),
    _Rule(
        FindingKind.POSTGRES_RESTARTED,
        "aws_rds_database_connections",
        lambda every, late: every[0] > 0 and min(every) == 0 and min(late) > 0,
        "all its connections were gone at once and came back: a restart or a failover, after which workload resumed",
        0.6,
    ),
    _Rule(
        FindingKind.POSTGRES_REPLICA_LAG,
        "aws_rds_replica_lag",
        lambda _, late: min(late) >= LAG_S,
        "the replica's replication lag grew: it cannot replay the WAL as fast as it is written",
        0.75,
    ),
    _Rule(
        FindingKind.POSTGRES_CPU_FULL,
        "aws_rds_cpuutilization",
        lambda _, late: min(late) >= CPU_PERCENT,
        "its CPU is used up",
        0.7,
    ),
)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind a database, strongest first."""
    found = []
    for evidence_id, series in view.series():
        points, database = series.finite(), series.labels.get(LABEL)
        if not database or len(points) < 2 * LATELY:
            continue
        values = tuple(v for _, v in points)
        for rule in (r for r in _RULES if r.metric == series.name and r.short(values, values[-LATELY:])):
            cause = f"{database}: {rule.said} ({series.name} {values[0]:.4g} -> {values[-1]:.4g})"
            found.append(
                Finding(
                    kind=rule.kind,
                    object=f"postgres/{database.lower()}",
                    cause=cause,
                    onset=datetime.fromtimestamp(points[0][0], UTC),
                    strength=rule.strength,
                    evidence=(evidence_id,),
                    refuted_by="the newest samples are back at their usual level",
                )
            )
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object)))
