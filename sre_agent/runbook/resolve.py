"""From a finding to the one live object an action would touch. Pure, by code only.

Objects in findings are lower case ("redis/cache"); targets keep the name as the live object has it.

SAFETY: the place comes from the alert's labels, the identity from live state, and both must point at exactly
one object. An empty or ambiguous set is None, never "all" and never "the first".
"""

import re
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.finding import Finding
from sre_agent.evidence.postgres.patroni import identity
from sre_agent.evidence.redis.cluster_health import named_node, primaries
from sre_agent.evidence.redis.queue_state import identity as queue_identity
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.incident import Incident
from sre_agent.incident.target import Target


class Resolved(BaseModel):
    """A target with its uid, and the `generation` of its state that a plan is made for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    generation: str


def resolve(kind: str, finding: Finding, view: EvidenceView) -> Resolved | None:
    """The live object of `kind` ("Pod", "RedisMaster") that the finding is about; None when not exactly one."""
    resolver = _RESOLVERS.get(kind)
    return resolver(finding, view) if resolver else None


def _redis_master(finding: Finding, view: EvidenceView) -> Resolved | None:
    """uid and generation are the primary's run id (Sentinel's runid when the node itself does not answer)."""
    names = view.scope.incident.label_values("redis_master")
    if len(names) != 1:
        return None
    (name,) = names
    if not name or finding.object != f"redis/{name.lower()}":
        return None
    # The same master may have been read more than once: every reading must tell the same story.
    identities = {(s.primary_addresses, _run_id(s)) for _, s in view.redis() if s.name == name}
    if len(identities) != 1:
        return None
    ((addresses, run_id),) = identities
    if len(addresses) != 1 or not run_id:
        return None
    return Resolved(target=Target(kind="RedisMaster", name=name, uid=run_id), generation=run_id)


def _run_id(state: RedisState) -> str:
    told = {str(s.master["runid"]) for s in state.sentinels if s.master.get("runid")}
    own = str(state.primary.info.get("run_id", "")) if state.primary else ""
    if own and told and told != {own}:
        return ""  # the sentinels remember another process at this address: somebody is out of date
    return own or (told.pop() if len(told) == 1 else "")


def _redis_cluster(finding: Finding, view: EvidenceView) -> Resolved | None:
    """The primary that the label `redis_node` names (id or address): uid is its node id, generation that and its epoch."""
    names, labels = (view.scope.incident.label_values(k) for k in ("redis_cluster", "redis_node"))
    if len(names) != 1 or len(labels) != 1:
        return None
    ((name,), (label,)) = names, labels
    if not name or finding.object != f"redis/{name.lower()}":
        return None
    states = [s for _, s in view.redis_clusters() if s.name == name]
    seen = {(i, n.epoch) for s in states for i, n in primaries(s).items() if named_node(s, label) == i}
    if len(seen) != 1:
        return None
    ((node, epoch),) = seen
    return Resolved(target=Target(kind="RedisCluster", name=name, uid=node), generation=f"{node}@{epoch}")


def _postgres_cluster(finding: Finding, view: EvidenceView) -> Resolved | None:
    """The cluster that the label `patroni_cluster` names: uid and generation are system identifier, leader and timeline."""
    names = view.scope.incident.label_values("patroni_cluster")
    if len(names) != 1:
        return None
    (name,) = names
    seen = {identity(s) for _, s in view.patroni() if s.name == name}
    if not name or finding.object != f"postgres/{name.lower()}" or len(seen) != 1 or not all(seen):
        return None
    (uid,) = seen
    return Resolved(target=Target(kind="PostgresCluster", name=name, uid=uid), generation=uid)


def _queue(finding: Finding, view: EvidenceView) -> Resolved | None:
    """The queue that the label `queue` names: uid and generation are its server process, its keys and whose pause there is."""
    names = view.scope.incident.label_values("queue")
    if len(names) != 1:
        return None
    (name,) = names
    seen = {queue_identity(s) for _, s in view.queues() if s.name == name}
    if not name or finding.object != f"queue/{name.lower()}" or len(seen) != 1 or not all(seen):
        return None
    (uid,) = seen
    return Resolved(target=Target(kind="Queue", name=name, uid=uid), generation=uid)


def _pod(finding: Finding, view: EvidenceView) -> Resolved | None:
    """uid is the Pod's; generation its controller's uid, else its pod-template-hash."""
    kind, _, name = finding.object.partition("/")
    if kind != "pod" or not name or not finding.namespace:
        return None
    pods = {
        str(pod["metadata"].get("uid", "")): pod
        for _, pod in view.objects("Pod")
        if str(pod["metadata"].get("name", "")).lower() == name
        and pod["metadata"].get("namespace") == finding.namespace
        and _live(pod)
    }
    if len(pods) != 1:
        return None
    ((uid, pod),) = pods.items()
    if not uid or not _named_by_alert(pod, view.scope.incident):
        return None
    generation = str(_controller(pod).get("uid") or pod["metadata"].get("labels", {}).get("pod-template-hash", ""))
    return Resolved(
        target=Target(kind="Pod", namespace=finding.namespace, name=str(pod["metadata"]["name"]), uid=uid), generation=generation
    )


def _live(pod: dict[str, Any]) -> bool:
    return not pod["metadata"].get("deletionTimestamp") and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def _controller(pod: dict[str, Any]) -> dict[str, Any]:
    owners = [o for o in pod["metadata"].get("ownerReferences", ()) if o.get("controller")]
    return owners[0] if len(owners) == 1 else {}


def _named_by_alert(pod: dict[str, Any], incident: Incident) -> bool:
    """The alert's labels must name the pod or its owner: namespace + pod | deployment | statefulset | daemonset."""
    meta = pod["metadata"]
    here = _within(incident, meta.get("namespace"))
    pods = here.label_values("pod")
    if pods:
        return meta.get("name") in pods
    owner = _controller(pod)
    kind, name = str(owner.get("kind", "")), str(owner.get("name", ""))
    if kind == "ReplicaSet":
        # A ReplicaSet of a Deployment is named <deployment>-<template hash>.
        return any(re.fullmatch(re.escape(d) + r"-[a-z0-9]{1,10}", name) for d in here.label_values("deployment"))
    return kind in ("StatefulSet", "DaemonSet") and name in here.label_values(kind.lower())


def _within(incident: Incident, namespace: object) -> Incident:
    """The incident with those of its alerts that name this namespace.

    SAFETY: one alert's namespace and another's name are no place that anybody named.
    """
    named = tuple(a for a in incident.alerts if namespace and a.labels.get("namespace") == namespace)
    return incident.model_copy(update={"alerts": named})


def _deployment(finding: Finding, view: EvidenceView) -> Resolved | None:
    """uid is the Deployment's; generation that of its spec: whoever changes it voids what was planned."""
    kind, _, name = finding.object.partition("/")
    if kind != "deployment" or not name or not finding.namespace:
        return None
    found = {
        str(item["metadata"].get("uid", "")): item
        for _, item in view.objects("Deployment")
        if str(item["metadata"].get("name", "")).lower() == name
        and item["metadata"].get("namespace") == finding.namespace
        and _live(item)
    }
    if len(found) != 1:
        return None
    ((uid, item),) = found.items()
    named, generation = str(item["metadata"]["name"]), item["metadata"].get("generation")
    if not uid or not generation or not _deployment_named(named, finding.namespace, view):
        return None
    return Resolved(target=Target(kind="Deployment", namespace=finding.namespace, name=named, uid=uid), generation=str(generation))


def _deployment_named(name: str, namespace: str, view: EvidenceView) -> bool:
    """The alert's labels must name the Deployment, or only pods of its own: namespace + deployment | pod."""
    incident = _within(view.scope.incident, namespace)
    if deployments := incident.label_values("deployment"):
        return name in deployments
    sets = {
        str(s["metadata"].get("name", ""))
        for _, s in view.objects("ReplicaSet")
        if s["metadata"].get("namespace") == namespace and _controller(s).get("name") == name
    }
    pods = [p for _, p in view.objects("Pod") if p["metadata"].get("namespace") == namespace]
    owned = {str(p["metadata"].get("name", "")) for p in pods if _controller(p).get("name") in sets}
    return bool(incident.label_values("pod")) and set(incident.label_values("pod")) <= owned


def _node(finding: Finding, view: EvidenceView) -> Resolved | None:
    """uid is the Node's; generation that and whether it takes pods. The alert names the node, or a pod or owner on it."""
    kind, _, name = finding.object.partition("/")
    if kind != "node" or not name:
        return None
    found = {
        str(item["metadata"].get("uid", "")): item
        for _, item in view.objects("Node")
        if str(item["metadata"].get("name", "")).lower() == name and not item["metadata"].get("deletionTimestamp")
    }
    if len(found) != 1:
        return None
    ((uid, item),) = found.items()
    named, incident = str(item["metadata"]["name"]), view.scope.incident
    nodes = incident.label_values("node")
    here = [p for _, p in view.objects("Pod") if p.get("spec", {}).get("nodeName") == named]
    if not uid or not (named in nodes if nodes else any(_named_by_alert(p, incident) for p in here)):
        return None
    state = "cordoned" if item.get("spec", {}).get("unschedulable") else "schedulable"
    return Resolved(target=Target(kind="Node", name=named, uid=uid), generation=f"{uid}/{state}")


_RESOLVERS: dict[str, Callable[[Finding, EvidenceView], Resolved | None]] = {
    "Deployment": _deployment,
    "Node": _node,
    "Pod": _pod,
    "PostgresCluster": _postgres_cluster,
    "Queue": _queue,
    "RedisCluster": _redis_cluster,
    "RedisMaster": _redis_master,
}
TARGET_KINDS = frozenset(_RESOLVERS)
