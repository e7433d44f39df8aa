"""POD_*: what is wrong with a pod, from its container states, its events, and the metrics that confirm it.

Pure. One finding a pod, its most telling trouble; of one workload's pods at most three with the same. A pod on a node in trouble
is a symptom: its finding is kept, but weak. Logs are cited for people and never make a finding stronger: they are attacker input.
A pod that its own misconfigured probe kills is left to probes.py.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.events import ObjectEvents, Told, first_seen, ids, message
from sre_agent.evidence.kubernetes.foremost import foremost
from sre_agent.evidence.kubernetes.pod_cause import PodCause, PodTrouble, pod_cause
from sre_agent.evidence.kubernetes.probe_cause import MISCONFIGURED, probe_kill
from sre_agent.evidence.kubernetes.pull_cause import MISSING_MOUNT
from sre_agent.evidence.kubernetes.state import (
    JsonObject,
    Trouble,
    dig,
    instant,
    not_ready_since,
    pressures,
    ready,
    terminating,
    text,
)
from sre_agent.evidence.kubernetes.template_difference import Revisions
from sre_agent.evidence.kubernetes.workload_owner import Owner, Owners
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

LOOKED_AT = 12
"""Of one workload's pods with the same trouble so many are looked at closely: a thousand say no more."""
_KINDS = {
    Trouble.CRASH_LOOP: 0.80,
    Trouble.OOM_KILLED: 0.85,
    Trouble.IMAGE_PULL: 0.85,
    Trouble.BAD_CONFIG: 0.85,
    Trouble.NOT_READY: 0.65,
}
_REFUTED_BY = {
    FindingKind.POD_CRASH_LOOP: "the container runs and its restart count stands still for 10 minutes",
    FindingKind.POD_INIT_FAILED: "the init container ends with code 0 and the pod's containers start",
    FindingKind.POD_OOM_KILLED: "its last end has another reason than OOMKilled, or memory stayed far below the limit",
    FindingKind.POD_IMAGE_PULL_FAILED: "the same image is pulled on the same node with the same pull secret",
    FindingKind.POD_BAD_CONFIG: "the config, secret and command it names exist and another pod of the same template starts",
    FindingKind.POD_NOT_READY: "the readiness endpoint answers from inside the cluster",
}
# Events that say the same as the container state, and so make it stronger.
_EVENT_REASONS = {
    Trouble.CRASH_LOOP: {"BackOff", "Unhealthy", "Killing"},
    Trouble.OOM_KILLED: {"BackOff", "OOMKilling"},
    Trouble.IMAGE_PULL: {"Failed", "BackOff", "ErrImageNeverPull", "InspectFailed", "FailedToRetrieveImagePullSecret"},
    Trouble.BAD_CONFIG: {"Failed", "BackOff", "FailedMount"},
    Trouble.NOT_READY: {"Unhealthy"},
}
_SYMPTOM = 0.45
_OWN_FAULT = frozenset(
    {
        R.IMAGE_NOT_FOUND,
        R.IMAGE_NAME_INVALID,
        R.REGISTRY_UNAUTHORIZED,
        R.REGISTRY_RATE_LIMITED,
        R.NEVER_PULLED,
        R.PROBE_PATH_WRONG,
        R.PROBE_PORT_WRONG,
    }
)
"""What a sick node does not bring about."""
_NODE_KILLS = ("SystemOOM", "OOMKilling")
_NEW_REVISION = timedelta(hours=24)


@dataclass(frozen=True)
class _Cluster:
    """What every pod's finding is judged against. `logs` and `series` by (namespace, pod)."""

    view: EvidenceView
    events: ObjectEvents
    nodes: dict[str, tuple[str, JsonObject]]
    owners: Owners
    revisions: Revisions
    logs: dict[tuple[object, object], list[tuple[str, dict[str, Any]]]]
    series: dict[tuple[object, object], list[tuple[str, Series]]]


@dataclass(frozen=True)
class _Sick:
    """One pod in trouble, its finding's evidence, and its workload."""

    evidence_id: str
    seen: PodTrouble
    owner: Owner
    log_ids: list[str]

    @property
    def said(self) -> Told:
        """The events that say the same as its state."""
        return [(i, e) for i, e in self.seen.about if text(e, "reason") in _EVENT_REASONS[self.seen.trouble]]


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod in trouble, strongest first, pods named by an alert before their peers."""
    cluster = _cluster(view)
    named = view.scope.incident.label_values("pod")
    found: dict[tuple[str, str], _Sick] = {}
    for evidence_id, pod in view.objects("Pod"):
        sick = _sick(evidence_id, pod, cluster)
        if sick is not None:
            found[text(pod, "metadata", "namespace"), sick.seen.name] = sick
    told: Counter[tuple[Owner, Trouble]] = Counter()
    findings = []
    for sick in sorted(found.values(), key=lambda s: s.seen.name not in named):
        told[sick.owner, sick.seen.trouble] += 1
        if told[sick.owner, sick.seen.trouble] <= LOOKED_AT:
            findings.append((sick.owner, _finding(sick, cluster)))
    return foremost(findings)


def _cluster(view: EvidenceView) -> _Cluster:
    logs: dict[tuple[object, object], list[tuple[str, dict[str, Any]]]] = {}
    for i, log in view.logs():
        if isinstance(log, dict):
            logs.setdefault((str(log.get("namespace")), str(log.get("pod"))), []).append((i, log))
    series: dict[tuple[object, object], list[tuple[str, Series]]] = {}
    for i, each in view.series():
        series.setdefault((each.labels.get("namespace"), each.labels.get("pod")), []).append((i, each))
    return _Cluster(
        view,
        readings.events(view),
        {text(n, "metadata", "name"): (i, n) for i, n in view.objects("Node")},
        readings.owners(view),
        readings.revisions(view),
        logs,
        series,
    )


def _sick(evidence_id: str, pod: JsonObject, cluster: _Cluster) -> _Sick | None:
    about = cluster.events.about(pod)
    found = readings.trouble_of(pod, cluster.view) or _unmountable(pod, about)
    if found is None:
        return None
    trouble, container = found
    killed = probe_kill(pod, container, about) if trouble is Trouble.CRASH_LOOP and container is not None else None
    if killed is not None and killed.reason in MISCONFIGURED:
        return None
    name, namespace = text(pod, "metadata", "name"), text(pod, "metadata", "namespace")
    node = {"kind": "Node", "metadata": {"name": text(pod, "spec", "nodeName")}}
    kills = cluster.events.about(node, *_NODE_KILLS) if text(pod, "spec", "nodeName") else []
    logs = cluster.logs.get((namespace, name), [])
    seen = PodTrouble(pod, trouble, container, about, kills, [log for _, log in logs])
    return _Sick(evidence_id, seen, cluster.owners.of_pod(pod), [i for i, _ in logs])


def _unmountable(pod: JsonObject, about: Told) -> tuple[Trouble, None] | None:
    """A missing ConfigMap or Secret that is mounted shows only as an event: the container waits in ContainerCreating."""
    missing = any(text(e, "reason") == "FailedMount" and MISSING_MOUNT.search(message(e)) for _, e in about)
    waits = text(pod, "status", "phase") == "Pending" and not terminating(pod)
    return (Trouble.BAD_CONFIG, None) if missing and waits else None


def _finding(sick: _Sick, cluster: _Cluster) -> Finding:
    seen, view = sick.seen, cluster.view
    told = pod_cause(seen)
    metrics = _confirming(seen, cluster)
    strength = _KINDS[seen.trouble] + 0.05 * bool(sick.said) + 0.05 * bool(metrics)
    strength += 0.03 * (seen.name in view.scope.incident.label_values("pod"))
    kills = seen.node_kills if told.reason is R.NODE_OUT_OF_MEMORY else []
    cited = [sick.evidence_id, *ids(sick.said, kills), *(i for i, _ in metrics), *sick.log_ids]
    cause = told.words + _change(seen, told, cluster)
    node = cluster.nodes.get(text(seen.pod, "spec", "nodeName"))
    # A node's trouble does not break a pod's own configuration.
    own = seen.trouble is Trouble.BAD_CONFIG or told.reason in _OWN_FAULT
    if node is not None and not own and (not ready(node[1]) or pressures(node[1])):
        strength *= _SYMPTOM
        cited.append(node[0])
        cause += f"; its node {text(node[1], 'metadata', 'name')} is in trouble itself"
    return Finding(
        kind=told.kind,
        object=f"pod/{seen.name.lower()}",
        namespace=text(seen.pod, "metadata", "namespace") or None,
        cause=cause,
        reason=told.reason,
        onset=_onset(sick, metrics),
        strength=round(min(strength, 0.97), 3),
        evidence=tuple(dict.fromkeys(cited)),
        refuted_by=_REFUTED_BY[told.kind],
    )


def _change(seen: PodTrouble, told: PodCause, cluster: _Cluster) -> str:
    """What came with the pod's revision, when that is new: where to look first."""
    made = instant(dig(seen.pod, "metadata", "creationTimestamp"))
    if told.kind is FindingKind.POD_NOT_READY and told.reason not in _OWN_FAULT:
        return ""
    if made is None or cluster.view.scope.now - made > _NEW_REVISION:
        return ""
    changed = cluster.revisions.change_of(seen.pod)
    return f"; {changed}" if changed else ""


def _onset(sick: _Sick, metrics: list[tuple[str, datetime]]) -> datetime | None:
    """The earliest sign: events' first sight, the metric's first move, the last run's end, or since when it is not ready."""
    seen = sick.seen
    signs = [at for _, e in sick.said if (at := first_seen(e)) is not None]
    signs += [at for at in [*(at for _, at in metrics), not_ready_since(seen.pod)] if at is not None]
    if seen.container is not None and seen.container.exited_at is not None:
        signs.append(seen.container.exited_at)
    if seen.trouble in (Trouble.IMAGE_PULL, Trouble.BAD_CONFIG) and not signs:
        signs += [at for at in [instant(dig(seen.pod, "metadata", "creationTimestamp"))] if at is not None]
    return min(signs, default=None)


def _confirming(seen: PodTrouble, cluster: _Cluster) -> list[tuple[str, datetime]]:
    """(evidence id, when it first showed) of kube-state-metrics series that say the same of the same pod."""
    found = []
    where = (text(seen.pod, "metadata", "namespace"), seen.name)
    for evidence_id, series in cluster.series.get(where, ()):
        at = _shows(series, seen.trouble)
        if at is not None:
            found.append((evidence_id, at))
    return found


def _shows(series: Series, trouble: Trouble) -> datetime | None:
    reason, points = series.labels.get("reason", ""), series.finite()
    match series.name:
        case "kube_pod_container_status_restarts_total" if trouble in (Trouble.CRASH_LOOP, Trouble.OOM_KILLED, Trouble.BAD_CONFIG):
            rises = [t for (_, a), (t, b) in pairwise(points) if b > a]
            return _at(rises)
        case "kube_pod_container_status_waiting_reason":
            wanted = {
                Trouble.CRASH_LOOP: reason == "CrashLoopBackOff",
                Trouble.IMAGE_PULL: reason in ("ImagePullBackOff", "ErrImagePull", "InvalidImageName"),
                Trouble.BAD_CONFIG: reason in ("CreateContainerConfigError", "CreateContainerError"),
            }
            return _at([t for t, v in points if v > 0]) if wanted.get(trouble) else None
        case "kube_pod_container_status_last_terminated_reason" if trouble is Trouble.OOM_KILLED and reason == "OOMKilled":
            return _at([t for t, v in points if v > 0])
        case "kube_pod_status_ready" | "kube_pod_container_status_ready" if series.labels.get("condition", "true") == "true":
            return _at([t for t, v in points if v == 0]) if points and points[-1][1] == 0 else None
    return None


def _at(times: list[float]) -> datetime | None:
    return datetime.fromtimestamp(times[0], tz=UTC) if times else None
