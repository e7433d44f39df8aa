"""Pods that ended in failure and that nobody starts again: bare ones by their exit, and those a node would not take after all.

Pure. A failed pod stays in the list, so only an end of the last hour counts. Pods of Jobs are told with their Job (jobs.py),
evicted ones by evictions.py. Reasons of a kubelet's refusal: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.pod_cause import PodTrouble, pod_cause
from sre_agent.evidence.kubernetes.state import (
    Container,
    JsonObject,
    Trouble,
    containers,
    controller_of,
    dig,
    instant,
    terminating,
    text,
)
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

RECENT = timedelta(hours=1)
BARE, REFUSED = 0.65, 0.75
_REFUSALS = {
    "OutOfcpu": R.CPU_SHORT,
    "OutOfmemory": R.MEMORY_SHORT,
    "OutOfpods": R.PODS_FULL,
    "NodeAffinity": R.NODE_SELECTOR,
    "NodePorts": R.HOST_PORT,
    "UnexpectedAdmissionError": R.EXTENDED_RESOURCE_SHORT,
}


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod that failed for good within the last hour, strongest first."""
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        if text(pod, "status", "phase") != "Failed" or terminating(pod):
            continue
        made = _refused(evidence_id, pod, view) or _bare(evidence_id, pod, view)
        if made is not None:
            found.append((owners.of_pod(pod), made))
    return foremost(found)


def _refused(evidence_id: str, pod: JsonObject, view: EvidenceView) -> Finding | None:
    reason = text(pod, "status", "reason")
    at = instant(dig(pod, "status", "startTime")) or instant(dig(pod, "metadata", "creationTimestamp"))
    if reason not in _REFUSALS or at is None or view.scope.now - at > RECENT:
        return None
    name, node = text(pod, "metadata", "name"), text(pod, "spec", "nodeName")
    return Finding(
        kind=FindingKind.POD_UNSCHEDULABLE,
        object=f"pod/{name.lower()}",
        namespace=text(pod, "metadata", "namespace") or None,
        cause=f"node {node} did not take pod {name} ({reason}): {one_line(text(pod, 'status', 'message'), 300)}",
        reason=_REFUSALS[reason],
        onset=at,
        strength=REFUSED,
        evidence=(evidence_id,),
        refuted_by="another pod of the same workload runs in its place",
    )


def _bare(evidence_id: str, pod: JsonObject, view: EvidenceView) -> Finding | None:
    if controller_of(pod) is not None or text(pod, "status", "reason"):
        return None
    ended = [c for c in containers(pod) if c.exit_code not in (None, 0) and _lately(c, view)]
    if not ended:
        return None
    c, name = ended[0], text(pod, "metadata", "name")
    trouble = Trouble.OOM_KILLED if c.exit_reason == "OOMKilled" else Trouble.CRASH_LOOP
    logs = [(i, log) for i, log in view.logs() if log.get("pod") == name]
    told = pod_cause(PodTrouble(pod, trouble, c, [], [], [log for _, log in logs]))
    return Finding(
        kind=told.kind,
        object=f"pod/{name.lower()}",
        namespace=text(pod, "metadata", "namespace") or None,
        cause=f"{told.words}; the pod failed and nothing starts it again",
        reason=told.reason,
        onset=c.exited_at,
        strength=BARE,
        evidence=tuple(dict.fromkeys([evidence_id, *(i for i, _ in logs)])),
        refuted_by="the same pod was run again and succeeded",
    )


def _lately(container: Container, view: EvidenceView) -> bool:
    return container.exited_at is not None and view.scope.now - container.exited_at <= RECENT
