"""Who belongs to whom in a cluster, and who calls whom, as far as the objects say. Pure.

A workload is written "deployment/api"; pods are found by their controllers, Services by their selectors, calls by the host
names in the containers' environment. A name in an environment is data: an edge only ever takes permission away.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sre_agent.evidence.kubernetes.groups import WORKLOADS
from sre_agent.evidence.kubernetes.placement import claims
from sre_agent.evidence.kubernetes.pod_template import every_container
from sre_agent.evidence.kubernetes.readings import service_map
from sre_agent.evidence.kubernetes.state import JsonObject, controller_of, dig, entries, listed, text
from sre_agent.evidence.kubernetes.workload_owner import object_name
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
    return view.once(_neighbours)


def _neighbours(view: EvidenceView) -> Neighbours:
    found, services = Neighbours(), service_map(view)
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
        found.claims[key_of(pod)] = {(namespace, f"claim/{name}".lower()) for name in claims(pod)}
    hosts: dict[str, dict[str, Key]] = {}
    for (namespace, name), (_, service) in services.services.items():
        hosts.setdefault(namespace, {})[name.lower()] = key_of(service)
        behind = {found.workload(key_of(p)) for _, p in services.pods_of(service, dead=True)}
        found.behind[key_of(service)] = behind | {key_of(w) for _, w in services.workloads_of(service)}
    spoken: dict[str, frozenset[str]] = {}
    for item in (*pods, *(w for kind in WORKLOADS for _, w in view.objects(kind))):
        called = _called(item, hosts.get(text(item, "metadata", "namespace"), {}), spoken)
        found.calls.setdefault(found.workload(key_of(item)), set()).update(called)
    return found


def key_of(item: JsonObject) -> Key:
    """(namespace, "kind/name") of an object, as findings write it."""
    return text(item, "metadata", "namespace"), object_name(item)


def _called(item: JsonObject, hosts: Mapping[str, Key], spoken: dict[str, frozenset[str]]) -> set[Key]:
    """The Services whose names stand as whole words in the environment or arguments of an object's containers.

    `hosts` are those of its namespace; `spoken` keeps the words of each text: pods of one workload say the same.
    """
    made = every_container(dig(item, "spec", "template") or item)
    values = [text(e, "value") for c in made for e in entries(c, "env")]
    values += [a for c in made for key in ("command", "args") for a in listed(c, key) if isinstance(a, str)]
    own = f"service/{text(item, 'metadata', 'name').lower()}"
    found = set()
    for value in values:
        if value not in spoken:
            spoken[value] = frozenset(w for w in _WORD.findall(value[:2000].lower()) if len(w) >= SHORTEST_NAME)
        found |= {hosts[w] for w in spoken[value] if w in hosts and hosts[w][1] != own}
    return found
