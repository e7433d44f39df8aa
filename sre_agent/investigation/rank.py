"""Ranks findings: causes before symptoms, near before far, then depth, strength and onset. Pure.

At most five causes leave here. A deploy or a shifted metric is context while anything typed explains the
incident. A prompt or model change is the cause when no infrastructure finding near the incident explains it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.diagnosis import Outcome
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.evidence.kubernetes.neighbours import neighbours
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.explain import STRONG, FindingKey, key, symptoms
from sre_agent.investigation.place import complete, nearness, observed, places, still_firing

MOST_CAUSES = 5
SHORTEST_NAMED = 4  # a shorter name is in too many texts by chance
RIVAL = 0.75  # a cause of another family competes with the first when it is near and at least this much as strong
BY_RULE, BY_NAME = 0.9, 0.6  # how sure it is that an alert fires on purpose: by its rule, by its name and no severity
_LATEST = datetime.max.replace(tzinfo=UTC)

K = FindingKind
_NODE = (K.NODE_NOT_READY, K.NODE_PRESSURE, K.NODE_FAILING_PODS)
_CHANGES = (K.PROMPT_CHANGED, K.MODEL_CHANGED, K.SCORE_FELL, K.TOKEN_SPIKE, K.COST_SPIKE)
# Said by logs and texts alone: they name something to look at, and never stand above what was measured.
_FROM_LOGS = (
    K.DEPENDENCY_DOWN,
    K.DEPENDENCY_REFUSES,
    K.DEPENDENCY_READ_ONLY,
    K.DEPENDENCY_ADDRESS_WRONG,
    K.CERTIFICATE_EXPIRED,
    K.PERMISSION_DENIED,
    K.POOL_EXHAUSTED,
    K.RATE_LIMITED,
    K.CONFIG_INVALID,
    K.BROKER_PARTITIONED,
    K.CONSUMER_LAGGING,
    K.DELIVERY_OUT_OF_SYNC,
)
# Where, not why: they are context for anything typed, and name the place when nothing else does.
_PLACES = (
    K.SERVICE_SLOW,
    K.SERVICE_FAILING,
    K.NETWORK_SLOW,
    K.SERVICE_BUSY,
    K.LOG_ERRORS_NEW,
    K.LOG_LINES_MISSING,
    K.LOG_LINES_EXPLODING,
    K.LOG_ERRORS,
    K.DNS_FAILING,
    K.REFERENCE_MISSING,
    *_FROM_LOGS,
)
_CONTEXT = (*_PLACES, K.DEPLOYED_BEFORE_ONSET, K.METRIC_SHIFTED, K.RELATED_ALERT)

# What others say, and who calls whom: neither shows how anything is doing, nor hides it when it cannot be asked.
_NO_LOOK = (EvidenceKind.ALERT, EvidenceKind.TEXT, EvidenceKind.TOPOLOGY)


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
    text_only = frozenset(key(f) for f in findings if from_text_alone(f, view))
    around = neighbours(view)
    explains = symptoms(findings, around, text_only)
    explained = {b for each in explains.values() for b in each}
    own = {key(f): _nearness(f, view) for f in findings}
    # A cause is as near as the nearest symptom it explains.
    near = {k: max([at, *(own[b] for b in explains[k])]) for k, at in own.items()}
    asked = _asked(view)
    tiers = [
        _told(f, near[key(f)], key(f) in explained, asked) if key(f) in text_only else _place(f, near[key(f)], key(f) in explained)
        for f in findings
    ]
    if _proved(findings, view, BY_RULE):
        # Alerts whose rules are constants say nothing about any system: whatever else is seen is a coincidence.
        tiers = [(-1, 0, 0) if f.kind is K.ALERT_ALWAYS_FIRES else tier for f, tier in zip(findings, tiers, strict=True)]
    placed = sorted((tiers[i], _order(f), i) for i, f in enumerate(findings))
    ordered = tuple(findings[i].model_copy(update={"id": f"f{n}"}) for n, (_, _, i) in enumerate(placed, start=1))
    if outcome.healthy:
        return Ranked(findings=ordered, outcome=outcome)
    causes = tuple(f for f in ordered if key(f) not in explained)
    settled = _settled(causes[0], symptoms(findings, replace(around, calls={}), text_only)) if causes else set()
    rivals = [
        f
        for f in ordered
        if key(f) not in text_only | settled
        and f.kind not in (*_CHANGES, *_CONTEXT)
        and near[key(f)]
        and f.strength >= RIVAL * causes[0].strength
    ]
    families = {f.kind.value.partition("_")[0] for f in rivals}
    return Ranked(
        findings=ordered,
        causes=causes,
        root_causes=_scored(ordered, explained),
        outcome=outcome.model_copy(update={"several_causes": len(families) > 1}),
    )


def _settled(first: Finding, explains: Mapping[FindingKey, set[FindingKey]]) -> set[FindingKey]:
    """What the first cause explains, directly or through others.

    SAFETY: only that is no rival of it. What something else explains shows that something else is at work; and that one
    pod's environment names another is text that whoever wrote it chose, so a call explains for the order alone (`rank`
    passes none here).
    """
    settled: set[FindingKey] = set()
    waiting = [key(first)]
    while waiting:
        new = explains[waiting.pop()] - settled - {key(first)}
        settled |= new
        waiting.extend(new)
    return settled


def from_text_alone(finding: Finding, view: EvidenceView) -> bool:
    """True when all it cites is what somebody handed over as text.

    SAFETY: such a finding never stands above, explains or rivals one that was measured, and no proposal rests on it.
    """
    cited = {e.kind for e in view.evidence if e.id in finding.evidence}
    return bool(cited) and cited <= {EvidenceKind.TEXT, EvidenceKind.ALERT}


def _nearness(finding: Finding, view: EvidenceView) -> int:
    """As near as the labels say; models and tools have no place and are always near."""
    own = nearness(finding, view.scope.incident)
    return max(own, 1) if finding.alert_class in (AlertClass.MODEL, AlertClass.TOOL) else own


def _told(finding: Finding, near: int, explained: bool, asked: str) -> tuple[int, int, int]:
    """What only text says, below all that was measured: causes first, then what somebody asked about by name."""
    name = finding.object.partition("/")[2]
    named = len(name) >= SHORTEST_NAMED and any(part in asked for part in (name, name.rsplit("-", 2)[0]))
    return 5, int(explained), -(2 * near + named)


def _asked(view: EvidenceView) -> str:
    """What the incident's title names, and what tools were asked for, in lower case."""
    args = [e.payload.get("args") for e in view.ok(EvidenceKind.TEXT) if isinstance(e.payload, dict)]
    named = [str(a[k]) for a in args if isinstance(a, dict) for k in ("name", "pod_name", "resource_name", "app_name") if a.get(k)]
    return " ".join([view.scope.incident.title, *named]).lower()


def _place(finding: Finding, near: int, explained: bool) -> tuple[int, int, int]:
    """(tier, distance, depth): lower comes first."""
    if finding.kind in _CONTEXT:
        tier = 5 if finding.kind in _PLACES else 6 + _CONTEXT.index(finding.kind)
    elif explained:
        tier = 4
    elif finding.kind in _CHANGES:
        tier = 1
    elif finding.strength < STRONG:
        tier = 3  # measured, and no cause by itself
    else:
        tier = 0 if near else 2
    depth = 0 if finding.kind in _NODE else 2 if finding.kind.value.startswith("pod_") else 1
    return tier, -near, depth


def _order(finding: Finding) -> tuple[float, datetime, str, str, str]:
    return -round(finding.strength, 2), finding.onset or _LATEST, finding.kind.value, finding.object, finding.namespace or ""


def _scored(ordered: Sequence[Finding], explained: set[FindingKey]) -> tuple[RootCause, ...]:
    """Scores never rise down the list. Symptoms and context count half once something better stands above."""
    out: list[RootCause] = []
    ceiling = 1.0
    for i, finding in enumerate(ordered[:MOST_CAUSES]):
        lesser = key(finding) in explained or (i > 0 and finding.kind in (*_CHANGES, *_CONTEXT))
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
    quiet = {K.ALERT_ALWAYS_FIRES} | (set() if firing else {K.DEPLOYED_BEFORE_ONSET})
    telling = [f for f in findings if f.kind not in quiet]
    looked = [e for e in view.evidence if e.kind not in _NO_LOOK]
    seen = any(e.status is EvidenceStatus.OK for e in looked)
    blind = any(e.status is EvidenceStatus.ERROR for e in looked)
    quiet_is_good = not blind and complete(view) and (not firing or observed(view))
    if not telling and _on_purpose(findings, view, blind):
        return Outcome(healthy=trustworthy, enough_data=trustworthy)
    enough = trustworthy and seen and (bool(telling) or quiet_is_good)
    return Outcome(healthy=enough and not telling, enough_data=enough)


def _on_purpose(findings: Sequence[Finding], view: EvidenceView, blind: bool) -> bool:
    """Whether every alert that fires does so to show that alerting works.

    SAFETY: anybody may end an alert's name in "watchdog". A rule that is a constant proves it; a name counts only for an
    alert of no severity that names no object, and only while nothing failed to answer.
    """
    of_nothing = not blind and all(p.startswith("namespace/") for p in places(view.scope.incident))
    return _proved(findings, view, BY_NAME if of_nothing else BY_RULE)


def _proved(findings: Sequence[Finding], view: EvidenceView, least: float) -> bool:
    """Whether each alert that fires was found, at least so surely, to fire on purpose."""
    proved = {f.object for f in findings if f.kind is K.ALERT_ALWAYS_FIRES and f.strength >= least}
    firing = view.scope.incident.firing
    return bool(firing) and all(f"app/{a.name.lower()}" in proved for a in firing)
