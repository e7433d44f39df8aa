"""POD_PROBE_FAILING: a pod that works, or would, is killed by its own liveness or startup probe.

Pure. A container that ends by itself is a crash loop whatever its probes say; and one whose probe is right, and which is killed
into a CrashLoopBackOff because it hangs, is one too (pods.py names the probe as the reason).
"""

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import Told, first_seen, ids
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.probe_cause import MISCONFIGURED, ProbeFault, probe_kill
from sre_agent.evidence.kubernetes.state import (
    MIN_RESTARTS,
    RECENT_EXIT,
    Container,
    JsonObject,
    Trouble,
    containers,
    ready,
    terminating,
    text,
)
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding a pod, strongest first."""
    events = readings.events(view)
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        killed = _killed(pod, events.about(pod), view)
        if killed is not None:
            found.append((owners.of_pod(pod), _finding(evidence_id, pod, *killed)))
    return foremost(found)


def _killed(pod: JsonObject, about: Told, view: EvidenceView) -> tuple[Container, ProbeFault] | None:
    """The container that a probe keeps killing, and that probe."""
    if terminating(pod) or not about or text(pod, "status", "phase") in ("Succeeded", "Failed"):
        return None
    now = view.scope.now
    trouble = (readings.trouble_of(pod, view) or (Trouble.NOT_READY, None))[0]
    for container in containers(pod):
        recent = container.exited_at is not None and now - container.exited_at <= RECENT_EXIT
        unwell = not (container.ready or ready(pod)) or recent
        if container.restarts < MIN_RESTARTS or not unwell:
            continue
        fault = probe_kill(pod, container, about)
        wrong = fault is not None and fault.reason in MISCONFIGURED and trouble is Trouble.CRASH_LOOP
        if fault is not None and (trouble is Trouble.NOT_READY or wrong):
            return container, fault
    return None


def _finding(evidence_id: str, pod: JsonObject, container: Container, fault: ProbeFault) -> Finding:
    name = text(pod, "metadata", "name")
    onsets = [at for _, e in fault.told if (at := first_seen(e)) is not None]
    return Finding(
        kind=FindingKind.POD_PROBE_FAILING,
        object=f"pod/{name.lower()}",
        namespace=text(pod, "metadata", "namespace") or None,
        cause=f"container {container.name} of pod {name} is killed by its own {fault.which} probe while it runs, "
        f"restarted {container.restarts} times: {one_line(fault.words, 300)}",
        reason=fault.reason,
        onset=min(onsets, default=None),
        strength=0.9 if fault.reason in MISCONFIGURED else 0.85,
        evidence=tuple(dict.fromkeys([evidence_id, *ids(fault.told)])),
        refuted_by="the probed endpoint answers as the probe asks, within its timeout",
    )
