"""POD_INIT_FAILED for an init container that does not end: it waits for something, and its pod with it.

Pure. An init container that fails is found by pods.py. A long migration looks the same, hence the patience and the strength.
"""

from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.exit_cause import log_lines, words_cause
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.pod_cause import waits_for
from sre_agent.evidence.kubernetes.state import Container, JsonObject, containers, terminating, text
from sre_agent.evidence.kubernetes.workload_owner import Owner
from sre_agent.evidence.view import EvidenceView

PATIENCE = timedelta(minutes=5)
_WAITING = ("wait", "until ", "while ", "nslookup", "nc -z", "pg_isready", "redis-cli", "getent", "dockerize")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod that has waited for one of its init containers for PATIENCE, strongest first."""
    owners = readings.owners(view)
    found: list[tuple[Owner, Finding]] = []
    for evidence_id, pod in view.objects("Pod"):
        waits = _waits(pod, view)
        if waits is not None:
            found.append((owners.of_pod(pod), _finding(evidence_id, pod, waits, view)))
    return foremost(found)


def _waits(pod: JsonObject, view: EvidenceView) -> Container | None:
    now = view.scope.now
    if terminating(pod) or text(pod, "status", "phase") != "Pending" or readings.trouble_of(pod, view) is not None:
        return None
    running = (c for c in containers(pod) if c.init and c.running and c.ran_since is not None and now - c.ran_since >= PATIENCE)
    return next(running, None)


def _finding(evidence_id: str, pod: JsonObject, container: Container, view: EvidenceView) -> Finding:
    name, namespace = text(pod, "metadata", "name"), text(pod, "metadata", "namespace")
    mine = [
        (i, log)
        for i, log in view.logs()
        if (log.get("namespace"), log.get("pod"), log.get("container")) == (namespace, name, container.name)
    ]
    spoken = next((w for _, log in mine if (w := words_cause(log_lines(log))) is not None), None)
    command = waits_for(container, pod)
    waits = any(word in f"{container.name} {command}".lower() for word in _WAITING)
    since = container.ran_since
    minutes = int((view.scope.now - since).total_seconds() // 60) if since is not None else 0
    return Finding(
        kind=FindingKind.POD_INIT_FAILED,
        object=f"pod/{name.lower()}",
        namespace=namespace or None,
        cause=f"init container {container.name} of pod {name} has run for {minutes} minutes and does not end, so the pod does "
        f"not start; it runs: {command or 'the command of its image'}" + (f"; its log speaks of {spoken[1]}" if spoken else ""),
        reason=(R.DEPENDENCY_UNREACHABLE if waits else None) if spoken is None else spoken[0],
        onset=since,
        strength=0.75 if waits else 0.6,
        evidence=tuple(dict.fromkeys([evidence_id, *(i for i, _ in mine)])),
        refuted_by="the init container ends with code 0 and the pod's containers start",
    )
