"""NODE_*: a node in trouble, which outranks the trouble of the pods on it; and one that is still cordoned after it.

Nodes that take no further pod (cordoned, full) are in node_room.py; what node-exporter measures is in node_metrics.py.

Pure. Strength grows with what agrees: metrics of the same condition, events, and pods that suffer on that node.
"""

from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import event_time
from sre_agent.evidence.kubernetes.node_surroundings import MIN_OWNERS, NodeSurroundings, owner_key
from sre_agent.evidence.kubernetes.state import (
    JsonObject,
    condition,
    instant,
    not_ready_since,
    odd_conditions,
    pressures,
    problems,
    ready,
    terminating,
    text,
)
from sre_agent.evidence.view import EvidenceView

_EVENT_REASONS = {
    FindingKind.NODE_NOT_READY: {"NodeNotReady", "NodeNotSchedulable", "Rebooted", "KubeletNotReady"},
    FindingKind.NODE_PRESSURE: {
        "EvictionThresholdMet",
        "NodeHasInsufficientMemory",
        "NodeHasDiskPressure",
        "NodeHasInsufficientPID",
        "FreeDiskSpaceFailed",
        "SystemOOM",
        "Evicted",
    },
    FindingKind.NODE_FAILING_PODS: set(),
    FindingKind.NODE_LEFT_CORDONED: {"NodeNotSchedulable"},
}
_PRESSED = {
    "MemoryPressure": FindingReason.MEMORY_PRESSURE,
    "DiskPressure": FindingReason.DISK_PRESSURE,
    "PIDPressure": FindingReason.PID_PRESSURE,
}
_STRENGTH = {
    FindingKind.NODE_NOT_READY: 0.86,
    FindingKind.NODE_PRESSURE: 0.78,
    FindingKind.NODE_FAILING_PODS: 0.80,
    FindingKind.NODE_LEFT_CORDONED: 0.75,
}


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding a node; not ready before short of something. A node that nobody describes gives none."""
    found: dict[str, Finding] = {}
    for evidence_id, node in view.objects("Node"):
        name = text(node, "metadata", "name")
        ready_condition = condition(node, "Ready")
        if ready_condition is not None and not ready(node):
            why, said = _why_not_ready(node)
            cause = f"node {name} is not ready: {said} ({odd_conditions(node)})"
            made = _finding(FindingKind.NODE_NOT_READY, (evidence_id, node), cause, not_ready_since(node), view)
            found[name] = made.model_copy(update={"reason": why})
        elif short := pressures(node):
            since = min((at for p in short if (at := instant((condition(node, p) or {}).get("lastTransitionTime")))), default=None)
            cause = f"node {name} is short of resources: {', '.join(short)}"
            made = _finding(FindingKind.NODE_PRESSURE, (evidence_id, node), cause, since, view)
            found[name] = made.model_copy(update={"reason": _PRESSED.get(short[0])})
        else:
            found |= _quiet(name, (evidence_id, node), view)
    return tuple(sorted(found.values(), key=lambda f: (-f.strength, f.object)))


def _why_not_ready(node: JsonObject) -> tuple[FindingReason | None, str]:
    """Whether its kubelet is silent (the controller writes Unknown) or speaks and says what is missing."""
    told = condition(node, "Ready") or {}
    message = text(told, "message")[:160]
    if text(told, "status") == "Unknown":
        return FindingReason.KUBELET_SILENT, "its kubelet has stopped reporting"
    unavailable = text(condition(node, "NetworkUnavailable"), "status") == "True"
    if unavailable or any(w in message.lower() for w in ("network plugin", "cni", "networkready=false", "networknotready")):
        return FindingReason.NETWORK_UNAVAILABLE, f"its pod network is not set up: {message}"
    if terminating(node):
        return None, "it is being removed"
    return None, message or text(told, "reason") or "its kubelet says so"


def _quiet(name: str, node: tuple[str, JsonObject], view: EvidenceView) -> dict[str, Finding]:
    """What may be wrong with a node that says it is well."""
    now, failing = view.scope.now, readings.failing_on(name, view)
    seen = NodeSurroundings(node[1], (node[1],), failing)
    wrong = problems(node[1])
    said = f"; its problem detector says {', '.join(wrong)}" if wrong else ""
    # Two owners are enough to believe a condition that speaks of the node itself; the guard still wants more (at_fault).
    if ready(node[1]) and (seen.at_fault(now) or (wrong and len(set(map(owner_key, failing))) >= MIN_OWNERS)):
        owners = sorted({owner[2] for owner in map(owner_key, failing)})
        cause = f"{len(failing)} pods of {len(owners)} owners ({', '.join(owners)}) fail on node {name} and nowhere else{said}"
        onsets = [at for p in failing if (at := not_ready_since(p)) is not None]
        return {name: _finding(FindingKind.NODE_FAILING_PODS, node, cause, min(onsets, default=None), view)}
    if seen.cordoned_by_us and seen.well(now):
        cause = f"node {name} was cordoned by this agent, has been well for 10 minutes, and still takes no new pods"
        return {name: _finding(FindingKind.NODE_LEFT_CORDONED, node, cause, None, view)}
    return {}


def _finding(kind: FindingKind, node: tuple[str, JsonObject], cause: str, since: datetime | None, view: EvidenceView) -> Finding:
    name = text(node[1], "metadata", "name")
    events = [(i, e) for i, e in view.objects("Event") if _about(e, name) and text(e, "reason") in _EVENT_REASONS[kind]]
    metrics = _confirming(kind, name, view)
    here = [(i, p) for i, p in view.objects("Pod") if text(p, "spec", "nodeName") == name]
    sick = [
        i for i, p in here if readings.trouble_of(p, view) is not None or text(p, "status", "reason") in ("Evicted", "NodeLost")
    ]
    strength = _STRENGTH[kind]
    strength += 0.03 * bool(events) + 0.05 * bool(metrics) + 0.03 * bool(sick)
    if sick:
        cause += f"; {len(sick)} of {len(here)} known pods on it are in trouble"
    onsets = [at for at in [since, *(event_time(e) for _, e in events), *(at for _, at in metrics)] if at is not None]
    return Finding(
        kind=kind,
        object=f"node/{name.lower()}",
        cause=cause,
        onset=min(onsets, default=None),
        strength=round(strength, 3),
        evidence=tuple(dict.fromkeys([node[0], *(i for i, _ in events), *(i for i, _ in metrics), *sick])),
        refuted_by="the node's conditions are back as they should be while its pods still fail",
    )


def _about(event: JsonObject, name: str) -> bool:
    about = event.get("involvedObject")
    if text(about, "kind") == "Node":
        return text(about, "name") == name
    return text(event, "source", "host") == name and text(event, "reason") == "Evicted"


def _confirming(kind: FindingKind, name: str, view: EvidenceView) -> list[tuple[str, datetime]]:
    """kube_node_status_condition of kube-state-metrics: value 1 marks the (condition, status) that holds."""
    if kind is FindingKind.NODE_FAILING_PODS:
        return _unready_there(name, view)
    if kind is FindingKind.NODE_LEFT_CORDONED:
        told = view.series("kube_node_spec_unschedulable")
        at = view.scope.onset
        return [(i, at) for i, s in told if s.labels.get("node") == name and s.finite() and s.finite()[-1][1] == 1]
    found = []
    for evidence_id, series in view.series("kube_node_status_condition"):
        labels, points = series.labels, series.finite()
        if labels.get("node") != name or not points or points[-1][1] != 1:
            continue
        bad_ready = labels.get("condition") == "Ready" and labels.get("status") in ("false", "unknown")
        short = labels.get("condition", "").endswith("Pressure") and labels.get("status") == "true"
        if bad_ready if kind is FindingKind.NODE_NOT_READY else short:
            began = next(t for t, v in points if v == 1)
            found.append((evidence_id, datetime.fromtimestamp(began, tz=UTC)))
    return found


def _unready_there(node: str, view: EvidenceView) -> list[tuple[str, datetime]]:
    """kube_pod_status_ready of the pods that fail there: 0 says the same as Kubernetes does."""
    names = {(text(p, "metadata", "namespace"), text(p, "metadata", "name")) for p in readings.failing_on(node, view)}
    found = []
    for evidence_id, series in view.series("kube_pod_status_ready"):
        labels, points = series.labels, series.finite()
        mine = (labels.get("namespace"), labels.get("pod")) in names and labels.get("condition", "true") == "true"
        if mine and points and points[-1][1] == 0:
            found.append((evidence_id, datetime.fromtimestamp(next(t for t, v in points if v == 0), tz=UTC)))
    return found
