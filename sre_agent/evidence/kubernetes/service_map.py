"""Services, the pods and workloads they mean, and what stands behind them now. Pure.

Field meanings: https://kubernetes.io/docs/concepts/services-networking/service/ and .../endpoint-slices/. What was not read is
unknown, never absent: `knows` says whether a kind was asked at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.kubernetes.groups import WORKLOADS
from sre_agent.evidence.kubernetes.selectors import takes
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, labels_of, number, ready, terminating, text
from sre_agent.evidence.view import EvidenceView

Told = tuple[str, JsonObject]
"""(evidence id, API object)."""
_SLICE_OF = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Backends:
    """How many addresses a Service has, by Endpoints or EndpointSlices, and the evidence that says so."""

    ready: int = 0
    waiting: int = 0
    evidence: tuple[str, ...] = ()


class Maker(NamedTuple):
    """A workload, or a pod that nobody made, with the labels of its pods."""

    told: Told
    name: str
    labels: dict[str, str]


class ServiceMap:
    """The view's Services by (namespace, name), with their pods and backends."""

    def __init__(self, view: EvidenceView) -> None:
        self.services: dict[tuple[str, str], Told] = {place(s): (i, s) for i, s in view.objects("Service") if place(s)[1]}
        self.pods: dict[tuple[str, str], Told] = {place(p): (i, p) for i, p in view.objects("Pod") if living(p)}
        self._made: dict[str, list[Maker]] = {}
        self.workloads: dict[tuple[str, str, str], Told] = {
            (kind, *place(w)): (i, w) for kind in WORKLOADS for i, w in view.objects(kind) if not terminating(w)
        }
        for (_, namespace, _), told in self.workloads.items():
            self._made.setdefault(namespace, []).append(Maker(told, place(told[1])[1], template_labels(told[1])))
        self._lone: dict[str, list[Maker]] = {}
        for (namespace, name), told in self.pods.items():
            if not entries(told[1], "metadata", "ownerReferences"):
                self._lone.setdefault(namespace, []).append(Maker(told, name, _plain(labels_of(told[1]))))
        self._by_label: dict[tuple[str, str, str], list[Told]] = {}
        known = {place(p): (i, p) for i, p in view.objects("Pod")}
        for told in known.values():
            for key, value in _plain(labels_of(told[1])).items():
                self._by_label.setdefault((place(told[1])[0], key, value), []).append(told)
        self._home: dict[str, list[Told]] = {}
        for told in known.values():
            self._home.setdefault(place(told[1])[0], []).append(told)
        self._backends = dict(_backends(view))
        self._kinds, cut = _asked(view)
        self.whole = "Pod" not in cut and not self._kinds.isdisjoint(("Pod", *WORKLOADS))
        """Whether every pod is in view, as far as one can know: some of a kind that makes pods were read, and none cut off."""

    def knows(self, kind: str) -> bool:
        """Whether objects of this kind were asked for and all of them are here."""
        return kind in self._kinds

    def pods_of(self, service: JsonObject, *, dead: bool = False) -> list[Told]:
        """The living pods that its selector takes, with `dead` the others too; none for a Service without a selector."""
        wanted, namespace = selector_of(service), place(service)[0]
        if not wanted:
            return []
        candidates = min((self._by_label.get((namespace, k, v), []) for k, v in wanted.items()), key=len)
        taken = [told for told in candidates if wanted.items() <= labels_of(told[1]).items()]
        return taken if dead else [told for told in taken if living(told[1])]

    def taken_by(self, namespace: str, selector: object) -> list[Told]:
        """The pods of a namespace, dead ones too, that a label selector of a policy or a budget takes."""
        plain = _plain(dig(selector, "matchLabels"))
        lists = [self._by_label.get((namespace, k, v), []) for k, v in plain.items()]
        candidates = min(lists, key=len) if lists else self._home.get(namespace, [])
        return [told for told in candidates if takes(selector, labels_of(told[1]))]

    def workloads_of(self, service: JsonObject) -> list[Told]:
        """The workloads whose pods it would take, whether there are any or not."""
        wanted = selector_of(service).items()
        return [m.told for m in self._made.get(place(service)[0], ()) if wanted and wanted <= m.labels.items()]

    def makers(self, namespace: str) -> list[Maker]:
        """What may be behind a Service of this namespace: workloads, and pods that no controller made."""
        return [*self._made.get(namespace, ()), *self._lone.get(namespace, ())]

    @cached_property
    def by_address(self) -> dict[str, tuple[str, str]]:
        """The Service that an IP address belongs to, by its cluster IP or by one of its pods."""
        found: dict[str, tuple[str, str]] = {}
        for key, (_, service) in self.services.items():
            own = text(service, "spec", "clusterIP")
            found |= {at: key for at in (own, *(text(p, "status", "podIP") for _, p in self.pods_of(service))) if at}
        return found

    def behind(self, namespace: str, name: str) -> frozenset[str]:
        """What stands behind a Service, as findings name it: "pod/x", and the "deployment/x" ... that make its pods."""
        told = self.services.get((namespace, name))
        found = [] if told is None else [*self.pods_of(told[1]), *self.workloads_of(told[1])]
        return frozenset(f"{text(o, 'kind')}/{place(o)[1]}".lower() for _, o in found)

    def backends(self, service: JsonObject) -> Backends | None:
        """What Endpoints or EndpointSlices say; None when neither is here for it."""
        return self._backends.get(place(service))


def place(item: JsonObject) -> tuple[str, str]:
    """(namespace, name)."""
    return text(item, "metadata", "namespace"), text(item, "metadata", "name")


def living(pod: JsonObject) -> bool:
    """Neither finished nor on its way out."""
    return text(pod, "status", "phase") not in ("Succeeded", "Failed") and not terminating(pod)


def selector_of(service: JsonObject) -> dict[str, str]:
    """spec.selector; {} for a Service that selects nothing by itself."""
    return _plain(dig(service, "spec", "selector"))


def template_labels(workload: JsonObject) -> dict[str, str]:
    """The labels that its pods get."""
    return _plain(dig(workload, "spec", "template", "metadata", "labels"))


def ports_of(pod: JsonObject) -> tuple[tuple[str, int], ...]:
    """(name, number) of every port that its containers, sidecars among the init containers included, declare."""
    sidecars = [c for c in entries(pod, "spec", "initContainers") if c.get("restartPolicy") == "Always"]
    made = [*entries(pod, "spec", "containers"), *sidecars]
    return tuple((text(p, "name"), number(p, "containerPort")) for c in made for p in entries(c, "ports"))


def target_of(port: JsonObject) -> str | int:
    """A Service port's targetPort: a name, a number, or the port itself where none is given."""
    target = port.get("targetPort")
    if isinstance(target, str) and target.isdecimal():
        return int(target[:6])
    if isinstance(target, bool) or not isinstance(target, str | int):
        return number(port, "port")
    return target or number(port, "port")


def _plain(value: object) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, str)} if isinstance(value, dict) else {}


def _asked(view: EvidenceView) -> tuple[frozenset[str], frozenset[str]]:
    """(kinds that were asked and are whole, kinds that were cut off)."""
    asked: set[str] = set()
    cut: set[str] = set()
    for e in view.ok(EvidenceKind.KUBERNETES):
        kinds = e.payload.get("kinds") if isinstance(e.payload, dict) else None
        kinds = [k for k in kinds if isinstance(k, str)] if isinstance(kinds, list | tuple) else []
        seen = {*kinds, *(text(i, "kind") for i in e.payload.get("items", ()))}
        (cut if e.truncated else asked).update(seen)
    return frozenset(asked - cut), frozenset(cut)


def _backends(view: EvidenceView) -> Iterator[tuple[tuple[str, str], Backends]]:
    """By Service. EndpointSlices replace Endpoints, which newer clusters cut at a thousand addresses."""
    found: dict[tuple[str, str], Backends] = {}
    for i, item in view.objects("Endpoints"):
        subsets = entries(item, "subsets")
        ready_now = sum(len(entries(s, "addresses")) for s in subsets)
        found[place(item)] = Backends(ready_now, sum(len(entries(s, "notReadyAddresses")) for s in subsets), (i,))
    sliced: dict[tuple[str, str], Backends] = {}
    for i, item in view.objects("EndpointSlice"):
        key = place(item)[0], labels_of(item).get(_SLICE_OF, "")
        old, ends = sliced.get(key, Backends()), entries(item, "endpoints")
        # A condition that nobody states counts as ready (discovery/v1).
        up = sum(dig(end, "conditions", "ready") is not False for end in ends)
        sliced[key] = Backends(old.ready + up, old.waiting + len(ends) - up, (*old.evidence, i))
    yield from (found | sliced).items()


def ready_pods(pods: list[Told]) -> list[Told]:
    """Those of them that are ready."""
    return [told for told in pods if ready(told[1])]
