"""Ranks findings: causes before symptoms, near before far, then depth, strength and onset. Pure.

At most five causes leave here. A deploy or a shifted metric is context while anything typed explains the
incident. A prompt or model change is the cause when no infrastructure finding near the incident explains it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.diagnosis import Outcome
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.evidence.kubernetes_state import JsonObject, controller_of, text
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.place import nearness, observed, still_firing

MOST_CAUSES = 5
RIVAL = 0.75  # a cause of another family competes with the first when it is near and at least this much as strong
_LATEST = datetime.max.replace(tzinfo=UTC)

K = FindingKind
# For one object, an earlier kind explains a later one: full memory makes a primary slow; a bad config makes a
# crash loop. SAFETY: this keeps a failover from being proposed for memory or load, and a restart for bad config.
_LADDERS: tuple[tuple[FindingKind, ...], ...] = (
    (K.REDIS_MEMORY_FULL, K.REDIS_OVERLOADED, K.REDIS_PRIMARY_DOWN, K.REDIS_PRIMARY_SLOW, K.REDIS_REPLICATION_BROKEN),
    (K.POD_IMAGE_PULL_FAILED, K.POD_BAD_CONFIG, K.POD_OOM_KILLED, K.POD_CRASH_LOOP, K.POD_PROBE_FAILING, K.POD_NOT_READY),
    (K.PROMPT_REGRESSION, K.PROMPT_CHANGED),
    (K.TOOL_RATE_LIMITED, K.TOOL_ERRORS),
)
_NODE = (K.NODE_NOT_READY, K.NODE_PRESSURE, K.NODE_FAILING_PODS)
_STORE = (K.REDIS_MEMORY_FULL, K.REDIS_OVERLOADED, K.REDIS_PRIMARY_DOWN, K.REDIS_PRIMARY_SLOW)
_OF_A_NODE = (K.POD_OOM_KILLED, K.POD_CRASH_LOOP, K.POD_NOT_READY)
# More replicas of a service that waits for a sick store only ask it for more.
_OF_A_STORE = (K.POD_CRASH_LOOP, K.POD_NOT_READY, K.DEPLOYMENT_DEGRADED, K.DEPLOYMENT_SATURATED)
_OF_A_DEPLOYMENT = {
    K.DEPLOYMENT_DEGRADED: (K.POD_NOT_READY,),
    K.ROLLOUT_REGRESSION: (K.POD_OOM_KILLED, K.POD_CRASH_LOOP, K.POD_NOT_READY),
}
_CHANGES = (K.PROMPT_CHANGED, K.MODEL_CHANGED)
# Where, not why: they are context for anything typed, and name the place when nothing else does.
_PLACES = (
    K.SERVICE_SLOW,
    K.SERVICE_FAILING,
    K.NETWORK_SLOW,
    K.SERVICE_BUSY,
    K.LOG_ERRORS_NEW,
    K.LOG_LINES_MISSING,
    K.LOG_ERRORS,
    K.DNS_FAILING,
    K.REFERENCE_MISSING,
)
_CONTEXT = (*_PLACES, K.DEPLOYED_BEFORE_ONSET, K.METRIC_SHIFTED)


class Ranked(BaseModel):
    """`findings` in rank order with ids f1, f2, ...; `causes` are those that nothing else explains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: tuple[Finding, ...] = ()
    causes: tuple[Finding, ...] = ()
    root_causes: tuple[RootCause, ...] = ()
    outcome: Outcome = Outcome()


def rank(findings: Sequence[Finding], view: EvidenceView, trustworthy: bool = True) -> Ranked:
    """The findings ranked, and how the investigation ended. `trustworthy` False: a detector failed."""
    outcome = _outcome(findings, view, trustworthy)
    text_only = {_key(f) for f in findings if from_text_alone(f, view)}
    explained = {
        _key(b)
        for b in findings
        if any(_explains(a, b, view) for a in findings if _key(a) not in text_only or _key(b) in text_only)
    }
    near = {_key(f): _nearness(f, findings, view) for f in findings}
    tiers = [(4, -near[_key(f)], 0) if _key(f) in text_only else _place(f, near[_key(f)], _key(f) in explained) for f in findings]
    placed = sorted((tiers[i], _order(f), i) for i, f in enumerate(findings))
    ordered = tuple(findings[i].model_copy(update={"id": f"f{n}"}) for n, (_, _, i) in enumerate(placed, start=1))
    if outcome.healthy:
        return Ranked(findings=ordered, outcome=outcome)
    causes = tuple(f for f in ordered if _key(f) not in explained)
    rivals = [
        f
        for f in causes
        if _key(f) not in text_only
        and f.kind not in (*_CHANGES, *_CONTEXT)
        and near[_key(f)]
        and f.strength >= RIVAL * causes[0].strength
    ]
    families = {f.kind.value.partition("_")[0] for f in rivals}
    return Ranked(
        findings=ordered,
        causes=causes,
        root_causes=_scored(ordered, explained),
        outcome=outcome.model_copy(update={"several_causes": len(families) > 1}),
    )


def from_text_alone(finding: Finding, view: EvidenceView) -> bool:
    """True when all it cites is what somebody handed over as text.

    SAFETY: such a finding never stands above, explains or rivals one that was measured, and no proposal rests on it.
    """
    cited = {e.kind for e in view.evidence if e.id in finding.evidence}
    return bool(cited) and cited <= {EvidenceKind.TEXT, EvidenceKind.ALERT}


def _key(finding: Finding) -> tuple[FindingKind, str, str | None]:
    return finding.kind, finding.object, finding.namespace


def _explains(a: Finding, b: Finding, view: EvidenceView) -> bool:
    """True when `b` is a symptom of `a`."""
    if (a.object, a.namespace) == (b.object, b.namespace):
        return any(a.kind in rungs and b.kind in rungs and rungs.index(a.kind) < rungs.index(b.kind) for rungs in _LADDERS)
    if a.kind in _NODE and b.kind in _OF_A_NODE:
        return _node_of(b, view) == a.object.partition("/")[2]
    if b.kind in _OF_A_DEPLOYMENT.get(a.kind, ()):
        return a.namespace == b.namespace and _deployment_of(b, view) == a.object.partition("/")[2]
    if a.kind in _STORE and b.kind in _OF_A_STORE:
        # A store in trouble before its clients fail: restarting clients would not help. Without both times, no claim.
        return a.onset is not None and b.onset is not None and a.onset <= b.onset
    return False


def _node_of(finding: Finding, view: EvidenceView) -> str | None:
    name = finding.object.partition("/")[2]
    for _, pod in view.objects("Pod"):
        meta = pod.get("metadata", {})
        if (str(meta.get("name", "")).lower(), meta.get("namespace")) == (name, finding.namespace):
            return str(pod.get("spec", {}).get("nodeName", "")).lower() or None
    return None


def _deployment_of(finding: Finding, view: EvidenceView) -> str | None:
    """The Deployment that a pod's ReplicaSet belongs to, in lower case."""
    owners = {text(p, "metadata", "uid"): text(controller_of(p), "uid") for _, p in view.objects("Pod") if _is(p, finding)}
    for _, replica_set in view.objects("ReplicaSet"):
        owner = controller_of(replica_set)
        if text(replica_set, "metadata", "uid") in owners.values() and text(owner, "kind") == "Deployment":
            return text(owner, "name").lower()
    return None


def _is(pod: JsonObject, finding: Finding) -> bool:
    name, namespace = text(pod, "metadata", "name"), text(pod, "metadata", "namespace")
    return (name.lower(), namespace) == (finding.object.partition("/")[2], finding.namespace)


def _nearness(finding: Finding, findings: Sequence[Finding], view: EvidenceView) -> int:
    """A cause is as near as the nearest symptom it explains; models and tools have no place and are always near."""
    own = nearness(finding, view.scope.incident)
    if finding.alert_class in (AlertClass.MODEL, AlertClass.TOOL):
        own = max(own, 1)
    return max([own, *(nearness(f, view.scope.incident) for f in findings if _explains(finding, f, view))])


def _place(finding: Finding, near: int, explained: bool) -> tuple[int, int, int]:
    """(tier, distance, depth): lower comes first."""
    if finding.kind in _CONTEXT:
        tier = 4 if finding.kind in _PLACES else 5 + _CONTEXT.index(finding.kind)
    elif explained:
        tier = 3
    elif finding.kind in _CHANGES:
        tier = 1
    else:
        tier = 0 if near else 2
    depth = 0 if finding.kind in _NODE else 2 if finding.kind.value.startswith("pod_") else 1
    return tier, -near, depth


def _order(finding: Finding) -> tuple[float, datetime, str, str, str]:
    return -round(finding.strength, 2), finding.onset or _LATEST, finding.kind.value, finding.object, finding.namespace or ""


def _scored(ordered: Sequence[Finding], explained: set[tuple[FindingKind, str, str | None]]) -> tuple[RootCause, ...]:
    """Scores never rise down the list. Symptoms and context count half once something better stands above."""
    out: list[RootCause] = []
    ceiling = 1.0
    for i, finding in enumerate(ordered[:MOST_CAUSES]):
        lesser = _key(finding) in explained or (i > 0 and finding.kind in (*_CHANGES, *_CONTEXT))
        ceiling = min(ceiling, round(finding.strength * (0.5 if lesser else 1.0), 4))
        out.append(
            RootCause(
                kind=finding.kind, object=finding.object, namespace=finding.namespace, score=ceiling, evidence=finding.evidence
            )
        )
    return tuple(out)


def _outcome(findings: Sequence[Finding], view: EvidenceView, trustworthy: bool) -> Outcome:
    """Healthy only when the alert's own place was seen (or the alert resolved), nothing failed, nothing was found."""
    firing = still_firing(view.scope.incident)
    telling = [f for f in findings if firing or f.kind is not FindingKind.DEPLOYED_BEFORE_ONSET]
    seen = any(e.status is EvidenceStatus.OK and e.kind not in (EvidenceKind.ALERT, EvidenceKind.TEXT) for e in view.evidence)
    blind = any(e.status is EvidenceStatus.ERROR for e in view.evidence)
    quiet_is_good = not blind and (not firing or observed(view))
    enough = trustworthy and seen and (bool(telling) or quiet_is_good)
    return Outcome(healthy=enough and not telling, enough_data=enough)
