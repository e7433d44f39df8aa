"""POD_*: what is wrong with a pod, from its container states, its events, and the metrics that confirm it.

Pure. One finding a pod, its most telling trouble. A pod on a node in trouble is a symptom: its finding is kept, but weak.
Logs are cited for people and never make a finding stronger: they are attacker input.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes_scope import event_time, pod_events
from sre_agent.evidence.kubernetes_state import (
    CONFIG_EXITS,
    Container,
    JsonObject,
    Trouble,
    dig,
    instant,
    not_ready_since,
    pod_trouble,
    pressures,
    ready,
    text,
)
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MAX_FINDINGS = 10
QUOTE = 160
_KINDS = {
    Trouble.CRASH_LOOP: (FindingKind.POD_CRASH_LOOP, 0.80),
    Trouble.OOM_KILLED: (FindingKind.POD_OOM_KILLED, 0.85),
    Trouble.IMAGE_PULL: (FindingKind.POD_IMAGE_PULL_FAILED, 0.85),
    Trouble.BAD_CONFIG: (FindingKind.POD_BAD_CONFIG, 0.85),
    Trouble.NOT_READY: (FindingKind.POD_NOT_READY, 0.65),
}
_REFUTED_BY = {
    Trouble.CRASH_LOOP: "the container runs and its restart count stands still for 10 minutes",
    Trouble.OOM_KILLED: "its last end has another reason than OOMKilled, or memory stayed far below the limit",
    Trouble.IMAGE_PULL: "the same image is pulled on the same node with the same pull secret",
    Trouble.BAD_CONFIG: "the config, secret and command it names exist and another pod of the same template starts",
    Trouble.NOT_READY: "the readiness endpoint answers from inside the cluster",
}
_EXITS = {
    0: "it ends by itself, without an error",
    1: "an error of the application",
    134: "it aborted",
    137: "it was killed, not for its memory limit",
    139: "a segmentation fault",
    143: "it was asked to stop",
}
# Events that say the same as the container state, and so make it stronger.
_EVENT_REASONS = {
    Trouble.CRASH_LOOP: {"BackOff", "Unhealthy", "Killing"},
    Trouble.OOM_KILLED: {"BackOff", "OOMKilling"},
    Trouble.IMAGE_PULL: {"Failed", "BackOff", "ErrImageNeverPull", "InspectFailed"},
    Trouble.BAD_CONFIG: {"Failed", "BackOff", "FailedMount"},
    Trouble.NOT_READY: {"Unhealthy"},
}
_SYMPTOM = 0.45
_MISSING = re.compile(r"(?:configmap|secret) \"?[\w./-]+\"? not found")


@dataclass(frozen=True)
class _Sick:
    """One pod in trouble. Evidence ids come with everything seen about it."""

    pod: JsonObject
    evidence_id: str
    trouble: Trouble
    container: Container | None
    events: list[tuple[str, JsonObject]]

    @property
    def name(self) -> str:
        """The pod's name."""
        return text(self.pod, "metadata", "name")

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return text(self.pod, "metadata", "namespace")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """A finding for each pod in trouble, strongest first, pods named by an alert before their peers."""
    now = view.scope.now
    events = list(view.objects("Event"))
    nodes = {text(n, "metadata", "name"): (i, n) for i, n in view.objects("Node")}
    findings: dict[tuple[str, str], Finding] = {}
    for evidence_id, pod in view.objects("Pod"):
        about = pod_events(pod, events)
        found = pod_trouble(pod, now) or _unmountable(pod, about)
        if found is None:
            continue
        said = [(i, e) for i, e in about if text(e, "reason") in _EVENT_REASONS[found[0]]]
        sick = _Sick(pod, evidence_id, *found, said)
        findings[sick.namespace, sick.name] = _finding(sick, view, nodes.get(text(pod, "spec", "nodeName")))
    return tuple(sorted(findings.values(), key=lambda f: (-f.strength, f.namespace or "", f.object))[:MAX_FINDINGS])


def _unmountable(pod: JsonObject, events: list[tuple[str, JsonObject]]) -> tuple[Trouble, None] | None:
    """A missing ConfigMap or Secret that is mounted shows only as an event: the container waits in ContainerCreating."""
    missing = any(text(e, "reason") == "FailedMount" and _MISSING.search(text(e, "message")) for _, e in events)
    return (Trouble.BAD_CONFIG, None) if missing and text(pod, "status", "phase") == "Pending" else None


def _finding(sick: _Sick, view: EvidenceView, node: tuple[str, JsonObject] | None) -> Finding:
    kind, strength = _KINDS[sick.trouble]
    metrics = _confirming(sick, view)
    logs = [i for i, log in view.logs() if (log.get("namespace"), log.get("pod")) == (sick.namespace, sick.name)]
    named = sick.name in view.scope.incident.label_values("pod")
    strength += 0.05 * bool(sick.events) + 0.05 * bool(metrics) + 0.03 * named
    cause, cited = _cause(sick), [sick.evidence_id, *(i for i, _ in sick.events), *(i for i, _ in metrics), *logs]
    # A node's trouble does not break a pod's own configuration.
    if node is not None and sick.trouble is not Trouble.BAD_CONFIG and (not ready(node[1]) or pressures(node[1])):
        strength *= _SYMPTOM
        cited.append(node[0])
        cause += f"; its node {text(node[1], 'metadata', 'name')} is in trouble itself"
    return Finding(
        kind=kind,
        object=f"pod/{sick.name.lower()}",
        namespace=sick.namespace or None,
        cause=cause,
        onset=_onset(sick, metrics),
        strength=round(min(strength, 0.97), 3),
        evidence=tuple(dict.fromkeys(cited)),
        refuted_by=_REFUTED_BY[sick.trouble],
    )


def _cause(sick: _Sick) -> str:
    c = sick.container
    who = f"container {c.name} of pod {sick.name}" if c is not None else f"pod {sick.name}"
    if sick.trouble is Trouble.BAD_CONFIG and c is None:
        said = next((m for _, e in sick.events if _MISSING.search(m := text(e, "message"))), "")
        return f"{who} cannot start, a volume is missing: {said[:QUOTE]}"
    if c is None or sick.trouble is Trouble.NOT_READY:
        return f"{who} runs but fails its readiness check"
    times = f"restarted {c.restarts} times" + (", now in CrashLoopBackOff" if c.waiting == "CrashLoopBackOff" else "")
    match sick.trouble:
        case Trouble.OOM_KILLED:
            limit = f"its memory limit of {c.memory_limit}" if c.memory_limit else "its memory limit"
            return f"{who} was killed at {limit} (OOMKilled), {times}"
        case Trouble.IMAGE_PULL:
            told = (text(e, "message") for _, e in sick.events if "pull" in text(e, "message").lower())
            return f"{who} cannot pull its image ({c.waiting}): {(c.message or next(told, ''))[:QUOTE]}"
        case Trouble.BAD_CONFIG if c.waiting and c.waiting != "CrashLoopBackOff":
            return f"{who} cannot be created ({c.waiting}): {c.message[:QUOTE]}"
        case Trouble.BAD_CONFIG:
            return f"{who} exits with code {c.exit_code}: {CONFIG_EXITS.get(c.exit_code or 0, 'it could not be started')}, {times}"
    if c.exit_code is None:
        return f"{who} keeps ending, {times}"
    meaning = _EXITS.get(c.exit_code, "an error")
    if any(text(e, "reason") == "Unhealthy" and "iveness" in text(e, "message") for _, e in sick.events):
        meaning = "its liveness probe failed"
    return f"{who} keeps ending with exit code {c.exit_code} ({meaning}), {times}"


def _onset(sick: _Sick, metrics: list[tuple[str, datetime]]) -> datetime | None:
    """The earliest sign: events' first sight, the metric's first move, the last run's end, or since when it is not ready."""
    firsts = [instant(e.get("firstTimestamp")) or event_time(e) for _, e in sick.events]
    signs = [at for at in [*firsts, *(at for _, at in metrics), not_ready_since(sick.pod)] if at is not None]
    if sick.container is not None and sick.container.exited_at is not None:
        signs.append(sick.container.exited_at)
    if sick.trouble in (Trouble.IMAGE_PULL, Trouble.BAD_CONFIG) and not signs:
        signs += [at for at in [instant(dig(sick.pod, "metadata", "creationTimestamp"))] if at is not None]
    return min(signs, default=None)


def _confirming(sick: _Sick, view: EvidenceView) -> list[tuple[str, datetime]]:
    """(evidence id, when it first showed) of kube-state-metrics series that say the same of the same pod."""
    found = []
    for evidence_id, series in view.series():
        if (series.labels.get("namespace"), series.labels.get("pod")) == (sick.namespace, sick.name):
            at = _shows(series, sick.trouble)
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
