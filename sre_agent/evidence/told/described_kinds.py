"""What `kubectl describe` tells of kinds without containers: Services, nodes, claims, CronJobs, autoscalers, policies. Pure."""

import re

from sre_agent.evidence.kubernetes.state import JsonObject
from sre_agent.evidence.told.description_tree import Entry, conditions, told_time

_TARGET = re.compile(r"^(\S+)\s+(\d+)/(TCP|UDP|SCTP)$")
_REPLICAS_NOW = re.compile(r"(\d+) current / (\d+) desired")
_CLOSED = {"Ingress": "isolated for ingress connectivity", "Egress": "isolated for egress connectivity"}


def _service(root: Entry, lines: list[str]) -> JsonObject:  # noqa: ARG001
    port, target = (
        _TARGET.match(root.at("Port")),
        _TARGET.match(root.at("TargetPort")) or re.match(r"()(\w+)/", root.at("TargetPort")),
    )
    ports = (
        [{"port": int(port[2]), "targetPort": int(target[2]) if target and target[2].isdecimal() else root.at("TargetPort")}]
        if port
        else []
    )
    return {"spec": {"selector": root.pairs("Selector"), "ports": ports}, "status": {}}


def _node(root: Entry, lines: list[str]) -> JsonObject:
    taints = [t for t in [root.at("Taints"), *root.below.get("Taints", Entry()).loose] if ":" in t]
    return {
        "spec": {
            "unschedulable": root.at("Unschedulable") == "true",
            "taints": [{"key": k.partition("=")[0], "effect": e} for k, _, e in (t.rpartition(":") for t in taints)],
        },
        "status": {
            "conditions": conditions(lines, None),
            "allocatable": {k: e.value for k, e in root.under("Allocatable").items()},
            "capacity": {k: e.value for k, e in root.under("Capacity").items()},
        },
    }


def _claim(root: Entry, lines: list[str]) -> JsonObject:  # noqa: ARG001
    return {
        "spec": {"storageClassName": root.at("StorageClass"), "volumeName": root.at("Volume")},
        "status": {"phase": root.at("Status")},
    }


def _cronjob(root: Entry, lines: list[str]) -> JsonObject:  # noqa: ARG001
    return {
        "spec": {"suspend": root.at("Suspend") == "True", "schedule": root.at("Schedule")},
        "status": {"lastScheduleTime": told_time(root.at("Last Schedule Time"))},
    }


def _autoscaler(root: Entry, lines: list[str]) -> JsonObject:
    of, _, name = root.at("Reference").partition("/")
    counts = next((m for line in lines if (m := _REPLICAS_NOW.search(line))), None)
    most = root.at("Max replicas")
    return {
        "spec": {"scaleTargetRef": {"kind": of, "name": name}, "maxReplicas": int(most) if most.isdecimal() else 0},
        "status": {"conditions": conditions(lines, None), "currentReplicas": int(counts[1]) if counts else 0},
    }


def _policy(root: Entry, lines: list[str]) -> JsonObject:
    """Whom it selects, and the directions in which it lets nothing through; its rules are not read."""
    spec = root.below.get("Spec", Entry())
    text = "\n".join(lines)
    kinds = [k for k in ("Ingress", "Egress") if k in spec.at("Policy Types")]
    rules = {k.lower(): [] if _CLOSED[k] in text else [{"told": False}] for k in kinds}
    return {"spec": {"podSelector": {"matchLabels": spec.pairs("PodSelector")}, "policyTypes": kinds, **rules}}


READERS = {
    "Service": _service,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "CronJob": _cronjob,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _policy,
}
"""Kind -> what its description tells, as parts of the API object."""
