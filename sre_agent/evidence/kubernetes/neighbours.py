"""Who belongs to whom in a cluster, and who calls whom, as far as the objects say. Pure.

A workload is written "deployment/api"; pods are found by their controllers, Services by their selectors, calls by the host
names in the containers' environment. A name in an environment is data: an edge only ever takes permission away.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sre_agent.evidence.kubernetes.groups import WORKLOADS
from sre_agent.evidence.kubernetes.placement import claims
from sre_agent.evidence.kubernetes.pod_template import every_container
from sre_agent.evidence.kubernetes.readings import service_map
from sre_agent.evidence.kubernetes.service_map import ready_pods
from sre_agent.evidence.kubernetes.state import JsonObject, controller_of, dig, entries, listed, text
from sre_agent.evidence.kubernetes.workload_owner import object_name
from sre_agent.evidence.view import EvidenceView

SHORTEST_NAME = 3
_HOST = re.compile(r"(?:(?<=//)|(?<=@))[a-z0-9-]{1,63}|(?<![a-z0-9.-])[a-z0-9-]{1,63}(?=:[0-9]{2,5}(?![0-9]))")
"""Where a name can only be a host, a short one counts as well; so does one that is the whole value."""
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
Key = tuple[str, str]
"""(namespace, "kind/name" in lower case)."""


@dataclass
class Neighbours:
    """The relations, read once from a view. `nodes` is where each pod runs, `claims` the volume claims it names.

    `behind` are the workloads that a Service, an autoscaler, a budget or a network policy is about; `served` the Services that
    have a ready pod; `words` what stands in the settings of a workload.
    """

    owners: dict[Key, Key] = field(default_factory=dict)
    behind: dict[Key, set[Key]] = field(default_factory=dict)
    calls: dict[Key, set[Key]] = field(default_factory=dict)
    nodes: dict[Key, str] = field(default_factory=dict)
    claims: dict[Key, set[Key]] = field(default_factory=dict)
    served: set[Key] = field(default_factory=set)
    words: dict[Key, set[str]] = field(default_factory=dict)

    def names(self, caller: Key, host: str) -> bool:
        """Whether the settings of the caller's workload name a host, wherever that is."""
        return len(host) > SHORTEST_NAME and host in self.words.get(self.workload(caller), ())

    def workload(self, key: Key) -> Key:
        """The workload at the top of an object's chain of controllers; the object itself when nobody controls it."""
        seen: set[Key] = set()
        while key in self.owners and key not in seen:
            seen.add(key)
            key = self.owners[key]
        return key

    def cut_off(self, caller: Key, policy: Key) -> bool:
        """Whether a network policy is about the caller's workload, or about one behind a Service that it calls."""
        mine, about = self.workload(caller), self.behind.get(policy, set())
        return mine in about or any(about & self.behind.get(service, set()) for service in self.calls.get(mine, ()))

    def depends_on(self, caller: Key, callee: Key, *, though_served: bool = True) -> bool:
        """Whether the caller's workload calls a Service that is the callee, or that its workload is behind.

        `though_served` False: Services with a ready pod do not count.
        """
        asked = self.calls.get(self.workload(caller), set())
        asked = asked if though_served else asked - self.served
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
        if ready_pods(services.pods_of(service)):
            found.served.add(key_of(service))
        found.behind[key_of(service)] = behind | {key_of(w) for _, w in services.workloads_of(service)}
    found.behind |= dict(_selecting(view, found))
    configs = {(text(c, "metadata", "namespace"), text(c, "metadata", "name")): c for _, c in view.objects("ConfigMap")}
    spoken: dict[str, frozenset[str]] = {}
    for item in (*pods, *(w for kind in WORKLOADS for _, w in view.objects(kind))):
        top, words = found.workload(key_of(item)), _words(item, configs, spoken)
        found.words.setdefault(top, set()).update(words)
        called = _called(item, words, hosts.get(text(item, "metadata", "namespace"), {}))
        found.calls.setdefault(top, set()).update(called)
    return found


def key_of(item: JsonObject) -> Key:
    """(namespace, "kind/name") of an object, as findings write it."""
    return text(item, "metadata", "namespace"), object_name(item)


def _selecting(view: EvidenceView, found: Neighbours) -> Iterator[tuple[Key, set[Key]]]:
    """What autoscalers, budgets and network policies are about."""
    for _, scaler in view.objects("HorizontalPodAutoscaler"):
        target = dig(scaler, "spec", "scaleTargetRef")
        at = f"{text(target, 'kind')}/{text(target, 'name')}".lower()
        yield key_of(scaler), {(text(scaler, "metadata", "namespace"), at)}
    for kind, path in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for _, item in view.objects(kind):
            home, selector = text(item, "metadata", "namespace"), dig(item, "spec", path) or {}
            yield key_of(item), {found.workload(key_of(p)) for _, p in service_map(view).taken_by(home, selector)}


def _words(item: JsonObject, configs: Mapping[tuple[str, str], JsonObject], spoken: dict[str, frozenset[str]]) -> frozenset[str]:
    """The whole words of the environment and the arguments of an object's containers, in lower case.

    `configs` are the ConfigMaps by namespace and name: the environment may come from them. `spoken` keeps the words of each
    text: pods of one workload say the same.
    """
    made = every_container(dig(item, "spec", "template") or item)
    values = [text(e, "value") for c in made for e in entries(c, "env")] + _configured(item, made, configs)
    values += [a for c in made for key in ("command", "args") for a in listed(c, key) if isinstance(a, str)]
    for value in values:
        if value not in spoken:
            lower = value[:2000].lower()
            spoken[value] = frozenset(w for w in _WORD.findall(lower) if len(w) >= SHORTEST_NAME) | {lower, *_HOST.findall(lower)}
    return frozenset().union(*(spoken[value] for value in values))


def _called(item: JsonObject, words: frozenset[str], hosts: Mapping[str, Key]) -> set[Key]:
    """The Services whose names are among the words; `hosts` are the Services of the object's namespace by name."""
    own = f"service/{text(item, 'metadata', 'name').lower()}"
    return {hosts[w] for w in words & set(hosts) if hosts[w][1] != own}


def _configured(item: JsonObject, made: tuple[JsonObject, ...], configs: Mapping[tuple[str, str], JsonObject]) -> list[str]:
    """The values of the variables that come from ConfigMaps, where those are told at all."""
    home = text(item, "metadata", "namespace")
    found = []
    for container in made:
        for each in entries(container, "env"):
            at = dig(each, "valueFrom", "configMapKeyRef")
            found.append(text(configs.get((home, text(at, "name"))), "data", text(at, "key")) if at else "")
        for each in entries(container, "envFrom"):
            data = dig(configs.get((home, text(each, "configMapRef", "name"))), "data")
            found += [v for v in data.values() if isinstance(v, str)] if isinstance(data, dict) else []
    return [v for v in found if v]
