"""WORKLOAD_SCALED_TO_ZERO: somebody set a workload to no replicas, or a DaemonSet to no node, and something misses it.

Pure. Many workloads rest at zero on purpose. What counts is who misses it: the alert that names it, the Service that has nothing
else behind it, callers in trouble that name that Service, an event of the scaling in the incident's window.
"""

import re
from collections.abc import Iterator

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.alerted import named_by_alert
from sre_agent.evidence.kubernetes.events import ObjectEvents, Told, ids, last_seen, message
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import (
    JsonObject,
    controller_of,
    dig,
    entries,
    labels_of,
    listed,
    number,
    ready,
    terminating,
    text,
)
from sre_agent.evidence.kubernetes.workload_owner import object_name
from sre_agent.evidence.view import EvidenceView

NAMED, SCALED, CALLED, SERVED, AUTOSCALED = 0.9, 0.85, 0.85, 0.7, 0.45
_TO_ZERO = re.compile(r"[Ss]caled down .{1,300} to 0\b|delete Pod ")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each workload at zero that something misses, strongest first."""
    events = readings.events(view)
    found = []
    for evidence_id, item in _at_zero(view):
        strength, why, cited = _missed(item, events, view)
        if strength:
            finding = _finding(evidence_id, item, strength, why, cited)
            found.append(((text(item, "kind"), finding.namespace or "", finding.object), finding))
    return foremost(found)


def _at_zero(view: EvidenceView) -> Iterator[tuple[str, JsonObject]]:
    for kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        for evidence_id, item in view.objects(kind):
            wanted = dig(item, "spec", "replicas")
            own = kind != "ReplicaSet" or controller_of(item) is None
            if own and wanted == 0 and not isinstance(wanted, bool) and not terminating(item):
                yield evidence_id, item
    for evidence_id, item in view.objects("DaemonSet"):
        seen = number(item, "status", "observedGeneration") > 0
        if seen and dig(item, "status", "desiredNumberScheduled") == 0 and _selector(item) and not terminating(item):
            yield evidence_id, item


def _selector(item: JsonObject) -> dict[str, object]:
    found = dig(item, "spec", "template", "spec", "nodeSelector")
    return found if isinstance(found, dict) else {}


def _missed(item: JsonObject, events: ObjectEvents, view: EvidenceView) -> tuple[float, str, list[str]]:
    """(strength, who misses it, evidence); strength 0 when nobody does."""
    namespace, name = text(item, "metadata", "namespace"), text(item, "metadata", "name")
    services = _services(item, view)
    names = [text(s, "metadata", "name") for _, s in services]
    recent = [
        (i, e)
        for i, e in events.about(item, "ScalingReplicaSet", "SuccessfulDelete")
        if _TO_ZERO.search(message(e)) and ((at := last_seen(e)) is None or at >= view.scope.window.start)
    ]
    callers = _callers(namespace, names, view)
    served = f"; its Service {', '.join(names)} has no other pod behind it" if names else ""
    cited = [*ids(services, recent, callers)]
    calls = f"; {', '.join(text(p, 'metadata', 'name') for _, p in callers[:3])} in trouble call it" if callers else ""
    if named_by_alert(view.scope.incident, name, *names):
        return NAMED, f"the alert is about it{served}{calls}", cited
    if recent:
        return SCALED, f"it was scaled down within this incident's window{served}{calls}", cited
    if callers:
        return CALLED, f"its callers miss it{served}{calls}", cited
    if names:
        return SERVED, f"it is missed{served}", cited
    scalers = [
        (i, h)
        for i, h in view.objects("HorizontalPodAutoscaler")
        if text(h, "metadata", "namespace") == namespace and text(h, "spec", "scaleTargetRef", "name") == name
    ]
    return (AUTOSCALED, "its autoscaler rests as long as it is at zero", ids(scalers)) if scalers else (0.0, "", [])


def _services(item: JsonObject, view: EvidenceView) -> Told:
    """The Services that select its pods and, of the pods that were read, no ready one."""
    namespace, made = text(item, "metadata", "namespace"), labels_of(dig(item, "spec", "template") or {})
    pods = [p for _, p in view.objects("Pod") if text(p, "metadata", "namespace") == namespace and ready(p)]
    found = []
    for i, service in view.objects("Service"):
        wanted = dig(service, "spec", "selector")
        if text(service, "metadata", "namespace") != namespace or not isinstance(wanted, dict) or not wanted:
            continue
        mine = all(made.get(k) == v for k, v in wanted.items())
        if mine and not any(all(labels_of(p).get(k) == v for k, v in wanted.items()) for p in pods):
            found.append((i, service))
    return found


def _callers(namespace: str, services: list[str], view: EvidenceView) -> Told:
    """Pods in trouble of the namespace whose variables or arguments name one of these Services as a host."""
    if not services:
        return []
    host = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, services))})(?![\w-])")
    found = []
    for i, pod in view.objects("Pod"):
        if text(pod, "metadata", "namespace") != namespace or readings.trouble_of(pod, view) is None:
            continue
        said = [text(v, "value") for c in _containers(pod) for v in entries(c, "env")]
        said += [str(word) for c in _containers(pod) for part in ("command", "args") for word in listed(c, part)]
        if any(host.search(word[:500]) for word in said):
            found.append((i, pod))
    return found


def _containers(pod: JsonObject) -> tuple[JsonObject, ...]:
    return entries(pod, "spec", "initContainers") + entries(pod, "spec", "containers")


def _finding(evidence_id: str, item: JsonObject, strength: float, why: str, cited: list[str]) -> Finding:
    what = object_name(item).replace("/", " ")
    if text(item, "kind") == "DaemonSet":
        wants = ", ".join(f"{k}={v}" for k, v in _selector(item).items())
        cause = f"{what} runs on no node: its nodeSelector wants {wants}; {why}"
    else:
        cause = f"{what} is set to 0 replicas; {why}"
    return Finding(
        kind=FindingKind.WORKLOAD_SCALED_TO_ZERO,
        object=object_name(item),
        namespace=text(item, "metadata", "namespace") or None,
        cause=cause,
        reason=R.NODE_SELECTOR if text(item, "kind") == "DaemonSet" else None,
        strength=strength,
        evidence=tuple(dict.fromkeys([evidence_id, *cited])),
        refuted_by="its owners keep it at zero on purpose and nothing calls it",
    )
