"""What NetworkPolicies admit between two pods. Pure; unclear selectors and peers admit, so that nothing is called denied in doubt.

A pod is isolated in a direction as soon as one policy of that direction selects it; then the union of all rules of those
policies is what it may do: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network

from sre_agent.evidence.kubernetes.selectors import takes
from sre_agent.evidence.kubernetes.service_map import place, ports_of
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, labels_of, text


class Direction(StrEnum):
    """Into a pod, or out of it."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


@dataclass(frozen=True)
class Way:
    """A connection that is expected: from one pod to another, on a port of the latter (0: on any)."""

    caller: JsonObject
    callee: JsonObject
    port: int
    protocol: str = "TCP"


def directions(policy: JsonObject) -> tuple[Direction, ...]:
    """policyTypes, or what is implied: ingress always, egress when there are egress rules."""
    named = dig(policy, "spec", "policyTypes")
    if isinstance(named, list) and named:
        return tuple(d for d in Direction if d.value in named)
    return tuple(Direction) if dig(policy, "spec", "egress") is not None else (Direction.INGRESS,)


class Policies:
    """The policies of a cluster, ready to be asked about many pods: found by one label that each wants."""

    def __init__(self, policies: Sequence[JsonObject], namespaces: Mapping[str, JsonObject]) -> None:
        self._namespaces = namespaces
        self._wide: dict[tuple[str, Direction], list[JsonObject]] = {}
        self._by_label: dict[tuple[str, Direction, str, str], list[JsonObject]] = {}
        for policy in policies:
            wanted = dig(policy, "spec", "podSelector", "matchLabels")
            pairs = [(k, v) for k, v in wanted.items() if isinstance(v, str)] if isinstance(wanted, dict) else []
            for direction in directions(policy):
                where = place(policy)[0], direction
                if pairs:
                    self._by_label.setdefault((*where, *pairs[0]), []).append(policy)
                else:
                    self._wide.setdefault(where, []).append(policy)

    def isolating(self, pod: JsonObject, direction: Direction) -> list[JsonObject]:
        """The policies of the pod's namespace that select it in this direction."""
        where, labels = (place(pod)[0], direction), labels_of(pod)
        known = [p for k, v in labels.items() if isinstance(v, str) for p in self._by_label.get((*where, k, v), ())]
        return [p for p in (*self._wide.get(where, ()), *known) if takes(dig(p, "spec", "podSelector") or {}, labels)]

    def denying(self, way: Way) -> list[JsonObject]:
        """The policies that isolate one end of the way while none of them lets it through; [] when it is free."""
        for direction, pod in ((Direction.INGRESS, way.callee), (Direction.EGRESS, way.caller)):
            mine = self.isolating(pod, direction)
            rules = [r for p in mine for r in entries(p, "spec", direction.value.lower())]
            if mine and not any(_lets(rule, direction, way, self._namespaces) for rule in rules):
                return mine
        return []

    def lets_strangers_in(self, pod: JsonObject) -> bool:
        """Whether something from outside the namespace may reach the pod at all."""
        mine = self.isolating(pod, Direction.INGRESS)
        peers = [entries(r, "from") for p in mine for r in entries(p, "spec", "ingress")]
        return not mine or any(not told or any("namespaceSelector" in p or "ipBlock" in p for p in told) for told in peers)


def _lets(rule: JsonObject, direction: Direction, way: Way, namespaces: Mapping[str, JsonObject]) -> bool:
    ports = entries(rule, "ports")
    if ports and way.port and not any(_admits_port(p, way) for p in ports):
        return False
    peers = entries(rule, "from" if direction is Direction.INGRESS else "to")
    own, other = (way.callee, way.caller) if direction is Direction.INGRESS else (way.caller, way.callee)
    return not peers or any(_is_peer(peer, own, other, namespaces) for peer in peers)


def _admits_port(port: JsonObject, way: Way) -> bool:
    if (text(port, "protocol") or "TCP") != way.protocol:
        return False
    wanted, last = port.get("port"), port.get("endPort")
    if isinstance(wanted, str):
        return any(name == wanted and number == way.port for name, number in ports_of(way.callee))
    if not isinstance(wanted, int):
        return True
    return wanted <= way.port <= (last if isinstance(last, int) else wanted)


def _is_peer(peer: JsonObject, own: JsonObject, other: JsonObject, namespaces: Mapping[str, JsonObject]) -> bool:
    if (block := peer.get("ipBlock")) is not None:
        return _in_block(text(other, "status", "podIP"), block)
    home, away = place(own)[0], place(other)[0]
    if "namespaceSelector" in peer:
        known = namespaces.get(away)
        labels = labels_of(known) if known is not None else {}
        labels = {"kubernetes.io/metadata.name": away, **labels}
        selector = peer.get("namespaceSelector") or {}
        if known is None and not _only_by_name(selector):
            return True
        if not takes(selector, labels):
            return False
    elif home != away:
        return False
    return "podSelector" not in peer or takes(peer.get("podSelector") or {}, labels_of(other))


def _only_by_name(selector: object) -> bool:
    """Whether a namespace's name alone decides."""
    wanted = dig(selector, "matchLabels")
    keys = set(wanted) if isinstance(wanted, dict) else set()
    return not (keys | {text(e, "key") for e in entries(selector, "matchExpressions")}) - {"kubernetes.io/metadata.name"}


def _in_block(address: str, block: object) -> bool:
    """Whether an address is in a block and not in what it leaves out; without an address, or with a bad block, yes."""
    given = dig(block, "except")
    left_out = given if isinstance(given, list) else []
    try:
        ip = ip_address(address)
        return ip in ip_network(text(block, "cidr"), strict=False) and not any(ip in ip_network(e, strict=False) for e in left_out)
    except ValueError:
        return True
