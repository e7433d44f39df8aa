"""One pod and what stands around it: owner chain, peers, node, disruption budgets. Pure.

Both the guard's facts and restart_pod's last look ask these questions, so that they cannot disagree. Whatever is unclear
is answered restrictively: unknown owner, unreadable budget, unknown selector operator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.evidence.kubernetes.selectors import takes
from sre_agent.evidence.kubernetes.state import (
    JsonObject,
    Trouble,
    controller_of,
    dig,
    entries,
    instant,
    labels_of,
    number,
    pod_trouble,
    ready,
    terminating,
    text,
)

NAMESPACED_KINDS = ("Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "PodDisruptionBudget")
"""What must be read in the pod's namespace; "Node" is read beside it, cluster-wide."""
RESTARTABLE = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet"})
MIRROR = "kubernetes.io/config.mirror"
MIN_AGE = timedelta(minutes=5)
HELPED_BY_RESTART = frozenset({Trouble.CRASH_LOOP, Trouble.OOM_KILLED, Trouble.NOT_READY})


@dataclass(frozen=True)
class Surroundings:
    """`owner` is the live controller named by uid; `workload` the Deployment above it, else the owner itself.

    `peers` are the other pods of the workload; `budgets` the disruption budgets whose selector takes the pod in.
    """

    pod: JsonObject
    owner: JsonObject | None
    workload: JsonObject | None
    peers: tuple[JsonObject, ...]
    node: JsonObject | None
    budgets: tuple[JsonObject, ...]

    @property
    def controller_owned(self) -> bool:
        """A ReplicaSet, StatefulSet or DaemonSet that is really there would bring the pod back; never a mirror pod."""
        annotations = dig(self.pod, "metadata", "annotations") or {}
        return self.owner is not None and text(self.owner, "kind") in RESTARTABLE and MIRROR not in annotations

    @property
    def ready_peers(self) -> int:
        """Ready pods that remain while this one is away."""
        return sum(map(ready, self.peers))

    @property
    def desired(self) -> int:
        """How many pods the workload wants; 0 when unknown."""
        if text(self.workload, "kind") == "DaemonSet":
            return number(self.workload, "status", "desiredNumberScheduled")
        return number(self.workload, "spec", "replicas")

    @property
    def node_ready(self) -> bool:
        """Whether the node the pod runs on is there and Ready."""
        return self.node is not None and ready(self.node)

    @property
    def disruptions_allowed(self) -> int:
        """What the budgets allow now. No budget: one pod, this one. Two budgets: none, the API server refuses that."""
        if not self.budgets:
            return 1
        if len(self.budgets) > 1:
            return 0
        (budget,) = self.budgets
        stale = number(budget, "status", "observedGeneration") < number(budget, "metadata", "generation")
        return 0 if stale else max(0, number(budget, "status", "disruptionsAllowed"))

    @property
    def floor(self) -> int:
        """How many other pods must stay ready: at least one, and what the budgets want."""
        return max([1, *(number(b, "status", "desiredHealthy") for b in self.budgets)])

    @property
    def rollout_in_progress(self) -> bool:
        """Whether the workload is changing its pods, is paused, or failed to: unknown counts as yes."""
        w = self.workload
        if w is None or terminating(w) or number(w, "status", "observedGeneration") < number(w, "metadata", "generation"):
            return True
        kind, wanted = text(w, "kind"), number(w, "spec", "replicas")
        if kind == "DaemonSet":
            return number(w, "status", "updatedNumberScheduled") < self.desired
        if number(w, "status", "replicas") != wanted:
            return True
        if kind == "StatefulSet":
            return text(w, "status", "currentRevision") != text(w, "status", "updateRevision")
        return kind == "Deployment" and self._deployment_moves(w, wanted)

    def _deployment_moves(self, deployment: JsonObject, wanted: int) -> bool:
        if dig(deployment, "spec", "paused") or number(deployment, "status", "updatedReplicas") != wanted:
            return True
        reasons = {c.get("reason") for c in entries(deployment, "status", "conditions") if c.get("type") == "Progressing"}
        return not reasons <= {"NewReplicaSetAvailable"}

    def age(self, now: datetime) -> timedelta:
        """How long the pod has existed; zero when it does not say."""
        made = instant(dig(self.pod, "metadata", "creationTimestamp"))
        return now - made if made is not None else timedelta()

    def trouble(self, now: datetime) -> Trouble | None:
        """What is wrong with the pod."""
        found = pod_trouble(self.pod, now)
        return found[0] if found else None

    def restart_can_help(self, now: datetime) -> bool:
        """A running pod, old enough, whose trouble is not its image or its configuration."""
        running = text(self.pod, "status", "phase") == "Running" and not terminating(self.pod)
        return running and self.age(now) >= MIN_AGE and self.trouble(now) in HELPED_BY_RESTART


def surroundings(uid: str, namespaced: Mapping[str, Sequence[JsonObject]], nodes: Sequence[JsonObject]) -> Surroundings | None:
    """Put together what stands around the pod with this uid; None when no such pod exists.

    `namespaced` maps each of NAMESPACED_KINDS to all objects of the pod's namespace.
    """
    pods = namespaced.get("Pod", ())
    pod = next((p for p in pods if uid and text(p, "metadata", "uid") == uid), None)
    if pod is None:
        return None
    owner = _live(controller_of(pod), namespaced)
    workload = (_live(controller_of(owner), namespaced) if owner else None) or owner
    sets = namespaced.get("ReplicaSet", ())
    owners = {_uid(owner), *(_uid(s) for s in sets if workload and _owner_uid(s) == _uid(workload))} - {""}
    peers = tuple(p for p in pods if p is not pod and _owner_uid(p) in owners)
    node = next((n for n in nodes if text(n, "metadata", "name") == text(pod, "spec", "nodeName") != ""), None)
    labels = labels_of(pod)
    budgets = tuple(b for b in namespaced.get("PodDisruptionBudget", ()) if _selects(dig(b, "spec", "selector"), labels))
    return Surroundings(pod, owner, workload, peers, node, budgets)


def _uid(item: JsonObject | None) -> str:
    return text(item, "metadata", "uid")


def _owner_uid(item: JsonObject) -> str:
    return text(controller_of(item), "uid")


def _live(reference: JsonObject | None, namespaced: Mapping[str, Sequence[JsonObject]]) -> JsonObject | None:
    if reference is None:
        return None
    uid = text(reference, "uid")
    return next((o for o in namespaced.get(text(reference, "kind"), ()) if uid and _uid(o) == uid), None)


def _selects(selector: object, labels: dict[str, str]) -> bool:
    """Whether a policy/v1 selector takes these labels in: {} everything, null nothing, unknown operators everything."""
    return isinstance(selector, dict) and takes(selector, labels)
