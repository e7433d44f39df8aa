"""EKS and RDS-Postgres incidents with red herrings, some of them healthy: which category is it, and is the healthy left alone?"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.kubernetes.state import instant
from sre_agent.evidence.series import Series
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import Observation
from tests.bench.diagnosis.answer import Answer, cost, share, warmed
from tests.bench.diagnosis.opensre_cluster import objects, pod_logs
from tests.bench.diagnosis.tables import incident, one_series
from tests.bench.verdict import Row

NAME, LATER = "opensre_synth", timedelta(minutes=5)
CATEGORY = {
    K.POD_OOM_KILLED: "resource_exhaustion",
    K.POD_IMAGE_PULL_FAILED: "configuration_error",
    K.POD_BAD_CONFIG: "configuration_error",
    K.POD_CRASH_LOOP: "code_defect",
    K.POD_UNSCHEDULABLE: "resource_exhaustion",
    K.POD_PROBE_FAILING: "configuration_error",
    K.CLAIM_UNBOUND: "configuration_error",
    K.REFERENCE_MISSING: "configuration_error",
    K.DNS_FAILING: "configuration_error",
    K.ROLLOUT_REGRESSION: "configuration_error",
    K.NODE_PRESSURE: "resource_exhaustion",
    K.DEPLOYMENT_SATURATED: "resource_exhaustion",
    K.NODE_NOT_READY: "infrastructure",
    K.NODE_FAILING_PODS: "infrastructure",
    K.POSTGRES_PRIMARY_SICK: "infrastructure",
    K.POSTGRES_RESTARTED: "infrastructure",
    K.POSTGRES_DISK_FULL: "resource_exhaustion",
    K.POSTGRES_CONNECTIONS_FULL: "resource_exhaustion",
    K.POSTGRES_REPLICA_LAG: "resource_exhaustion",
    K.POSTGRES_CPU_FULL: "resource_exhaustion",
    K.POSTGRES_IO_SATURATED: "resource_exhaustion",
    K.POSTGRES_MEMORY_SHORT: "resource_exhaustion",
    K.POSTGRES_WAL_RETAINED: "resource_exhaustion",
}
"""What the set calls each kind of finding."""


def measured(root: Path) -> list[Row]:
    """Categories, healthy cases left alone, and the cost."""
    truth = {p.name.partition(".")[0]: _category(p) for p in (root / "truth").glob("*.answer.yml")}
    answers = warmed(cases(root))
    good = [category(a) == truth[a.case] for a in answers]
    for answer, held in zip(answers, good, strict=True):
        if not held:
            print(f"  {NAME}: {answer.case} is {truth[answer.case]}, told {category(answer)}")
    healthy = [a.healthy for a in answers if truth[a.case] == "healthy"]
    sick = [not a.healthy for a in answers if truth[a.case] != "healthy"]
    return [
        share(f"{NAME}: category of the first cause", good, 13 / 16),
        share(f"{NAME}: healthy cases left alone", healthy, 1.0),
        share(f"{NAME}: sick cases not called healthy", sick, 1.0),
        cost(NAME, answers, 150.0),
    ]


def _category(path: Path) -> str:
    return str(yaml.safe_load(path.read_text())["root_cause_category"])


def category(answer: Answer) -> str:
    """What the set calls what was told first; "healthy" where it would be left alone."""
    if answer.healthy:
        return "healthy"
    return CATEGORY.get(answer.causes[0].kind, answer.causes[0].kind.value) if answer.causes else "unknown"


def cases(root: Path) -> Iterator[Case]:
    """Every case."""
    for folder in sorted((root / "cases").iterdir()):
        told = {p.stem: json.loads(p.read_text()) for p in folder.glob("*.json")}
        yield _case(folder.name, told)


def _case(name: str, told: dict[str, Any]) -> Case:
    alert = told["alert"]
    notes = {str(k): str(v) for k, v in alert.get("commonAnnotations", {}).items()}
    labels = {str(k): str(v) for k, v in alert.get("commonLabels", {}).items()}
    if labels.get("workload_type") and labels.get("workload_name"):
        labels[labels["workload_type"]] = labels["workload_name"]
    if instance := notes.get("db_instance_identifier"):
        labels["dbinstance_identifier"] = instance
    series = tuple(_series(told))
    logs = tuple(pod_logs(told))
    at = max(
        [*_times(told), *(datetime.fromtimestamp(s.samples[-1][0], UTC) for s in series)], default=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return Case(
        id=name,
        at=at + timedelta(seconds=1),
        incident=incident(name, alert["title"], labels, (at - LATER).timestamp(), notes),
        kubernetes=objects(told, at),
        logs=logs,
        metrics=series or None,
        observations=_events(told) or None,
        postgres={"activity": told["aws_performance_insights"]["top_sql"]} if told.get("aws_performance_insights") else None,
    )


def _series(told: dict[str, Any]) -> Iterator[Series]:
    """Metrics by the names that the CloudWatch exporters give: aws_rds_free_storage_space, label dbinstance_identifier."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in told.items():
        if key.startswith("aws_cloudwatch_metrics_") and "metric_name" in value:
            found[value["metric_name"]] = value
    for value in told.get("aws_cloudwatch_metrics", {}).get("metric_data_results", ()):
        found[value["metric_name"]] = value
    for metric, value in sorted(found.items()):
        stamps = [datetime.fromisoformat(t).timestamp() for t in value["timestamps"]]
        instance = value["dimensions"][0]["Value"]
        labels = {"__name__": f"aws_rds_{_snake(metric)}", "dbinstance_identifier": instance}
        yield one_series(labels, list(zip(stamps, map(float, value["values"]), strict=True)))


def _snake(name: str) -> str:
    """FreeStorageSpace -> free_storage_space, CPUUtilization -> cpuutilization (as the exporters do)."""
    out = ""
    for i, c in enumerate(name):
        out += "_" if c.isupper() and i and name[i - 1].islower() else ""
        out += c.lower()
    return out


def _events(told: dict[str, Any]) -> tuple[Observation, ...]:
    """What the provider said of its databases, as text."""
    said = [f"{e['date']} {e['source_identifier']}: {e['message']}" for e in told.get("aws_rds_events", {}).get("events", ())]
    return (Observation(source="aws", operation="rds events", status=EvidenceStatus.OK, output="\n".join(said)),) if said else ()


def _times(told: dict[str, Any]) -> list[datetime]:
    """Every time that an event or a log line carries."""
    events = told.get("eks_events", {}).get("warning_events", ())
    found = [instant(e.get("last_time")) for e in events] + [
        instant(e["timestamp"]) for e in told.get("datadog_logs", {}).get("logs", ())
    ]
    found += [instant(e["date"]) for e in told.get("aws_rds_events", {}).get("events", ())]
    return [at for at in found if at is not None]
