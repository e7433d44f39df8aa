"""Where an incident is, as its labels say: what a finding must be near to, to be about this incident. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.finding import Finding
from sre_agent.evidence.kubernetes.state import NOT_READY_FOR, dig, entries, instant, number, terminating, text
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.incident import Incident, IncidentStatus

# label -> the kind in an object name ("redis_master": cache -> "redis/cache")
_LABELS = {
    "pod": "pod",
    "deployment": "deployment",
    "statefulset": "statefulset",
    "daemonset": "daemonset",
    "job_name": "job",
    "cronjob": "cronjob",
    "horizontalpodautoscaler": "hpa",
    "persistentvolumeclaim": "claim",
    "poddisruptionbudget": "poddisruptionbudget",
    "node": "node",
    "redis_master": "redis",
    "redis_cluster": "redis",
    "patroni_cluster": "postgres",
    "dbinstance_identifier": "postgres",
    "queue": "queue",
    "tool_name": "tool",
}
_OWNERS = ("deployment", "statefulset", "daemonset")
# kind, where it says how many replicas are wanted, and where how many are ready
_COUNTS = (
    ("Deployment", ("spec", "replicas"), ("status", "readyReplicas")),
    ("StatefulSet", ("spec", "replicas"), ("status", "readyReplicas")),
    ("DaemonSet", ("status", "desiredNumberScheduled"), ("status", "numberReady")),
)


def places(incident: Incident) -> frozenset[str]:
    """The objects the labels name, as "kind/name" in lower case; without any, the namespaces as "namespace/name"."""
    named = {f"{kind}/{value.lower()}" for label, kind in _LABELS.items() for value in incident.label_values(label) if value}
    return frozenset(named or {f"namespace/{n}" for n in incident.label_values("namespace") if n})


def nearness(finding: Finding, incident: Incident) -> int:
    """2: the labels name its object or owner; 1: same namespace, or the labels name no place; 0: elsewhere."""
    named = places(incident)
    if not named:
        return 1
    namespaces = incident.label_values("namespace")
    same_namespace = finding.namespace is not None and finding.namespace in namespaces
    if namespaces and finding.namespace is not None and not same_namespace:
        return 0
    kind, _, name = finding.object.partition("/")
    owned = kind == "pod" and any(name.startswith(p.partition("/")[2] + "-") for p in named if p.partition("/")[0] in _OWNERS)
    if finding.object in named or owned:
        return 2
    return 1 if same_namespace else 0


def still_firing(incident: Incident) -> bool:
    """True unless every alert has resolved. An incident without known alerts counts as firing."""
    return incident.status is not IncidentStatus.RESOLVED and (bool(incident.firing) or not incident.alerts)


def observed(view: EvidenceView) -> bool:
    """True when the place the alert is about was really seen, so that "nothing wrong there" means something."""
    named = places(view.scope.incident)
    seen = frozenset(_seen(view))
    return bool(named) and named <= seen


def _seen(view: EvidenceView) -> Iterator[str]:
    for _, state in view.redis():
        if state.primary is not None and not state.primary.error:
            yield f"redis/{state.name.lower()}"
    for _, cluster in view.redis_clusters():
        if cluster.answering:
            yield f"redis/{cluster.name.lower()}"
    for _, database in view.patroni():
        if database.answering:
            yield f"postgres/{database.name.lower()}"
    for _, series in view.series():
        if series.samples and (instance := series.labels.get("dbinstance_identifier")):
            yield f"postgres/{instance.lower()}"
    for _, queue in view.queues():
        if not queue.error:
            yield f"queue/{queue.name.lower()}"
    namespaces = view.scope.incident.label_values("namespace")
    for kind in ("Pod", "Deployment", "StatefulSet", "DaemonSet", "Node"):
        for _, item in view.objects(kind):
            namespace = text(item, "metadata", "namespace")
            if kind == "Node" or not namespaces or namespace in namespaces:
                yield f"{kind}/{text(item, 'metadata', 'name')}".lower()
                yield f"namespace/{namespace}"
                yield from _owners(item)
    if any(view.ok(EvidenceKind.METRICS)):
        yield from (f"tool/{name.lower()}" for name in view.scope.incident.label_values("tool_name"))


def _owners(item: dict[str, Any]) -> Iterator[str]:
    for owner in entries(item, "metadata", "ownerReferences"):
        kind, name = text(owner, "kind").lower(), text(owner, "name").lower()
        yield f"{kind}/{name}"
        if kind == "replicaset":
            yield f"deployment/{name.rpartition('-')[0]}"


def complete(view: EvidenceView) -> bool:
    """False when a workload that was read has fewer ready replicas than it should, or a pod waits: then all is not well,
    even if no detector can say why."""
    for kind, wanted, there in _COUNTS:
        for _, item in view.objects(kind):
            asked = dig(item, *wanted)
            if isinstance(asked, int) and asked > number(item, *there) and not terminating(item):
                return False
    waiting = (p for _, p in view.objects("Pod") if text(p, "status", "phase") in ("Pending", "Unknown") and not terminating(p))
    return all(_young(p, view.scope.now) for p in waiting)


def _young(pod: dict[str, Any], now: datetime) -> bool:
    made = instant(dig(pod, "metadata", "creationTimestamp"))
    return made is not None and now - made < NOT_READY_FOR
