"""POD_UNSCHEDULABLE, POD_PROBE_FAILING, CLAIM_UNBOUND, JOB_FAILED: what keeps work from running, by what its events say now.

Pure. An event alone is history: the object must be in that state still, so a pod that found its node is left alone.
"""

from collections.abc import Iterator

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes_scope import event_count
from sre_agent.evidence.kubernetes_state import JsonObject, condition, containers, pod_trouble, ready, terminating, text
from sre_agent.evidence.kubernetes_state import Trouble as T
from sre_agent.evidence.view import EvidenceView

QUOTE = 240
MIN_PROBES, MIN_RESTARTS = 3, 3
_ENDED_WHEN_ASKED = (None, 0, 143)
Told = list[tuple[str, JsonObject]]


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each object that waits, in the order of their names."""
    found = [*_pods(view), *_others(view)]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.namespace or "", f.object))[:10])


def _pods(view: EvidenceView) -> Iterator[Finding]:
    for evidence_id, pod in view.objects("Pod"):
        about = _about(pod, view)
        placed = condition(pod, "PodScheduled")
        if text(pod, "status", "phase") == "Pending" and text(placed, "status") == "False" and not text(pod, "spec", "nodeName"):
            refused = [(i, e) for i, e in about if text(e, "reason") == "FailedScheduling"]
            why = text(placed, "message") or next((text(e, "message") for _, e in refused), "no node takes it")
            cause = f"pod {text(pod, 'metadata', 'name')} is Unschedulable: {why}"
            yield _finding(FindingKind.POD_UNSCHEDULABLE, pod, cause, [(evidence_id, pod), *refused], 0.85)
        if (probed := _liveness(pod, about)) and (pod_trouble(pod, view.scope.now) or (T.NOT_READY, None))[0] is T.NOT_READY:
            said = text(probed[0][1], "message")
            cause = f"pod {text(pod, 'metadata', 'name')} is killed by its own probe while it runs: {said}"
            yield _finding(FindingKind.POD_PROBE_FAILING, pod, cause, [(evidence_id, pod), *probed], 0.85)


def _liveness(pod: JsonObject, about: Told) -> Told:
    """The failed liveness probes of a living pod that keeps being restarted without ending by itself."""
    restarted = [c for c in containers(pod) if c.restarts >= MIN_RESTARTS and not c.ready and c.exit_code in _ENDED_WHEN_ASKED]
    failed = [(i, e) for i, e in about if text(e, "reason") == "Unhealthy" and "iveness probe failed" in text(e, "message")]
    many = sum(event_count(e) for _, e in failed) >= MIN_PROBES
    return failed if restarted and many and not ready(pod) and not terminating(pod) else []


def _others(view: EvidenceView) -> Iterator[Finding]:
    for evidence_id, claim in view.objects("PersistentVolumeClaim"):
        failed = [(i, e) for i, e in _about(claim, view) if text(e, "reason") in ("ProvisioningFailed", "FailedBinding")]
        if text(claim, "status", "phase") == "Pending" and failed:
            name = text(claim, "metadata", "name")
            cause = f"the PVC {name} cannot bind, so pods that mount it are not running: {text(failed[0][1], 'message')}"
            yield _finding(FindingKind.CLAIM_UNBOUND, claim, cause, [(evidence_id, claim), *failed], 0.9)
    for evidence_id, job in view.objects("Job"):
        given_up = [(i, e) for i, e in _about(job, view) if text(e, "reason") == "BackoffLimitExceeded"]
        if text(condition(job, "Failed"), "status") == "True" or given_up:
            name, namespace = (text(job, "metadata", k) for k in ("name", "namespace"))
            cause = f"the job {name} in the namespace {namespace} has failed: it reached its backoff limit"
            yield _finding(FindingKind.JOB_FAILED, job, cause, [(evidence_id, job), *given_up], 0.8)


def _about(item: JsonObject, view: EvidenceView) -> Told:
    """The events about an object, by kind, name and namespace."""
    wanted = [text(item, "kind"), text(item, "metadata", "name"), text(item, "metadata", "namespace")]
    about = (((i, e), [text(e, "involvedObject", k) for k in ("kind", "name", "namespace")]) for i, e in view.objects("Event"))
    return [pair for pair, named in about if named == wanted]


_REFUTED_BY = {
    FindingKind.POD_UNSCHEDULABLE: "a node has room for it now and it was placed",
    FindingKind.POD_PROBE_FAILING: "the probed endpoint answers as the probe asks, within its timeout",
    FindingKind.CLAIM_UNBOUND: "the claim is bound now",
    FindingKind.JOB_FAILED: "a later run of the same job succeeded",
}


def _finding(kind: FindingKind, item: JsonObject, cause: str, cited: Told, strength: float) -> Finding:
    name = f"{text(item, 'kind')}/{text(item, 'metadata', 'name')}".lower().replace("persistentvolumeclaim/", "claim/")
    return Finding(
        kind=kind,
        object=name,
        namespace=text(item, "metadata", "namespace") or None,
        cause=cause[:QUOTE],
        strength=strength,
        evidence=tuple(dict.fromkeys(i for i, _ in cited)),
        refuted_by=_REFUTED_BY[kind],
    )
