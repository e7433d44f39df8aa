"""One node and the cluster around it: what fails only there, who cordoned it, whether the others have room. Pure.

Both the guard's facts and the actions' last look ask these questions, so that they cannot disagree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from sre_agent.evidence.kubernetes.cluster_room import Amount, requested, room_for, running, usable, waiting_for_room
from sre_agent.evidence.kubernetes.kept import OUR_HAND, cordoned_by
from sre_agent.evidence.kubernetes.pod_template import HASH, INTENT
from sre_agent.evidence.kubernetes.state import (
    PRESSURES,
    JsonObject,
    Trouble,
    condition,
    controller_of,
    dig,
    instant,
    labels_of,
    pod_trouble,
    pressures,
    ready,
    text,
)

MIN_FAILING = 3
MIN_OWNERS = 2
SPARE = Fraction(1, 5)
CORDONED_PCT = 10
WELL_FOR = timedelta(minutes=10)
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
POOLS = (
    "topology.kubernetes.io/zone",
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "kubernetes.azure.com/agentpool",
    "karpenter.sh/nodepool",
    "node-pool",
)
"""Labels that say which zone or pool a node is of."""
WORDS = {
    "control-plane": "it is part of the control plane",
    "already-cordoned": "it takes no new pods already",
    "node-not-ready": "it is not Ready: no new pods go there anyway, and what ails it is for a person to find",
    "nothing-wrong-here": "nothing shows that pods of several owners fail there and only there",
    "trouble-elsewhere": "other nodes are in trouble as well: it is not this node",
    "too-many-cordoned": "as many nodes are cordoned as may be",
    "last-node-of-pool": "it is the last node of its zone or pool that takes pods",
    "pods-waiting-for-room": "pods already wait for a node with room",
    "no-room-elsewhere": "the other nodes have no room for its pods and a fifth to spare",
    "not-cordoned": "it is not cordoned",
    "not-our-cordon": "this agent did not cordon it, or a person has since",
    "still-in-trouble": "it has not been well for 10 minutes",
}
"""Ids of `unmet`, for people."""


@dataclass(frozen=True)
class NodeSurroundings:
    """The node, all nodes (itself among them), and the cluster's pods."""

    node: JsonObject
    nodes: tuple[JsonObject, ...]
    pods: tuple[JsonObject, ...]

    @property
    def name(self) -> str:
        """The node's name."""
        return text(self.node, "metadata", "name")

    @property
    def others(self) -> list[JsonObject]:
        """Every other node."""
        return [n for n in self.nodes if n is not self.node]

    @property
    def cordoned(self) -> bool:
        """Whether it takes no new pods."""
        return unschedulable(self.node)

    @property
    def cordoned_by_us(self) -> bool:
        """Whether the cordon that is there is ours and nobody else's: our mark, and our hand alone on the field."""
        marked = bool(text(self.node, "metadata", "annotations", INTENT))
        return self.cordoned and marked and cordoned_by(self.node) == {OUR_HAND}

    def at_fault(self, now: datetime) -> bool:
        """Whether pods of several owners fail only there: enough of them, or the node is short of something besides."""
        failing = failing_only_on(self.name, self.pods, now)
        owners = {owner_key(p) for p in failing}
        return len(owners) >= MIN_OWNERS and (len(failing) >= MIN_FAILING or bool(pressures(self.node)))

    def well(self, now: datetime) -> bool:
        """Ready and short of nothing for WELL_FOR, and nothing fails there."""
        if not ready(self.node) or pressures(self.node) or failing_only_on(self.name, self.pods, now):
            return False
        changes = [instant((condition(self.node, kind) or {}).get("lastTransitionTime")) for kind in ("Ready", *PRESSURES)]
        return all(at is not None and now - at >= WELL_FOR for at in changes if at is not None) and changes[0] is not None

    @property
    def last_of_a_pool(self) -> bool:
        """Whether without it some zone or pool it belongs to would have no node that takes pods."""
        labels, rest = labels_of(self.node), [labels_of(n) for n in usable(self.others)]
        mine = {key: labels[key] for key in POOLS if key in labels}
        return not rest or any(all(other.get(key) != value for other in rest) for key, value in mine.items())

    @property
    def room_elsewhere(self) -> bool:
        """Whether the other nodes could take all its pods and keep a fifth of theirs to spare."""
        wanted = Amount()
        for pod in running(self.pods):
            if text(pod, "spec", "nodeName") == self.name:
                wanted += requested(pod)
        return room_for(wanted, self.others, self.pods, SPARE)


def node_surroundings(uid: str, nodes: Sequence[JsonObject], pods: Sequence[JsonObject]) -> NodeSurroundings | None:
    """The node with this uid among the cluster's; None when there is none."""
    node = next((n for n in nodes if uid and text(n, "metadata", "uid") == uid), None)
    return NodeSurroundings(node, tuple(nodes), tuple(pods)) if node is not None else None


def unschedulable(node: JsonObject) -> bool:
    """spec.unschedulable."""
    return dig(node, "spec", "unschedulable") is True


def owner_key(pod: JsonObject) -> tuple[str, str, str]:
    """(namespace, kind, name) of the workload a pod is of; a ReplicaSet's by its Deployment's name."""
    owner, labels = controller_of(pod), labels_of(pod)
    kind, name = text(owner, "kind") or "Pod", text(owner, "name") or text(pod, "metadata", "name")
    if kind == "ReplicaSet" and HASH in labels:
        kind, name = "Deployment", name.removesuffix(f"-{labels[HASH]}")
    return text(pod, "metadata", "namespace"), kind, name


def failing_only_on(node: str, pods: Sequence[JsonObject], now: datetime) -> list[JsonObject]:
    """Pods on a node in a trouble that a node can cause, whose owners have no pod in any trouble elsewhere."""
    return failing_by_node(pods, now).get(node, [])


def failing_by_node(pods: Sequence[JsonObject], now: datetime) -> dict[str, list[JsonObject]]:
    """The same for every node that has such pods, by its name."""
    troubled = [(p, found[0]) for p in pods if (found := pod_trouble(p, now)) is not None]
    places: dict[tuple[str, str, str], set[str]] = {}
    for pod, _ in troubled:
        places.setdefault(owner_key(pod), set()).add(text(pod, "spec", "nodeName"))
    found_on: dict[str, list[JsonObject]] = {}
    for pod, trouble in troubled:
        if trouble is not Trouble.BAD_CONFIG and len(places[owner_key(pod)]) == 1:
            found_on.setdefault(text(pod, "spec", "nodeName"), []).append(pod)
    return found_on


def unmet_for_cordon(seen: NodeSurroundings, now: datetime) -> tuple[str, ...]:
    """What forbids cordoning the node, most fundamental first."""
    return tuple(_cordon(seen, now))


def _cordon(seen: NodeSurroundings, now: datetime) -> Iterator[str]:
    cordoned = sum(map(unschedulable, seen.nodes))
    checks = (
        ("control-plane", not any(key in labels_of(seen.node) for key in CONTROL_PLANE)),
        ("already-cordoned", not seen.cordoned),
        ("node-not-ready", ready(seen.node)),
        ("nothing-wrong-here", seen.at_fault(now)),
        ("trouble-elsewhere", all(ready(n) and not pressures(n) for n in seen.others)),
        ("too-many-cordoned", cordoned < max(1, len(seen.nodes) * CORDONED_PCT // 100)),
        ("last-node-of-pool", not seen.last_of_a_pool),
        ("pods-waiting-for-room", not waiting_for_room(seen.pods)),
        ("no-room-elsewhere", seen.room_elsewhere),
    )
    yield from (name for name, holds in checks if not holds)


def unmet_for_uncordon(seen: NodeSurroundings, now: datetime) -> tuple[str, ...]:
    """What forbids taking back our cordon, most fundamental first."""
    checks = (
        ("not-cordoned", seen.cordoned),
        ("not-our-cordon", seen.cordoned_by_us),
        ("still-in-trouble", seen.well(now)),
    )
    return tuple(name for name, holds in checks if not holds)
