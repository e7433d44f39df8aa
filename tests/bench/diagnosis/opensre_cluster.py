"""The cluster part of a synthetic incident: summaries of pods, nodes, Deployments and events as Kubernetes objects."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sre_agent.replay.case import LogFile

JsonObject = dict[str, Any]


def objects(told: dict[str, Any], at: datetime) -> tuple[JsonObject, ...] | None:
    """API objects, as far as the summaries tell; None when nothing of a cluster was recorded."""
    if "eks_pods" not in told:
        return None
    found = [_pod(p, at) for p in told["eks_pods"].get("pods", ())]
    deployments = [d["name"] for d in told.get("eks_deployments", {}).get("deployments", ())]
    found += _replica_sets(found, deployments)
    found += [_node(n, at) for n in told.get("eks_node_health", {}).get("nodes", ())]
    found += [_deployment(d) for d in told.get("eks_deployments", {}).get("deployments", ())]
    events = told.get("eks_events", {}).get("warning_events", ())
    return (*found, *(_event(e, i) for i, e in enumerate(events)))


def _replica_sets(pods: list[JsonObject], deployments: list[str]) -> list[JsonObject]:
    """Whose pods they are, as their names say; the pods are given their owner."""
    made: dict[str, JsonObject] = {}
    for pod in pods:
        name, namespace = pod["metadata"]["name"].rpartition("-")[0], pod["metadata"]["namespace"]
        owner = next((d for d in deployments if name.startswith(f"{d}-")), None)
        if owner is not None:
            pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": name, "uid": name, "controller": True}]
            above = [{"kind": "Deployment", "name": owner, "uid": f"deployment-{owner}", "controller": True}]
            metadata = {"name": name, "namespace": namespace, "uid": name, "ownerReferences": above}
            made[name] = {"kind": "ReplicaSet", "metadata": metadata, "spec": {}, "status": {}}
    return list(made.values())


def pod_logs(told: dict[str, Any]) -> Iterator[LogFile]:
    """Log lines by pod; lines of hosts that are no pod are left to their service's name."""
    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    one = told.get("eks_pod_logs")
    if one:
        lines[one["namespace"], one["pod_name"]] += one["logs"].splitlines()
    for row in told.get("datadog_logs", {}).get("logs", ()):
        tags = dict(t.split(":", 1) for t in row.get("tags", ()) if ":" in t)
        namespace = tags.get("kube_namespace") or told["alert"].get("commonLabels", {}).get("namespace", "default")
        lines[namespace, tags.get("pod_name") or row.get("host") or row["service"]].append(
            f"{row['timestamp']} {row['status'].upper()} {row['message']}"
        )
    for (namespace, pod), told_lines in sorted(lines.items()):
        yield LogFile(namespace, pod, "main", False, tuple(dict.fromkeys(told_lines)), False)


def _pod(pod: JsonObject, at: datetime) -> JsonObject:
    node = pod.get("node_name") or ""
    return {
        "kind": "Pod",
        "metadata": {"name": pod["name"], "namespace": pod["namespace"], "uid": pod["name"]},
        "spec": {"nodeName": "" if node == "unscheduled" else node},
        "status": {
            "phase": pod["phase"],
            "startTime": pod.get("start_time"),
            "conditions": [{**c, "lastTransitionTime": pod.get("start_time")} for c in pod.get("conditions", ())],
            "containerStatuses": [_container(c, at) for c in pod.get("containers", ())],
        },
    }


def _container(told: JsonObject, at: datetime) -> JsonObject:
    state, status = told.get("state", {}), {"name": told["name"], "ready": told["ready"], "restartCount": told["restart_count"]}
    if state.get("waiting"):
        status["state"] = {"waiting": {"reason": state.get("reason", ""), "message": state.get("message", "")}}
    elif state.get("running"):
        status["state"] = {"running": {"startedAt": state.get("started_at")}}
    if "exit_code" in state and told["restart_count"]:
        finished = state.get("finished_at") or state.get("started_at") or at.isoformat()
        status["lastState"] = {
            "terminated": {"exitCode": state["exit_code"], "reason": state.get("reason", ""), "finishedAt": finished}
        }
    return status


def _node(node: JsonObject, at: datetime) -> JsonObject:
    kinds = {"Ready": "ready", "MemoryPressure": "memory_pressure", "DiskPressure": "disk_pressure", "PIDPressure": "pid_pressure"}
    conditions = [
        {"type": kind, "status": node[key], "lastTransitionTime": at.isoformat()} for kind, key in kinds.items() if key in node
    ]
    return {
        "kind": "Node",
        "metadata": {"name": node["name"], "uid": node["name"]},
        "spec": {},
        "status": {"conditions": conditions},
    }


def _deployment(told: JsonObject) -> JsonObject:
    return {
        "kind": "Deployment",
        "metadata": {"name": told["name"], "namespace": told["namespace"], "uid": f"deployment-{told['name']}"},
        "spec": {"replicas": told["desired"]},
        "status": {
            "replicas": told["desired"],
            "readyReplicas": told["ready"],
            "availableReplicas": told["available"],
            "unavailableReplicas": told["unavailable"],
        },
    }


def _event(event: JsonObject, number: int) -> JsonObject:
    kind, _, name = event["involved_object"].partition("/")
    return {
        "kind": "Event",
        "metadata": {"name": f"event-{number}", "namespace": event["namespace"]},
        "reason": event["reason"],
        "message": event["message"],
        "type": event["type"],
        "count": event["count"],
        "firstTimestamp": event["first_time"],
        "lastTimestamp": event["last_time"],
        "involvedObject": {"kind": kind, "namespace": event["namespace"], "name": name},
    }
