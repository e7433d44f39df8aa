"""Which Kubernetes objects bear on an incident: from its alerts' labels to pods, workloads, network, events, logs. Pure.

The whole namespace of an alert is looked at, because causes sit next door; what the labels name comes first, then what is in
trouble. What is only cluster-wide is kept where something here refers to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sre_agent.evidence.kubernetes.deployment_surroundings import revision
from sre_agent.evidence.kubernetes.events import event_time
from sre_agent.evidence.kubernetes.groups import APP_LABELS, WORKLOADS
from sre_agent.evidence.kubernetes.groups import CLUSTER_KINDS as CLUSTER_KINDS
from sre_agent.evidence.kubernetes.groups import GROUPS as GROUPS
from sre_agent.evidence.kubernetes.state import (
    Container,
    JsonObject,
    containers,
    controller_of,
    dig,
    labels_of,
    number,
    pod_trouble,
    pressures,
    ready,
    text,
)
from sre_agent.incident.incident import Incident

MAX_SUBJECTS = 5
LOG_CONTAINERS = 8
QUIET_LOGS = 2
"""How many healthy pods of what the alert names have their logs read, when none of it is unhealthy."""
HISTORY = 3
"""How many ReplicaSets of one Deployment are kept, newest first: the rollout history."""
_OWNER_LABELS = (
    ("deployment", "Deployment"),
    ("statefulset", "StatefulSet"),
    ("daemonset", "DaemonSet"),
    ("replicaset", "ReplicaSet"),
    ("job_name", "Job"),
    ("cronjob", "CronJob"),
)
_HINTS = ("service", "app", "app_kubernetes_io_name", "app.kubernetes.io/name", "workload", "container")


@dataclass(frozen=True)
class Subject:
    """What an alert points at: a namespace with pods or workloads in it, or (namespace None) a node.

    `hints` are what other labels call it (service, app): only compared, never asked for.
    """

    namespace: str | None
    pods: frozenset[str] = frozenset()
    workloads: frozenset[tuple[str, str]] = frozenset()
    node: str = ""
    hints: frozenset[str] = frozenset()

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
            old.hints | {labels[label] for label in _HINTS if labels.get(label)},
        )
    return tuple(found.values())[:MAX_SUBJECTS]


def relevant(subject: Subject, objects: Mapping[str, list[JsonObject]], now: datetime) -> dict[str, list[JsonObject]]:
    """Of everything listed, what bears on the subject, the most telling first in each kind: what is named, then what is sick."""
    owners = _Owners(objects)
    named = owners.named(subject)
    mine = {id(p) for p in objects.get("Pod", []) if owners.keys_of(p) & named}
    pods = sorted(
        objects.get("Pod", []),
        key=lambda p: (
            text(p, "metadata", "name") not in subject.pods,
            id(p) not in mine,
            not _in_trouble(p, now),
            ready(p),
        ),
    )
    found = {kind: _ordered(kind, items, named) for kind, items in objects.items()}
    found["Pod"] = pods
    found["Node"] = _nodes(subject, pods, objects.get("Node", []))
    found["ReplicaSet"] = _replica_sets(objects.get("ReplicaSet", []), {k for p in pods for k in owners.keys_of(p)} | named)
    found["PodDisruptionBudget"] = list(objects.get("PodDisruptionBudget", []))
    found |= _referred_to(subject, found)
    about = [o for kind in found for o in found[kind] if kind != "Event"]
    found["Event"] = _events(objects.get("Event", []), about)
    return found


def logs_wanted(subject: Subject, found: Mapping[str, list[JsonObject]], now: datetime) -> list[tuple[str, str, str, bool]]:
    """(namespace, pod, container, previous) of the logs worth reading, at most LOG_CONTAINERS.

    Those of unhealthy pods. When nothing that the labels name is unhealthy, a few of its healthy pods as well: what
    ails them may stand in their logs alone.
    """
    pods = found.get("Pod", [])
    sick = [entry for p in pods for entry in log_subjects(p, now)]
    owners = _Owners(found)
    named = owners.named(subject)
    mine = [p for p in pods if owners.keys_of(p) & named]
    if any(_in_trouble(p, now) for p in mine):
        return sick[:LOG_CONTAINERS]
    quiet = [
        (text(p, "metadata", "namespace"), text(p, "metadata", "name"), c.name, False)
        for p in mine[:QUIET_LOGS]
        for c in _running(p)
    ]
    return [*quiet, *sick][:LOG_CONTAINERS]


def _running(pod: JsonObject) -> list[Container]:
    return [c for c in containers(pod) if c.running]


def log_subjects(pod: JsonObject, now: datetime) -> list[tuple[str, str, str, bool]]:
    """(namespace, pod, container, previous) of each log of an unhealthy pod worth reading; previous only after a restart."""
    if pod_trouble(pod, now) is None:
        return []
    namespace, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
    worth = [c for c in containers(pod) if c.log_worth and not (c.ready and c.restarts == 0)]
    return [(namespace, name, c.name, previous) for c in worth for previous in (False, True) if not previous or c.restarts > 0]


class _Owners:
    """The objects by what identifies them, to walk from a pod up its controllers. Objects without a uid go by their name."""

    def __init__(self, objects: Mapping[str, list[JsonObject]]) -> None:
        self._objects = objects
        self._known = {_key(o): o for kind, items in objects.items() if kind != "Event" for o in items}
        self._known |= {_name_key(o): o for kind, items in objects.items() if kind != "Event" for o in items}

    def keys_of(self, item: JsonObject) -> frozenset[str]:
        """The item's key and those of its controllers upwards."""
        keys: list[str] = []
        current: JsonObject | None = item
        while current is not None and (key := _key(current)) not in keys:
            keys.append(key)
            owner = controller_of(current)
            by_name = f"{text(owner, 'kind')}/{text(current, 'metadata', 'namespace')}/{text(owner, 'name')}"
            current = self._known.get(text(owner, "uid") or by_name) if owner else None
        return frozenset(keys)

    def named(self, subject: Subject) -> frozenset[str]:
        """The keys of what the labels name: workloads, the roots of pods, and what is called so by name or label."""
        roots = {k for p in self._objects.get("Pod", []) if text(p, "metadata", "name") in subject.pods for k in self._root(p)}
        for kind, name in subject.workloads:
            roots |= {k for o in self._objects.get(kind, []) if text(o, "metadata", "name") == name for k in self._root(o)}
        for kind in (*WORKLOADS, "Pod"):
            roots |= {_key(o) for o in self._objects.get(kind, []) if subject.hints & _called(o)}
        return frozenset(roots)

    def _root(self, item: JsonObject) -> list[str]:
        """Everything up to the root but ReplicaSets' and pods' own keys, so that peers count as well."""
        keys = [k for k in self.keys_of(item) if (o := self._known.get(k)) is not None and not controller_of(o)]
        return keys or [_key(item)]


def _key(item: JsonObject) -> str:
    return text(item, "metadata", "uid") or _name_key(item)


def _name_key(item: JsonObject) -> str:
    return f"{text(item, 'kind')}/{text(item, 'metadata', 'namespace')}/{text(item, 'metadata', 'name')}"


def _called(item: JsonObject) -> set[str]:
    labels = labels_of(item)
    return {text(item, "metadata", "name"), *(v for k in APP_LABELS if isinstance(v := labels.get(k), str))}


def _in_trouble(pod: JsonObject, now: datetime) -> bool:
    """In a trouble that Kubernetes tells of, failed, or still without a node."""
    return pod_trouble(pod, now) is not None or text(pod, "status", "phase") in ("Pending", "Failed")


def _ordered(kind: str, items: list[JsonObject], named: frozenset[str]) -> list[JsonObject]:
    """What is named first, then what is not as it should be, then the rest as listed."""
    return sorted(items, key=lambda o: (_key(o) not in named, kind in WORKLOADS and not _short(o)))


def _short(workload: JsonObject) -> bool:
    """Whether it has fewer ready pods than it wants, or wants none."""
    wanted = dig(workload, "spec", "replicas")
    if text(workload, "kind") == "DaemonSet":
        wanted = number(workload, "status", "desiredNumberScheduled")
        return number(workload, "status", "numberReady") < number(workload, "status", "desiredNumberScheduled")
    return wanted == 0 or number(workload, "status", "readyReplicas") < (wanted if isinstance(wanted, int) else 1)


def _replica_sets(items: list[JsonObject], chain: set[str]) -> list[JsonObject]:
    """Those with pods, and the newest HISTORY of each Deployment, newest first; those of what is named or has pods before."""
    newest = sorted(items, key=revision, reverse=True)
    seen: dict[str, int] = {}
    kept = []
    for item in newest:
        owner = text(controller_of(item), "uid") or text(controller_of(item), "name")
        seen[owner] = seen.get(owner, 0) + 1
        if seen[owner] <= HISTORY or _key(item) in chain or number(item, "status", "replicas"):
            kept.append(item)
    return sorted(kept, key=lambda o: _key(o) not in chain)


def _referred_to(subject: Subject, found: Mapping[str, list[JsonObject]]) -> dict[str, list[JsonObject]]:
    """The cluster-wide objects that something of the namespace refers to, or would need."""
    claims = found.get("PersistentVolumeClaim", [])
    bound = {text(c, "spec", "volumeName") for c in claims}
    waiting = any(text(c, "status", "phase") != "Bound" for c in claims)
    templates = [*found.get("Pod", []), *(dig(o, "spec", "template") for kind in WORKLOADS for o in found.get(kind, []))]
    ranked = any(text(t, "spec", "priorityClassName") for t in templates)
    return {
        "PersistentVolume": [
            v
            for v in found.get("PersistentVolume", [])
            if text(v, "metadata", "name") in bound
            or text(v, "spec", "claimRef", "namespace") == subject.namespace
            or (waiting and text(v, "status", "phase") == "Available")
        ],
        "StorageClass": list(found.get("StorageClass", [])) if claims else [],
        "IngressClass": list(found.get("IngressClass", [])) if found.get("Ingress") else [],
        "PriorityClass": list(found.get("PriorityClass", [])) if ranked else [],
        "Namespace": [n for n in found.get("Namespace", []) if text(n, "metadata", "name") == subject.namespace],
    }


def _nodes(subject: Subject, pods: list[JsonObject], nodes: list[JsonObject]) -> list[JsonObject]:
    """The nodes of these pods, the worst first; all of them when a pod has found no node."""
    names = {text(p, "spec", "nodeName") for p in pods} | {subject.node}
    homeless = any(not text(p, "spec", "nodeName") and text(p, "status", "phase") in ("Pending", "") for p in pods)
    mine = [n for n in nodes if homeless or text(n, "metadata", "name") in names]
    return sorted(mine, key=lambda n: (text(n, "metadata", "name") != subject.node, ready(n) and not pressures(n)))


def _events(events: list[JsonObject], about: list[JsonObject]) -> list[JsonObject]:
    """Events about any of these objects, warnings before the others, newest first.

    Node events carry the node's name as uid on many clusters.
    """
    uids = {uid for o in about if (uid := text(o, "metadata", "uid"))}
    names = {(text(o, "kind"), text(o, "metadata", "name")) for o in about}
    mine = [
        e
        for e in events
        if text(e, "involvedObject", "uid") in uids
        or (text(e, "involvedObject", "kind"), text(e, "involvedObject", "name")) in names
    ]
    newest = sorted(mine, key=lambda e: str(event_time(e) or ""), reverse=True)
    return sorted(newest, key=lambda e: text(e, "type") == "Normal")
