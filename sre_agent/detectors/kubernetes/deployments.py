"""What is wrong with a Deployment as a whole: its new revision, or several of its pods for no reason of their own.

ROLLOUT_REGRESSION: the new revision's pods fail, it came at most an hour before the onset, and the previous one was well.
DEPLOYMENT_DEGRADED: several pods of one Deployment run but are not ready, and neither nodes nor a change explain it.

Pure. One pod alone is a finding about that pod (pods.py), and so are images that cannot be pulled and missing configuration.
"""

from datetime import timedelta

from sre_agent.evidence.change import ChangeKind
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.deployment_conditions import CHANGE_BEFORE, CURED_BY_RESTART, SERVED_FOR
from sre_agent.evidence.kubernetes.deployment_surroundings import (
    DeploymentSurroundings,
    revision,
)
from sre_agent.evidence.kubernetes.state import (
    JsonObject,
    Trouble,
    dig,
    instant,
    not_ready_since,
    pressures,
    ready,
    text,
)
from sre_agent.evidence.kubernetes.template_difference import difference
from sre_agent.evidence.view import EvidenceView

MIN_PODS = 2
QUIET = timedelta(hours=1)
"""A template younger than this is suspect itself: then the change is the matter, not the pods."""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding a Deployment, strongest first."""
    found: dict[str, Finding] = {}
    for evidence_id, seen in readings.deployments(view):
        if failing := _regressed(seen, view):
            found[text(seen.deployment, "metadata", "uid")] = _regression((evidence_id, seen), failing, view)
        elif seen.settled and not seen.paused and (sick := _sick(seen, view)):
            found[text(seen.deployment, "metadata", "uid")] = _finding((evidence_id, seen), sick, view)
    return tuple(sorted(found.values(), key=lambda f: (-f.strength, f.namespace or "", f.object)))


def _regressed(seen: DeploymentSurroundings, view: EvidenceView) -> list[JsonObject]:
    """The failing pods of a new revision when the previous one was well; [] when the change does not explain them."""
    changed, served = seen.changed_at, seen.previous_served_for
    if changed is None or served is None or served < SERVED_FOR or not seen.well_before:
        return []
    if not timedelta() <= view.scope.onset - changed <= CHANGE_BEFORE:
        return []
    new = {text(p, "metadata", "uid") for p in seen.pods_of(seen.current)}
    troubled = [(p, found[0]) for p in seen.pods if (found := readings.trouble_of(p, view)) is not None]
    explained = all(text(p, "metadata", "uid") in new and t in CURED_BY_RESTART for p, t in troubled)
    return [p for p, _ in troubled] if explained else []


def _regression(found: tuple[str, DeploymentSurroundings], failing: list[JsonObject], view: EvidenceView) -> Finding:
    evidence_id, seen = found
    name, namespace = (text(seen.deployment, "metadata", k) for k in ("name", "namespace"))
    names = {text(p, "metadata", "name") for p in failing}
    ids = [i for i, p in view.objects("Pod") if text(p, "metadata", "name") in names]
    metrics = _confirming(namespace, name, names, view)
    changes = [i for i, c in view.changes() if c.kind is ChangeKind.DEPLOY and c.target.lower() == f"deployment/{name}".lower()]
    changed = difference(dig(seen.previous, "spec", "template") or {}, dig(seen.current, "spec", "template") or {})
    at = f"{seen.changed_at:%H:%M:%S}" if seen.changed_at else "an unknown time"
    revisions = f"revision {revision(seen.current)} of deployment {name}, in force since {at}"
    return Finding(
        kind=FindingKind.ROLLOUT_REGRESSION,
        object=f"deployment/{name.lower()}",
        namespace=namespace or None,
        cause=f"{len(failing)} of {len(seen.pods_of(seen.current))} pods of {revisions}, fail; revision "
        f"{revision(seen.previous)} was well{f'; it changed {changed}' if changed else ''}",
        onset=seen.changed_at,
        strength=round(0.84 + 0.05 * bool(metrics) + 0.03 * bool(changes), 3),
        evidence=tuple(dict.fromkeys([evidence_id, *ids, *metrics, *changes])),
        refuted_by="pods of the previous revision fail in the same way, or it is started again and fails too",
    )


def _sick(seen: DeploymentSurroundings, view: EvidenceView) -> list[JsonObject]:
    """The unready pods when they are a matter of the Deployment as a whole; [] when something else explains them."""
    now = view.scope.now
    made = instant(dig(seen.current, "metadata", "creationTimestamp"))
    if made is None or now - made < QUIET:
        return []
    troubled = [(p, found[0]) for p in seen.pods if (found := readings.trouble_of(p, view)) is not None]
    if len(troubled) < MIN_PODS:
        return []
    well = {text(n, "metadata", "name") for _, n in view.objects("Node") if ready(n) and not pressures(n)}
    explained = any(t is not Trouble.NOT_READY or text(p, "spec", "nodeName") not in well for p, t in troubled)
    return [] if explained else [p for p, _ in troubled]


def _finding(found: tuple[str, DeploymentSurroundings], sick: list[JsonObject], view: EvidenceView) -> Finding:
    evidence_id, seen = found
    name, namespace = (text(seen.deployment, "metadata", k) for k in ("name", "namespace"))
    names = {text(p, "metadata", "name") for p in sick}
    ids = [i for i, p in view.objects("Pod") if text(p, "metadata", "name") in names]
    said = [i for p in sick for i, _ in readings.events(view).about(p, "Unhealthy")]
    metrics = _confirming(namespace, name, names, view)
    onsets = [at for p in sick if (at := not_ready_since(p)) is not None]
    return Finding(
        kind=FindingKind.DEPLOYMENT_DEGRADED,
        object=f"deployment/{name.lower()}",
        namespace=namespace or None,
        cause=f"{len(sick)} of {len(seen.pods)} pods of deployment {name} run but fail their readiness check, on healthy nodes",
        onset=min(onsets, default=None),
        strength=round(0.82 + 0.05 * bool(said) + 0.05 * bool(metrics), 3),
        evidence=tuple(dict.fromkeys([evidence_id, *ids, *said, *metrics])),
        refuted_by="its pods become ready again by themselves, or what they depend on fails for others as well",
    )


def _confirming(namespace: str, deployment: str, pods: set[str], view: EvidenceView) -> list[str]:
    """kube-state-metrics that say the same: unavailable replicas, or a pod's Ready condition that is false."""
    found = []
    for evidence_id, series in view.series():
        labels, points = series.labels, series.finite()
        if labels.get("namespace") != namespace or not points:
            continue
        value = points[-1][1]
        missing = series.name == "kube_deployment_status_replicas_unavailable" and labels.get("deployment") == deployment
        unready = series.name == "kube_pod_status_ready" and labels.get("pod") in pods and labels.get("condition", "true") == "true"
        if (missing and value >= 1) or (unready and value == 0):
            found.append(evidence_id)
    return found
