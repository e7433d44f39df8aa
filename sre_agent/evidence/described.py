"""What `kubectl describe` prints, read back as API objects, as far as it tells. Pure.

SAFETY: this is text that somebody handed over, not an answer of the cluster: whoever reads objects from it must say less
than of an object that was read (TEXT evidence corroborates nothing, and no target is ever resolved from it).
"""

import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from sre_agent.evidence.kubernetes_state import JsonObject

_KEY = re.compile(r"^( *)([A-Za-z][\w ./-]*):(?:\s+(.*))?$")
_CONDITION = re.compile(r"^\s+(\w+)\s+(True|False|Unknown)\b")
_EVENT = re.compile(r"^\s+(Normal|Warning)\s+(\S+)\s+(.+?)\s{2,}(\S+)\s{2,}(.+)$")
_COUNT = re.compile(r"\(x(\d+)")


@dataclass
class _Entry:
    """One "Key: value" line and what is indented below it."""

    value: str = ""
    below: "dict[str, _Entry]" = field(default_factory=dict)

    def at(self, *path: str) -> str:
        """The value at a path of keys, or an empty text."""
        entry: _Entry | None = self
        for key in path:
            entry = entry.below.get(key) if entry is not None else None
        return entry.value if entry is not None else ""


def described(text: str, kind: str) -> list[JsonObject]:
    """The object that a description is about, and its events; [] when this is no description."""
    begins = re.search(r"^Name:\s+\S", text, re.MULTILINE)
    if begins is None or not kind:
        return []
    lines = text[begins.start() :].splitlines()
    root = _tree(lines)
    name, namespace = root.at("Name"), root.at("Namespace")
    metadata = {"name": name, "namespace": namespace, "uid": f"described-{name}"}
    made: JsonObject = {"kind": kind, "metadata": metadata, "spec": {}, "status": {"phase": root.at("Status")}}
    if kind == "Pod":
        made |= _pod(root, lines)
    return [made, *_events(lines, kind, name, namespace)]


def _tree(lines: list[str]) -> _Entry:
    root = _Entry()
    stack: list[tuple[int, _Entry]] = [(-1, root)]
    for line in lines:
        found = _KEY.match(line)
        if found is None:
            continue
        indent, entry = len(found[1]), _Entry((found[3] or "").strip())
        while stack[-1][0] >= indent:
            stack.pop()
        stack[-1][1].below.setdefault(found[2].strip(), entry)
        stack.append((indent, entry))
    return root


def _pod(root: _Entry, lines: list[str]) -> JsonObject:
    node = root.at("Node").partition("/")[0]
    started = _time(root.at("Start Time"))
    conditions = [{"type": m[1], "status": m[2], "lastTransitionTime": started} for line in lines if (m := _CONDITION.match(line))]
    return {
        "spec": {
            "nodeName": "" if node.startswith("<") else node,
            "containers": [_spec(n, c) for n, c in _under(root, "Containers")],
            "initContainers": [_spec(n, c) for n, c in _under(root, "Init Containers")],
        },
        "status": {
            "phase": root.at("Status"),
            "startTime": started,
            "conditions": conditions,
            "containerStatuses": [_status(n, c) for n, c in _under(root, "Containers")],
            "initContainerStatuses": [_status(n, c) for n, c in _under(root, "Init Containers")],
        },
    }


def _under(root: _Entry, section: str) -> list[tuple[str, _Entry]]:
    found = root.below.get(section)
    return list(found.below.items()) if found is not None else []


def _spec(name: str, told: _Entry) -> JsonObject:
    return {"name": name, "image": told.at("Image"), "resources": {"limits": {"memory": told.at("Limits", "memory")}}}


def _status(name: str, told: _Entry) -> JsonObject:
    count = told.at("Restart Count")
    status: JsonObject = {
        "name": name,
        "image": told.at("Image"),
        "ready": told.at("Ready") == "True",
        "restartCount": int(count) if count.isdecimal() else 0,
        "state": _state(told, "State"),
    }
    return status | ({"lastState": last} if (last := _state(told, "Last State")) else {})


def _state(told: _Entry, which: str) -> JsonObject:
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


def _events(lines: list[str], kind: str, name: str, namespace: str) -> list[JsonObject]:
    about = {"kind": kind, "name": name, "namespace": namespace}
    found = []
    for line in lines:
        if m := _EVENT.match(line):
            count = _COUNT.search(m[3])
            event = {"kind": "Event", "metadata": {"namespace": namespace}, "involvedObject": about, "type": m[1], "reason": m[2]}
            found.append({**event, "message": m[5].strip(), "count": int(count[1]) if count else 1})
    return found
