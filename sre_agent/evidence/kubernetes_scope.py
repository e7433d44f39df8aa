"""Which Kubernetes objects bear on an incident: from its alerts' labels to pods, owners, events, nodes, budgets, logs. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sre_agent.evidence.kubernetes_state import (
    JsonObject,
    containers,
    controller_of,
    instant,
    number,
    pod_trouble,
    pressures,
    ready,
    text,
)
from sre_agent.incident.incident import Incident

MAX_SUBJECTS = 5
LOG_CONTAINERS = 8
_OWNER_LABELS = (
    ("deployment", "Deployment"),
    ("statefulset", "StatefulSet"),
    ("daemonset", "DaemonSet"),
    ("replicaset", "ReplicaSet"),
    ("job_name", "Job"),
)


@dataclass(frozen=True)
class Subject:
    """What an alert points at: a namespace with pods or workloads in it, or (namespace None) a node."""

    namespace: str | None
    pods: frozenset[str] = frozenset()
    workloads: frozenset[tuple[str, str]] = frozenset()
    node: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name in it, to be checked before use: labels are untrusted."""
        return (
            *([self.namespace] if self.namespace else ()),
            *self.pods,
            *(n for _, n in self.workloads),
            *([self.node] if self.node else ()),
        )

    @property
    def text(self) -> str:
        """For people."""
        return f"namespace {self.namespace}" if self.namespace else f"node {self.node}"


def subjects(incident: Incident) -> tuple[Subject, ...]:
    """The distinct subjects of the firing alerts (of all alerts when none fires), one per namespace, at most MAX_SUBJECTS."""
    alerts = incident.firing or incident.alerts
    found: dict[str, Subject] = {}
    for alert in alerts:
        labels = alert.labels
        namespace, node = labels.get("namespace", ""), labels.get("node", "")
        if not namespace and not node:
            continue
        old = found.get(namespace or f"node {node}", Subject(namespace or None))
        found[namespace or f"node {node}"] = Subject(
            namespace or None,
            old.pods | {p for p in (labels.get("pod"),) if p},
            old.workloads | {(kind, labels[label]) for label, kind in _OWNER_LABELS if labels.get(label)},
            old.node or node,
        )
    return tuple(found.values())[:MAX_SUBJECTS]


def relevant(subject: Subject, objects: Mapping[str, list[JsonObject]], now: datetime) -> dict[str, list[JsonObject]]:
    """Of everything listed, what bears on the subject, the most telling first in each kind.

    With pods or workloads named: those, their owners up the chain, and all pods of the same workload. Else the whole namespace.
    """
    by_uid = {text(o, "metadata", "uid"): o for kind in objects for o in objects[kind]}
    pods = objects.get("Pod", [])
    roots = {text(_root(p, by_uid), "metadata", "uid") for p in pods if text(p, "metadata", "name") in subject.pods}
    for kind, name in subject.workloads:
        roots |= {text(_root(o, by_uid), "metadata", "uid") for o in objects.get(kind, []) if text(o, "metadata", "name") == name}
    if subject.pods or subject.workloads:
        pods = [p for p in pods if text(_root(p, by_uid), "metadata", "uid") in roots]
    pods = sorted(pods, key=lambda p: (text(p, "metadata", "name") not in subject.pods, pod_trouble(p, now) is None, ready(p)))
    chain = {uid for p in pods for uid in _chain(p, by_uid)} | roots
    found = {kind: [o for o in items if text(o, "metadata", "uid") in chain] for kind, items in objects.items()}
    found["Pod"] = pods
    found["Node"] = _nodes(subject, pods, objects.get("Node", []))
    found["PodDisruptionBudget"] = list(objects.get("PodDisruptionBudget", []))
    about = [*pods, *found["Node"], *(o for kind in found for o in found[kind] if kind not in ("Pod", "Node", "Event"))]
    found["Event"] = _events(objects.get("Event", []), about)
    return found


def log_subjects(pod: JsonObject, now: datetime) -> list[tuple[str, str, str, bool]]:
    """(namespace, pod, container, previous) of each log of an unhealthy pod worth reading; previous only after a restart."""
    if pod_trouble(pod, now) is None:
        return []
    namespace, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
    worth = [c for c in containers(pod) if c.log_worth and not (c.ready and c.restarts == 0)]
    return [(namespace, name, c.name, previous) for c in worth for previous in (False, True) if not previous or c.restarts > 0]


def _chain(item: JsonObject, by_uid: Mapping[str, JsonObject]) -> Iterable[str]:
    """The item's uid and those of its controllers upwards."""
    seen: set[str] = set()
    current: JsonObject | None = item
    while current is not None and (uid := text(current, "metadata", "uid")) not in seen:
        seen.add(uid)
        yield uid
        current = by_uid.get(text(controller_of(current), "uid"))


def _root(item: JsonObject, by_uid: Mapping[str, JsonObject]) -> JsonObject:
    return by_uid.get(list(_chain(item, by_uid))[-1], item)


def _nodes(subject: Subject, pods: list[JsonObject], nodes: list[JsonObject]) -> list[JsonObject]:
    names = {text(p, "spec", "nodeName") for p in pods} | {subject.node}
    mine = [n for n in nodes if text(n, "metadata", "name") in names]
    return sorted(mine, key=lambda n: (text(n, "metadata", "name") != subject.node, ready(n) and not pressures(n)))


def _events(events: list[JsonObject], about: list[JsonObject]) -> list[JsonObject]:
    """Events about any of these objects, newest first. Node events carry the node's name as uid on many clusters."""
    uids = {text(o, "metadata", "uid") for o in about}
    names = {(text(o, "kind"), text(o, "metadata", "name")) for o in about}
    mine = [
        e
        for e in events
        if text(e, "involvedObject", "uid") in uids
        or (text(e, "involvedObject", "kind"), text(e, "involvedObject", "name")) in names
    ]
    return sorted(mine, key=lambda e: str(event_time(e) or ""), reverse=True)


def event_time(event: JsonObject) -> datetime | None:
    """When an event was last seen, in whichever of its three places the time is."""
    series = event.get("series")
    return instant(event.get("lastTimestamp")) or instant(text(series, "lastObservedTime")) or instant(event.get("eventTime"))


def event_count(event: JsonObject) -> int:
    """How often it was seen."""
    return max(1, number(event, "count"), number(event, "series", "count"))


def pod_events(pod: JsonObject, events: Iterable[tuple[str, JsonObject]]) -> list[tuple[str, JsonObject]]:
    """Of (evidence id, event) pairs, those about this pod: same uid, or, where no uid is given, same name."""
    uid, name, namespace = (text(pod, "metadata", k) for k in ("uid", "name", "namespace"))
    found = []
    for evidence_id, event in events:
        about = event.get("involvedObject") or {}
        same_name = text(about, "kind") == "Pod" and text(about, "name") == name and text(about, "namespace") in ("", namespace)
        if same_name and text(about, "uid") in ("", uid):
            found.append((evidence_id, event))
    return found
