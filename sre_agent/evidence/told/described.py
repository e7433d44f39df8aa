"""What `kubectl describe` prints, read back as API objects, as far as it tells. Pure."""

import re
from collections.abc import Iterator

from sre_agent.evidence.kubernetes.state import JsonObject
from sre_agent.evidence.told.described_kinds import READERS
from sre_agent.evidence.told.description_tree import Entry, conditions, told_time, tree

_EVENT = re.compile(r"^\s+(Normal|Warning)\s+(\S+)\s+(.+?)\s{2,}(\S+)\s{2,}(.+)$")
_COUNT = re.compile(r"\(x(\d+)")
_REPLICAS = re.compile(r"(\d+) (desired|updated|total|available|unavailable)")
_BLOCK = re.compile(r"^Name:\s+\S", re.MULTILINE)


def described(text: str, kind: str) -> list[JsonObject]:
    """The objects that descriptions are about, and their events; [] when this is no description of such a kind."""
    if not kind:
        return []
    starts = [m.start() for m in _BLOCK.finditer(text)]
    blocks = [text[a:b].splitlines() for a, b in zip(starts, [*starts[1:], len(text)], strict=False)]
    return [item for lines in blocks for item in _one(lines, kind)]


def _one(lines: list[str], kind: str) -> Iterator[JsonObject]:
    root = tree(lines)
    name, namespace = root.at("Name"), root.at("Namespace")
    metadata: JsonObject = {"name": name, "namespace": namespace, "uid": f"told-{namespace}-{name}", "labels": root.pairs("Labels")}
    if owner := root.at("Controlled By"):
        of, _, owner_name = owner.partition("/")
        metadata["ownerReferences"] = [
            {"kind": of, "name": owner_name, "uid": f"told-{namespace}-{owner_name}", "controller": True}
        ]
    if made := told_time(root.at("CreationTimestamp")) or told_time(root.at("Start Time")):
        metadata["creationTimestamp"] = made
    base: JsonObject = {"kind": kind, "metadata": metadata, "spec": {}, "status": {"phase": root.at("Status").split(" ")[0]}}
    yield base | _READERS[kind](root, lines) if kind in _READERS else base
    yield from _events(lines, kind, name, namespace)


def _pod(root: Entry, lines: list[str]) -> JsonObject:
    node = root.at("Node").partition("/")[0]
    started = told_time(root.at("Start Time"))
    claims = [v.at("ClaimName") for v in root.under("Volumes").values() if v.at("ClaimName")]
    return {
        "spec": {
            "nodeName": "" if node.startswith("<") else node,
            "containers": [_spec(n, c) for n, c in root.under("Containers").items()],
            "initContainers": [_spec(n, c) for n, c in root.under("Init Containers").items()],
            "volumes": [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims],
            "nodeSelector": root.pairs("Node-Selectors"),
        },
        "status": {
            "phase": root.at("Status").split(" ")[0],
            "reason": root.at("Reason"),
            "message": root.at("Message"),
            "startTime": started,
            "conditions": conditions(lines, started),
            "containerStatuses": [_status(n, c) for n, c in root.under("Containers").items()],
            "initContainerStatuses": [_status(n, c) for n, c in root.under("Init Containers").items()],
        },
    }


def _deployment(root: Entry, lines: list[str]) -> JsonObject:
    counts = {word: int(n) for n, word in _REPLICAS.findall(root.at("Replicas"))}
    template = root.below.get("Pod Template", Entry())
    containers = [_spec(n, c) for n, c in template.under("Containers").items()]
    return {
        "spec": {
            "replicas": counts.get("desired", 0),
            "selector": {"matchLabels": root.pairs("Selector")},
            "template": {"metadata": {"labels": template.pairs("Labels")}, "spec": {"containers": containers}},
        },
        "status": {
            "replicas": counts.get("total", 0),
            "updatedReplicas": counts.get("updated", 0),
            "availableReplicas": counts.get("available", 0),
            "readyReplicas": counts.get("available", 0),
            "unavailableReplicas": counts.get("unavailable", 0),
            "conditions": conditions(lines, None),
        },
    }


def _job(root: Entry, lines: list[str]) -> JsonObject:
    counts = {word.lower(): int(n) for n, word in re.findall(r"(\d+) (Active|Succeeded|Failed)", root.at("Pods Statuses"))}
    limit = root.at("Backoff Limit")
    return {
        "spec": {"suspend": root.at("Suspend") == "true", "backoffLimit": int(limit) if limit.isdecimal() else 6},
        "status": {**counts, "conditions": conditions(lines, None)},
    }


_READERS = {
    "Pod": _pod,
    "Deployment": _deployment,
    "StatefulSet": _deployment,
    "ReplicaSet": _deployment,
    "Job": _job,
    **READERS,
}


def _spec(name: str, told: Entry) -> JsonObject:
    limits = {k: e.value for k, e in told.under("Limits").items()}
    requests = {k: e.value for k, e in told.under("Requests").items()}
    ports = [{"containerPort": int(p)} for p in re.findall(r"(\d+)/(?:TCP|UDP)", told.at("Port") or told.at("Ports"))]
    env = [{"name": k, "value": e.value} for k, e in told.under("Environment").items() if not e.value.startswith("<set to")]
    command = told.below.get("Command", Entry()).loose + told.below.get("Args", Entry()).loose
    return {
        "name": name,
        "image": told.at("Image"),
        "resources": {"limits": limits, "requests": requests},
        "ports": ports,
        "env": env,
        "command": command,
    }


def _status(name: str, told: Entry) -> JsonObject:
    count = told.at("Restart Count")
    status: JsonObject = {
        "name": name,
        "image": told.at("Image"),
        "ready": told.at("Ready") == "True",
        "restartCount": int(count) if count.isdecimal() else 0,
        "state": _state(told, "State"),
    }
    return status | ({"lastState": last} if (last := _state(told, "Last State")) else {})


def _state(told: Entry, which: str) -> JsonObject:
    code, at = told.at(which, "Exit Code"), told.at(which, "Finished")
    inside = {
        "reason": told.at(which, "Reason"),
        "message": told.at(which, "Message"),
        "startedAt": told_time(told.at(which, "Started")),
    }
    match told.at(which):
        case "Waiting":
            return {"waiting": inside}
        case "Running":
            return {"running": inside}
        case "Terminated":
            return {"terminated": {**inside, "exitCode": int(code) if code.isdecimal() else 0, "finishedAt": told_time(at)}}
    return {}


def _events(lines: list[str], kind: str, name: str, namespace: str) -> Iterator[JsonObject]:
    about = {"kind": kind, "name": name, "namespace": namespace}
    for line in lines:
        if m := _EVENT.match(line):
            count = _COUNT.search(m[3])
            event = {"kind": "Event", "metadata": {"namespace": namespace}, "involvedObject": about, "type": m[1], "reason": m[2]}
            yield {**event, "message": m[5].strip(), "count": int(count[1]) if count else 1}
