"""Room in a cluster: what pods ask for, what nodes and quotas still have. Pure.

Quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ . What cannot be read has no room.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, ready, text

_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2})|(n|u|m|k|[MGTPE]i?|Ki))?$")
_SUFFIX = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": Fraction(1000), "": Fraction(1)}
_SUFFIX |= {letter: Fraction(1000 ** (i + 2)) for i, letter in enumerate("MGTPE")}
_SUFFIX |= {f"{letter}i": Fraction(1024 ** (i + 1)) for i, letter in enumerate("KMGTPE")}
_QUOTA_NAMES = {"pods": "pods", "count/pods": "pods", "cpu": "cpu", "requests.cpu": "cpu", "memory": "memory"}
_QUOTA_NAMES["requests.memory"] = "memory"


def quantity(value: object) -> Fraction | None:
    """A Kubernetes quantity as a number ("250m", "1.5Gi"); None when it is none."""
    found = _QUANTITY.match(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if found is None:
        return None
    return Fraction(found[1]) * Fraction(10) ** int(found[2] or 0) * _SUFFIX[found[3] or ""]


@dataclass(frozen=True)
class Amount:
    """Pods, cores and bytes. `math.inf` where something cannot be read."""

    pods: Fraction | float = Fraction(0)
    cpu: Fraction | float = Fraction(0)
    memory: Fraction | float = Fraction(0)

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.pods + other.pods, self.cpu + other.cpu, self.memory + other.memory)

    def times(self, factor: Fraction | int) -> "Amount":
        """This, so many times over."""
        return Amount(self.pods * factor, self.cpu * factor, self.memory * factor)

    def fits(self, room: "Amount") -> bool:
        """Whether it is no more than `room`, in each part."""
        return self.pods <= room.pods and self.cpu <= room.cpu and self.memory <= room.memory


def requested(pod: JsonObject) -> Amount:
    """What a pod (or a pod template) asks for: the sum of its containers, or its largest init container."""
    running = _sum(_asked(c) for c in entries(pod, "spec", "containers"))
    starting = [_asked(c) for c in entries(pod, "spec", "initContainers")]
    cpu = max([running.cpu, *(s.cpu for s in starting)])
    return Amount(Fraction(1), cpu, max([running.memory, *(s.memory for s in starting)]))


def _asked(container: JsonObject) -> Amount:
    """Requests; where there are none, limits, as the API server defaults them."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return Amount(cpu=_known(asked.get("cpu", "0")), memory=_known(asked.get("memory", "0")))


def _known(value: object) -> Fraction | float:
    found = quantity(value)
    return math.inf if found is None else found


def _sum(amounts: Iterable[Amount]) -> Amount:
    total = Amount()
    for amount in amounts:
        total += amount
    return total


def allocatable(nodes: Sequence[JsonObject]) -> Amount:
    """What these nodes have for pods, in all. A node that does not say counts as nothing."""
    return _sum(
        Amount(*(quantity(dig(n, "status", "allocatable", part)) or Fraction(0) for part in ("pods", "cpu", "memory")))
        for n in nodes
    )


def usable(nodes: Sequence[JsonObject]) -> list[JsonObject]:
    """Ready nodes that take new pods and whose taints keep nobody away."""
    return [n for n in nodes if ready(n) and dig(n, "spec", "unschedulable") is not True and not _tainted(n)]


def _tainted(node: JsonObject) -> bool:
    return any(t.get("effect") in ("NoSchedule", "NoExecute") for t in entries(node, "spec", "taints"))


def running(pods: Iterable[JsonObject]) -> list[JsonObject]:
    """Pods that hold room: neither succeeded nor failed."""
    return [p for p in pods if text(p, "status", "phase") not in ("Succeeded", "Failed")]


def room_for(wanted: Amount, nodes: Sequence[JsonObject], pods: Sequence[JsonObject], spare: Fraction = Fraction(0)) -> bool:
    """Whether the usable nodes have room for `wanted` beside what runs on them, with this share of theirs to spare."""
    there = usable(nodes)
    names = {text(n, "metadata", "name") for n in there}
    held = _sum(requested(p) for p in running(pods) if text(p, "spec", "nodeName") in names)
    return bool(there) and (held + wanted).times(1 + spare).fits(allocatable(there))


def fits_one_by_one(each: Amount, count: int, nodes: Sequence[JsonObject], pods: Sequence[JsonObject]) -> bool:
    """Whether `count` pods of this size find a node each, first fit."""
    placed = 0
    for node in usable(nodes):
        here = [p for p in running(pods) if text(p, "spec", "nodeName") == text(node, "metadata", "name")]
        held, has = _sum(requested(p) for p in here), allocatable([node])
        while placed < count and (held + each).fits(has):
            held += each
            placed += 1
    return placed >= count


def quotas_allow(each: Amount, count: int, quotas: Sequence[JsonObject]) -> bool:
    """Whether every ResourceQuota leaves room for `count` more pods of this size. One with scopes counts like any other."""
    wanted = each.times(count)
    added: Mapping[str, Fraction | float] = {"pods": wanted.pods, "cpu": wanted.cpu, "memory": wanted.memory}
    for quota in quotas:
        for name, hard in (dig(quota, "status", "hard") or dig(quota, "spec", "hard") or {}).items():
            part = _QUOTA_NAMES.get(name)
            used = quantity((dig(quota, "status", "used") or {}).get(name, "x"))
            limit = quantity(hard)
            if part is not None and (used is None or limit is None or used + added[part] > limit):
                return False
    return True


def waiting_for_room(pods: Iterable[JsonObject]) -> list[JsonObject]:
    """Pods that the scheduler found no node for."""
    return [
        p
        for p in pods
        if any(
            c.get("type") == "PodScheduled" and c.get("status") == "False" and c.get("reason") == "Unschedulable"
            for c in entries(p, "status", "conditions")
        )
    ]
