"""ROLLOUT_STUCK: a rollout that makes no progress for a reason that none of its pods shows.

Pure. Where a pod of it is in trouble, waits for a node, or is refused, that is the cause and this stays silent. Besides: a paused
Deployment, and a StatefulSet that waits for a broken pod of an older revision, which it never replaces by itself.
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
"""

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.alerted import named_by_alert
from sre_agent.evidence.kubernetes.events import ObjectEvents, Told, ids
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.state import (
    JsonObject,
    condition,
    dig,
    instant,
    labels_of,
    number,
    ready,
    terminating,
    text,
)
from sre_agent.evidence.kubernetes.workload_owner import object_name
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line

STUCK, WAITS, PAUSED = 0.8, 0.88, 0.45
REVISION_LABEL = "controller-revision-hash"
_BAD_EVENTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "FailedScheduling", "Failed")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding a workload, strongest first."""
    found = []
    for kind, judge in (("Deployment", _deployment), ("StatefulSet", _stateful_set), ("DaemonSet", _daemon_set)):
        for pair in view.objects(kind):
            if terminating(pair[1]) or not _moves(pair[1]):
                continue
            owner = (kind, text(pair[1], "metadata", "namespace"), text(pair[1], "metadata", "name"))
            mine = readings.pods_of(owner, view)
            explained = any(_explains(p, readings.events(view), view) for _, p in mine)
            if (made := judge(pair, mine, explained, view)) is not None:
                found.append((owner, made))
    return foremost(found)


def _moves(workload: JsonObject) -> bool:
    """Whether its status speaks of anything that is not done: of most workloads nothing needs to be asked."""
    status = dig(workload, "status")
    late = text(condition(workload, "Progressing"), "status") == "False" or dig(workload, "spec", "paused") is True
    return late or number(status, "numberUnavailable") > 0 or text(status, "currentRevision") != text(status, "updateRevision")


def _explains(pod: JsonObject, events: ObjectEvents, view: EvidenceView) -> bool:
    """Whether this pod shows by itself why it does not run."""
    if readings.trouble_of(pod, view) is not None or text(condition(pod, "PodScheduled"), "status") == "False":
        return True
    return text(pod, "status", "phase") == "Pending" and bool(events.about(pod, *_BAD_EVENTS))


def _deployment(item: tuple[str, JsonObject], pods: Told, explained: bool, view: EvidenceView) -> Finding | None:
    d, name = item[1], text(item[1], "metadata", "name")
    wanted, updated = number(d, "spec", "replicas"), number(d, "status", "updatedReplicas")
    if dig(d, "spec", "paused") is True:
        named = named_by_alert(view.scope.incident, name)
        if explained or not (named or updated < wanted):
            return None
        cause = f"deployment {name} is paused: its last change is not rolled out ({updated} of {wanted} pods have it)"
        return _finding(item, cause, R.SUSPENDED, 0.75 if named and updated < wanted else PAUSED, [])
    progress = condition(d, "Progressing")
    lacking = number(d, "status", "unavailableReplicas") > 0 or updated < wanted
    late = text(progress, "status") == "False" and text(progress, "reason") == "ProgressDeadlineExceeded"
    refused = text(condition(d, "ReplicaFailure"), "status") == "True"
    if not (late and lacking) or explained or refused:
        return None
    unready = [text(p, "metadata", "name") for _, p in pods if not ready(p)]
    which = f"; not ready: {', '.join(unready[:3])}" if unready else "; no pod shows why"
    cause = (
        f"the rollout of deployment {name} makes no progress: {one_line(text(progress, 'message'), 200)}; {updated} of {wanted} "
    )
    return _finding(item, f"{cause}pods are of the new revision{which}", None, STUCK, ids(pods)[:3]).model_copy(
        update={"onset": instant((progress or {}).get("lastTransitionTime"))}
    )


def _stateful_set(item: tuple[str, JsonObject], pods: Told, _explained: bool, view: EvidenceView) -> Finding | None:
    s, name = item[1], text(item[1], "metadata", "name")
    target = text(s, "status", "updateRevision")
    if not target or text(s, "spec", "updateStrategy", "type") == "OnDelete" or dig(s, "spec", "podManagementPolicy") == "Parallel":
        return None
    broken = [
        (i, p)
        for i, p in pods
        if labels_of(p).get(REVISION_LABEL) not in (None, target)
        and not terminating(p)
        and (readings.trouble_of(p, view) is not None or text(condition(p, "PodScheduled"), "status") == "False")
    ]
    if broken and text(s, "status", "currentRevision") != target:
        pod = text(broken[0][1], "metadata", "name")
        cause = f"statefulset {name} waits for its pod {pod} to become ready before it goes on; the pod is broken and of an older "
        return _finding(item, f"{cause}revision than {target}: only deleting it by hand makes way", None, WAITS, ids(broken))
    return None


def _daemon_set(item: tuple[str, JsonObject], pods: Told, explained: bool, view: EvidenceView) -> Finding | None:
    d, name = item[1], text(item[1], "metadata", "name")
    missing, wanted = number(d, "status", "numberUnavailable"), number(d, "status", "desiredNumberScheduled")
    if not missing or explained:
        return None
    unready = [(i, p) for i, p in pods if not ready(p)]
    nodes = {text(n, "metadata", "name"): n for _, n in view.objects("Node")}
    if any(not ready(nodes[there]) for _, p in unready if (there := text(p, "spec", "nodeName")) in nodes):
        return None
    if unready and not all(text(p, "status", "phase") == "Running" for _, p in unready):
        return None
    cause = f"daemonset {name} lacks {missing} of {wanted} pods, and none of its pods shows why"
    return _finding(item, cause, None, 0.55, ids(unready)[:3])


def _finding(item: tuple[str, JsonObject], cause: str, reason: R | None, strength: float, cited: list[str]) -> Finding:
    return Finding(
        kind=FindingKind.ROLLOUT_STUCK,
        object=object_name(item[1]),
        namespace=text(item[1], "metadata", "namespace") or None,
        cause=cause,
        reason=reason,
        strength=strength,
        evidence=tuple(dict.fromkeys([item[0], *cited])),
        refuted_by="all its pods are of the new revision and ready",
    )
