"""POD_EVICTED: a node threw a pod out because it was short of something, or another pod took its place.

Pure. An evicted pod stays in the list for ever, so only an eviction of the last hour counts.
"""

import re
from datetime import datetime, timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import ids, last_seen
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import JsonObject, condition, containers, instant, text
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

RECENT = timedelta(hours=1)
STRENGTH, UNDATED = 0.78, 0.45
_WHY: tuple[tuple[R, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(words, re.IGNORECASE))
    for reason, words in (
        (R.DISK_FULL, r"emptydir volume .{1,253} exceeds|ephemeral local storage usage exceeds|local ephemeral storage"),
        (R.DISK_PRESSURE, r"ephemeral-storage|disk|inodes|nodefs|imagefs"),
        (R.PID_PRESSURE, r"\bpids?\b"),
        (R.MEMORY_PRESSURE, r"memory"),
    )
)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod that was evicted lately, strongest first, at most three of a workload."""
    events = readings.events(view)
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        preempted = text(condition(pod, "DisruptionTarget"), "reason") == "PreemptionByScheduler"
        if text(pod, "status", "phase") != "Failed" or not (text(pod, "status", "reason") == "Evicted" or preempted):
            continue
        told = events.about(pod, "Evicted", "Preempted")
        times = [at for _, e in told if (at := last_seen(e)) is not None] + _times(pod)
        if times and view.scope.now - max(times) > RECENT:
            continue
        said = text(pod, "status", "message")
        name, node = text(pod, "metadata", "name"), text(pod, "spec", "nodeName")
        by = "made room for a pod of higher priority on" if preempted else "was thrown out by"
        made = Finding(
            kind=FindingKind.POD_EVICTED,
            object=f"pod/{name.lower()}",
            namespace=text(pod, "metadata", "namespace") or None,
            cause=f"pod {name} {by} node {node}: {one_line(said, 300)}",
            reason=None if preempted else next((reason for reason, pattern in _WHY if pattern.search(said)), None),
            onset=min(times, default=None),
            strength=STRENGTH if times else UNDATED,
            evidence=tuple(dict.fromkeys([evidence_id, *ids(told)])),
            refuted_by="the node was not short of it at that time",
        )
        found.append((owners.of_pod(pod), made))
    return foremost(found)


def _times(pod: JsonObject) -> list[datetime]:
    """When it ended, as far as its status tells."""
    target = instant((condition(pod, "DisruptionTarget") or {}).get("lastTransitionTime"))
    return [at for at in [target, *(c.exited_at for c in containers(pod))] if at is not None]
