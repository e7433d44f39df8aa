"""What `kubectl describe` prints, read back as API objects, as far as it tells. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from sre_agent.evidence.kubernetes.state import JsonObject

_KEY = re.compile(r"^( *)([A-Za-z][\w ./()-]*):(?:\s+(.*))?$")
_CONDITION = re.compile(r"^\s+(\w+)\s+(True|False|Unknown)(?:\s+([A-Z]\w+))?\b(.*)$")
_EVENT = re.compile(r"^\s+(Normal|Warning)\s+(\S+)\s+(.+?)\s{2,}(\S+)\s{2,}(.+)$")
_COUNT = re.compile(r"\(x(\d+)")
_REPLICAS = re.compile(r"(\d+) (desired|updated|total|available|unavailable)")
_TARGET = re.compile(r"^(\S+)\s+(\d+)/(TCP|UDP|SCTP)$")
_BLOCK = re.compile(r"^Name:\s+\S", re.MULTILINE)


@dataclass
class Entry:
    """One "Key: value" line, what is indented below it, and the lines below that are no keys."""

    value: str = ""
    below: "dict[str, Entry]" = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)

    def at(self, *path: str) -> str:
        """The value at a path of keys, or an empty text."""
        entry: Entry | None = self
        for key in path:
            entry = entry.below.get(key) if entry is not None else None
        return entry.value if entry is not None else ""

    def under(self, key: str) -> "dict[str, Entry]":
        """What is below a key."""
        found = self.below.get(key)
        return found.below if found is not None else {}

    def pairs(self, key: str, mark: str = "=") -> dict[str, str]:
        """ "a=1" on the key's line and on each line below it, as a dictionary."""
        found = self.below.get(key)
        told = [found.value, *found.loose] if found is not None else []
        return {k.strip(): v.strip() for k, sep, v in (t.partition(mark) for each in told for t in each.split(",")) if sep}


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
    if made := _time(root.at("CreationTimestamp")) or _time(root.at("Start Time")):
        metadata["creationTimestamp"] = made
    base: JsonObject = {"kind": kind, "metadata": metadata, "spec": {}, "status": {"phase": root.at("Status").split(" ")[0]}}
    yield base | _READERS[kind](root, lines) if kind in _READERS else base
    yield from _events(lines, kind, name, namespace)


def tree(lines: list[str]) -> Entry:
    """Keys by their indentation."""
    root = Entry()
    stack: list[tuple[int, Entry]] = [(-1, root)]
    for line in lines:
        found = _KEY.match(line)
        if found is None:
            if line.strip():
                stack[-1][1].loose.append(line.strip())
            continue
        indent, entry = len(found[1]), Entry((found[3] or "").strip())
        while stack[-1][0] >= indent:
            stack.pop()
        stack[-1][1].below.setdefault(found[2].strip(), entry)
        stack.append((indent, entry))
    return root


def _pod(root: Entry, lines: list[str]) -> JsonObject:
    node = root.at("Node").partition("/")[0]
    started = _time(root.at("Start Time"))
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
            "conditions": _conditions(lines, started),
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
            "conditions": _conditions(lines, None),
        },
    }


def _job(root: Entry, lines: list[str]) -> JsonObject:
    counts = {word.lower(): int(n) for n, word in re.findall(r"(\d+) (Active|Succeeded|Failed)", root.at("Pods Statuses"))}
    limit = root.at("Backoff Limit")
    return {
        "spec": {"suspend": root.at("Suspend") == "true", "backoffLimit": int(limit) if limit.isdecimal() else 6},
        "status": {**counts, "conditions": _conditions(lines, None)},
    }


def _claim(root: Entry, lines: list[str]) -> JsonObject:  # noqa: ARG001
    return {
        "spec": {"storageClassName": root.at("StorageClass"), "volumeName": root.at("Volume")},
        "status": {"phase": root.at("Status")},
    }


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
            "conditions": _conditions(lines, None),
            "allocatable": {k: e.value for k, e in root.under("Allocatable").items()},
            "capacity": {k: e.value for k, e in root.under("Capacity").items()},
        },
    }


_READERS = {
    "Pod": _pod,
    "Deployment": _deployment,
    "StatefulSet": _deployment,
    "ReplicaSet": _deployment,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "Node": _node,
}


def _conditions(lines: list[str], at: str | None) -> list[JsonObject]:
    """The table of conditions: type, status and, where it is told, reason."""
    found = (m for line in lines if (m := _CONDITION.match(line)) and m[1] not in ("Normal", "Warning"))
    return [{"type": m[1], "status": m[2], "reason": m[3] or "", "message": m[4].strip(), "lastTransitionTime": at} for m in found]


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
        "startedAt": _time(told.at(which, "Started")),
    }
    match told.at(which):
        case "Waiting":
            return {"waiting": inside}
        case "Running":
            return {"running": inside}
        case "Terminated":
            return {"terminated": {**inside, "exitCode": int(code) if code.isdecimal() else 0, "finishedAt": _time(at)}}
    return {}


def _time(text: str) -> str | None:
    """RFC 3339 from the RFC 5322 time that kubectl prints."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC).isoformat()
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _events(lines: list[str], kind: str, name: str, namespace: str) -> Iterator[JsonObject]:
    about = {"kind": kind, "name": name, "namespace": namespace}
    for line in lines:
        if m := _EVENT.match(line):
            count = _COUNT.search(m[3])
            event = {"kind": "Event", "metadata": {"namespace": namespace}, "involvedObject": about, "type": m[1], "reason": m[2]}
            yield {**event, "message": m[5].strip(), "count": int(count[1]) if count else 1}
