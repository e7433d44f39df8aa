"""What `kubectl get` and `kubectl get events` print, read back as API objects, as far as a row tells. Pure.

Columns are found by where their heads begin; a table without heads is read only where its rows are those of pods.
"""

import re
from collections.abc import Iterator

from sre_agent.evidence.kubernetes.state import CONFIG_REASONS, IMAGE_REASONS, JsonObject
from sre_agent.evidence.told.kinds import kind_of

MOST_ROWS = 500
_HEAD = re.compile(r"[A-Z][A-Z()%-]*(?: [A-Z][A-Z-]*)*")
_NAMED = re.compile(r"^(?:[\w.-]+ {2,})?([\w.-]+/[\w.-]+|[\w.-]+)")
_LOOSE_POD = re.compile(
    r"^(?:(?P<ns>[a-z0-9-]+) +)?(?P<name>[a-z0-9][a-z0-9.-]+) +(?P<ready>\d+/\d+) +(?P<status>[A-Z][\w:/.]+) +"
    r"(?P<restarts>\d+)(?: \([^)]*\))? +(?P<age>\w+)(?: +[\w.:<>-]+ +(?P<node>[\w.<>-]+))?"
)
_EXITS = {"OOMKilled": 137, "Error": 1, "Completed": 0, "StartError": 128, "ContainerCannotRun": 128}
_OBJECT = re.compile(r"^([A-Za-z.]+)/(\S+)$")
_TIMES = re.compile(r"\(x(\d+)")


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of the first table in the text, as head -> cell; [] when there is none."""
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if _is_head(line)), None)
    if at is None:
        return []
    heads = [(m.start(), m[0]) for m in _HEAD.finditer(lines[at])]
    found = []
    for line in lines[at + 1 : at + 1 + MOST_ROWS]:
        if not line.strip():
            break
        ends = [start for start, _ in heads[1:]] + [len(line)]
        found.append({head: line[start:end].strip() for (start, head), end in zip(heads, ends, strict=True)})
    return found


def _is_head(line: str) -> bool:
    words = set(line.split())
    return line == line.upper() and ({"NAME", "AGE"} <= words or {"REASON", "OBJECT", "MESSAGE"} <= words)


def listed(text: str, kind: str, namespace: str) -> list[JsonObject]:
    """The objects of a listing; `kind` and `namespace` as the caller of the tool gave them, where the rows do not say."""
    rows, kind = rows_of(text), kind_of(kind)
    if rows and "MESSAGE" in rows[0]:
        return list(_events(rows, namespace))
    if rows:
        return [made for row in rows if (made := _object(row, kind, namespace)) is not None]
    if kind not in ("", "Pod"):
        return []
    loose = (m for line in text.splitlines()[:MOST_ROWS] if (m := _LOOSE_POD.match(line)))
    return [
        _pod({"NAME": m["name"], "READY": m["ready"], "STATUS": m["status"], "RESTARTS": m["restarts"], "NODE": m["node"] or ""},
             _meta(m["name"], m["ns"] or namespace))
        for m in loose
    ]  # fmt: skip


def _meta(name: str, namespace: str) -> JsonObject:
    return {"name": name, "namespace": namespace, "uid": f"told-{namespace}-{name}"}


def _object(row: dict[str, str], kind: str, namespace: str) -> JsonObject | None:
    name, where = row.get("NAME", ""), row.get("NAMESPACE", namespace)
    if prefixed := _OBJECT.match(name):
        kind, name = kind_of(prefixed[1]) or kind, prefixed[2]
    if not name or not _NAMED.match(name):
        return None
    kind = kind or _guessed(row)
    meta = _meta(name, where) | ({"labels": labels} if (labels := _pairs(row.get("LABELS", ""))) else {})
    match kind:
        case "Pod":
            return _pod(row, meta)
        case "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet":
            return _workload(kind, row, meta)
        case "Node":
            return _node(row, meta)
        case "PersistentVolumeClaim" | "PersistentVolume" | "Namespace":
            return {"kind": kind, "metadata": meta, "spec": {}, "status": {"phase": row.get("STATUS", "")}}
        case "Service":
            return _service(row, meta)
        case "Endpoints":
            return _endpoints(row, meta)
    return {"kind": kind, "metadata": meta, "spec": {}, "status": {}} if kind else None


def _guessed(row: dict[str, str]) -> str:
    """The kind that has such columns."""
    heads = set(row)
    if {"READY", "STATUS", "RESTARTS"} <= heads:
        return "Pod"
    if {"CLUSTER-IP", "PORT(S)"} <= heads:
        return "Service"
    if {"ROLES", "VERSION"} <= heads:
        return "Node"
    if {"UP-TO-DATE", "AVAILABLE", "READY"} <= heads and "DESIRED" not in heads:
        return "Deployment"
    if {"VOLUME", "CAPACITY", "STORAGECLASS"} <= heads and "CLAIM" not in heads:
        return "PersistentVolumeClaim"
    return "Endpoints" if "ENDPOINTS" in heads else ""


def _pod(row: dict[str, str], meta: JsonObject) -> JsonObject:
    ready, _, total = row.get("READY", "").partition("/")
    restarts = row.get("RESTARTS", "").split(" ")[0]
    status, init = row.get("STATUS", ""), False
    if status.startswith("Init:"):
        status, init = status.removeprefix("Init:"), True
    node = row.get("NODE", "")
    container: JsonObject = {
        "name": "init" if init else "main",
        "ready": bool(ready) and ready == total,
        "restartCount": int(restarts) if restarts.isdecimal() else 0,
        "state": _state(status),
    }
    phase = (
        "Running"
        if status == "Running"
        else "Succeeded"
        if status == "Completed"
        else "Failed"
        if status == "Evicted"
        else "Pending"
    )
    if container["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff" or status in _EXITS:
        phase = "Running"
    placed = {"type": "PodScheduled", "status": "False" if node in ("", "<none>") and status == "Pending" else "True"}
    counted = [container] if status not in ("Pending", "") else []
    made: JsonObject = {"phase": phase, "conditions": [placed], "initContainerStatuses" if init else "containerStatuses": counted}
    if status == "Evicted":
        made["reason"] = "Evicted"
    ending = {"deletionTimestamp": "1970-01-01T00:00:00Z"} if status == "Terminating" else {}
    return {"kind": "Pod", "metadata": meta | ending, "spec": {"nodeName": "" if node == "<none>" else node}, "status": made}


def _state(status: str) -> JsonObject:
    if status in IMAGE_REASONS or status in CONFIG_REASONS or status == "CrashLoopBackOff":
        return {"waiting": {"reason": status, "message": ""}}
    if status in _EXITS:
        return {"terminated": {"reason": status, "exitCode": _EXITS[status]}}
    return {"running": {}} if status == "Running" else {"waiting": {"reason": status}}


def _workload(kind: str, row: dict[str, str], meta: JsonObject) -> JsonObject:
    ready, slash, wanted = row.get("READY", "").partition("/")
    wanted = wanted if slash else row.get("DESIRED", "")
    counts = {"replicas": _int(wanted), "readyReplicas": _int(ready), "availableReplicas": _int(row.get("AVAILABLE", ready))}
    if kind == "DaemonSet":
        counts = {
            "desiredNumberScheduled": _int(wanted),
            "numberReady": _int(ready),
            "numberAvailable": _int(row.get("AVAILABLE", "")),
        }
    selector = _pairs(row.get("SELECTOR", ""))
    spec = (
        {"replicas": _int(wanted), "selector": {"matchLabels": selector}}
        if kind != "DaemonSet"
        else {"selector": {"matchLabels": selector}}
    )
    return {"kind": kind, "metadata": meta, "spec": spec, "status": counts}


def _node(row: dict[str, str], meta: JsonObject) -> JsonObject:
    words = row.get("STATUS", "").split(",")
    ready = {"type": "Ready", "status": "True" if "Ready" in words else "Unknown" if "NotReady" in words else "False"}
    spec = {"unschedulable": True} if "SchedulingDisabled" in words else {}
    return {"kind": "Node", "metadata": {**meta, "namespace": ""}, "spec": spec, "status": {"conditions": [ready]}}


def _service(row: dict[str, str], meta: JsonObject) -> JsonObject:
    ports = [{"port": int(m[1])} for m in re.finditer(r"(\d+)(?::\d+)?/(?:TCP|UDP|SCTP)", row.get("PORT(S)", ""))]
    return {"kind": "Service", "metadata": meta, "spec": {"selector": _pairs(row.get("SELECTOR", "")), "ports": ports}}


def _endpoints(row: dict[str, str], meta: JsonObject) -> JsonObject:
    told = [a.rpartition(":") for a in row.get("ENDPOINTS", "").split(",") if ":" in a]
    subsets = [{"addresses": [{"ip": ip} for ip, _, _ in told], "ports": []}] if told else []
    return {"kind": "Endpoints", "metadata": meta, "subsets": subsets}


def _pairs(cell: str) -> dict[str, str]:
    """ "app=cart,tier=web" as a dictionary."""
    return {k: v for k, _, v in (pair.partition("=") for pair in cell.split(",")) if k and v and k != "<none>"}


def _int(cell: str) -> int:
    return int(cell) if cell.isdecimal() else 0


def _events(rows: list[dict[str, str]], namespace: str) -> Iterator[JsonObject]:
    for row in rows:
        about = _OBJECT.match(row.get("OBJECT", ""))
        if about is None:
            continue
        where = row.get("NAMESPACE", namespace)
        times = _TIMES.search(row.get("LAST SEEN", "")) or _TIMES.search(row.get("COUNT", ""))
        yield {
            "kind": "Event",
            "metadata": {"namespace": where},
            "involvedObject": {"kind": kind_of(about[1]) or about[1], "name": about[2], "namespace": where},
            "type": row.get("TYPE", ""),
            "reason": row.get("REASON", ""),
            "message": row.get("MESSAGE", ""),
            "count": int(times[1]) if times else 1,
        }
