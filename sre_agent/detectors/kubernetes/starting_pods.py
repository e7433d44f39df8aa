"""POD_NOT_READY for a pod that has a node and has been starting for very long, while nothing says why.

Pure. The last resort: whatever a container's state or an event explains is told by other detectors. What the kubelet did last is
quoted: an image that is still being pulled is the usual one.
"""

from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import ids, message, newest_first
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import JsonObject, containers, dig, instant, terminating, text
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

PATIENCE = timedelta(minutes=10)
STRENGTH = 0.55
_EXPLAINED = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "FailedScheduling"})


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod that does not come to start, strongest first."""
    events = readings.events(view)
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        made = instant(dig(pod, "metadata", "creationTimestamp"))
        if made is None or view.scope.now - made < PATIENCE or not _starting(pod, view):
            continue
        told = newest_first(events.about(pod))
        if any(text(e, "reason") in _EXPLAINED for _, e in told):
            continue
        name, minutes = text(pod, "metadata", "name"), int((view.scope.now - made).total_seconds() // 60)
        last = f"; the last that was said: {one_line(message(told[0][1]), 200)}" if told else "; nothing was said about it"
        finding = Finding(
            kind=FindingKind.POD_NOT_READY,
            object=f"pod/{name.lower()}",
            namespace=text(pod, "metadata", "namespace") or None,
            cause=f"pod {name} has been starting on node {text(pod, 'spec', 'nodeName')} for {minutes} minutes{last}",
            onset=made,
            strength=STRENGTH,
            evidence=tuple(dict.fromkeys([evidence_id, *ids(told[:3])])),
            refuted_by="its containers were made since",
        )
        found.append((owners.of_pod(pod), finding))
    return foremost(found)


def _starting(pod: JsonObject, view: EvidenceView) -> bool:
    """Whether its kubelet has taken it and none of its containers was ever made."""
    if terminating(pod) or text(pod, "status", "phase") != "Pending" or not text(pod, "spec", "nodeName"):
        return False
    taken = containers(pod)
    return bool(taken) and not any(c.running or c.exit_code is not None for c in taken) and readings.trouble_of(pod, view) is None
