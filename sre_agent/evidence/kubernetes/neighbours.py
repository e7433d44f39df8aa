"""Who belongs to whom in a cluster, and who calls whom, as far as the objects say. Pure.

A workload is written "deployment/api"; pods are found by their controllers, Services by their selectors, calls by the host
names in the containers' environment. A name in an environment is data: an edge only ever takes permission away.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sre_agent.evidence.kubernetes.state import JsonObject, controller_of, dig, entries, labels_of, text
from sre_agent.evidence.view import EvidenceView

SHORTEST_NAME = 3
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
Key = tuple[str, str]
"""(namespace, "kind/name" in lower case)."""


@dataclass
class Neighbours:
    """The relations, read once from a view. `nodes` is where each pod runs, `claims` the volume claims it names."""

    owners: dict[Key, Key] = field(default_factory=dict)
    behind: dict[Key, set[Key]] = field(default_factory=dict)
    calls: dict[Key, set[Key]] = field(default_factory=dict)
    nodes: dict[Key, str] = field(default_factory=dict)
    claims: dict[Key, set[Key]] = field(default_factory=dict)

    def workload(self, key: Key) -> Key:
        """The workload at the top of an object's chain of controllers; the object itself when nobody controls it."""
        seen: set[Key] = set()
        while key in self.owners and key not in seen:
            seen.add(key)
            key = self.owners[key]
        return key

    def depends_on(self, caller: Key, callee: Key) -> bool:
        """Whether the caller's workload calls a Service that is the callee, or that its workload is behind."""
        asked = self.calls.get(self.workload(caller), set())
        top = self.workload(callee)
        return callee in asked or any(top in self.behind.get(service, ()) for service in asked)


def neighbours(view: EvidenceView) -> Neighbours:
    """Everything the Pods, ReplicaSets, Jobs and Services of a view say about each other. Read once a view."""
    found = Neighbours()
    pods = [p for _, p in view.objects("Pod")]
    for kind in ("Pod", "ReplicaSet", "Job"):
        for _, item in view.objects(kind):
            owner = controller_of(item)
            if owner is not None:
                namespace = text(item, "metadata", "namespace")
                found.owners[key_of(item)] = (namespace, f"{text(owner, 'kind')}/{text(owner, 'name')}".lower())
    for pod in pods:
        namespace = text(pod, "metadata", "namespace")
        found.nodes[key_of(pod)] = text(pod, "spec", "nodeName").lower()
        named = (text(v, "persistentVolumeClaim", "claimName") for v in entries(pod, "spec", "volumes"))
        found.claims[key_of(pod)] = {(namespace, f"claim/{name}".lower()) for name in named if name}
    services = [s for _, s in view.objects("Service")]
    for service in services:
        found.behind[key_of(service)] = {found.workload(key_of(p)) for p in selected(service, pods)}
        found.behind[key_of(service)] |= {key_of(w) for w in _templates(view) if _selects(service, w)}
    hosts = {text(s, "metadata", "name").lower(): key_of(s) for s in services}
    for item in (*pods, *_templates(view)):
        found.calls.setdefault(found.workload(key_of(item)), set()).update(_called(item, hosts))
    return found


def key_of(item: JsonObject) -> Key:
    """(namespace, "kind/name") of an object, as findings write it."""
    kind = text(item, "kind").lower().replace("persistentvolumeclaim", "claim")
    return text(item, "metadata", "namespace"), f"{kind}/{text(item, 'metadata', 'name').lower()}"


def selected(service: JsonObject, pods: Iterable[JsonObject]) -> list[JsonObject]:
    """The pods of its namespace that a Service's selector matches; none without a selector."""
    return [p for p in pods if _matches(service, p, labels_of(p))]


def _matches(service: JsonObject, item: JsonObject, labels: Mapping[str, object]) -> bool:
    selector = dig(service, "spec", "selector")
    same = text(service, "metadata", "namespace") == text(item, "metadata", "namespace")
    return isinstance(selector, dict) and bool(selector) and same and all(labels.get(k) == v for k, v in selector.items())


def _selects(service: JsonObject, workload: JsonObject) -> bool:
    labels = dig(workload, "spec", "template", "metadata", "labels")
    return _matches(service, workload, labels if isinstance(labels, dict) else {})


def _templates(view: EvidenceView) -> list[JsonObject]:
    return [w for kind in ("Deployment", "StatefulSet", "DaemonSet") for _, w in view.objects(kind)]


def _called(item: JsonObject, hosts: Mapping[str, Key]) -> set[Key]:
    """The Services whose names stand as whole words in the environment or arguments of an object's containers."""
    spec = dig(item, "spec", "template", "spec") or dig(item, "spec")
    containers = entries(spec, "containers") + entries(spec, "initContainers")
    values = [text(e, "value") for c in containers for e in entries(c, "env")]
    values += [str(a) for c in containers for key in ("command", "args") for a in (dig(c, key) or ()) if isinstance(a, str)]
    words = {w for value in values for w in _WORD.findall(value[:2000].lower()) if len(w) >= SHORTEST_NAME}
    namespace = text(item, "metadata", "namespace")
    own = f"service/{text(item, 'metadata', 'name').lower()}"
    return {hosts[w] for w in words & set(hosts) if hosts[w][0] == namespace and hosts[w][1] != own}
