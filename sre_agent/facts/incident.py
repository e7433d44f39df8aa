"""Facts about the incident and its evidence: whose problem, how well supported, how fresh, what changed before."""

import math
from datetime import datetime, timedelta
from typing import Final

from sre_agent.evidence.change import Change, ChangeKind
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding
from sre_agent.evidence.kubernetes.changes import SOURCE as KUBERNETES
from sre_agent.incident.alert import AlertClass
from sre_agent.policy.facts import BOUND, FactContext

LOOKBACK: Final = timedelta(hours=24)
SKEW: Final = timedelta(seconds=60)
"""How far in the future an observation may be stamped before its stamp is not believed at all."""

NOT_CORROBORATING: Final = frozenset({EvidenceKind.ALERT, EvidenceKind.TEXT, EvidenceKind.LOGS, EvidenceKind.TOPOLOGY})
"""The alert's own claim and free text support nothing; logs are written by whoever is being logged; a call graph says who
asks whom, whether either is well or not."""

_MODEL_CHANGES: Final = frozenset({ChangeKind.PROMPT, ChangeKind.MODEL})


class IncidentFacts:
    """FactCollector over what triage and the investigation already hold. No I/O of its own.

    `langfuse`: whether a Langfuse source is configured, in which case its answer must cover the lookback too.
    """

    name = "incident"

    def __init__(self, *, langfuse: bool = False) -> None:
        self._langfuse = langfuse

    async def collect(self, context: FactContext) -> dict[str, object]:
        """Class, evidence and incident facts. Raises nothing but on malformed change payloads (ValueError)."""
        triage, diagnosis, incident = context.triage, context.diagnosis, context.incident
        finding = acted_on(context)
        support = supporting(diagnosis, finding)
        # SAFETY: evidence may weaken a label, never strengthen it.
        strengthened = triage.alert_class is AlertClass.INFRA and triage.labelled is not AlertClass.INFRA
        claimed = diagnosis.claimed_class
        return {
            "alert_class": AlertClass.UNKNOWN if strengthened else triage.alert_class,
            "labelled_class": triage.labelled,
            "class_disputed": strengthened or (claimed is not None and claimed.value is not triage.alert_class),
            "evidence_kinds": len({_witness(e) for e in support}),
            "evidence_conflict": conflicting(diagnosis, finding),
            "facts_age_s": age_s(support, context.now),
            "model_change_in_lookback": model_changed(context),
            "lookback_covered": covered(diagnosis, langfuse=self._langfuse),
            "alert_firing": bool(incident.firing),
            "incident_open": incident.open and not incident.snoozed,
            "human_acknowledged": context.human_acknowledged or bool(incident.acknowledged_by),
            "nominated_by_model": context.proposal.nominated_by_model,
        }


def acted_on(context: FactContext) -> Finding | None:
    """The finding that the proposal acts on: the top one; for a nominated runbook its own cause, seen at its target.

    SAFETY: another finding about the same object, however well supported, supports another action.
    """
    if not context.proposal.nominated_by_model:
        return context.diagnosis.top
    target = context.proposal.target
    name = f"/{target.name}".lower()
    caused = [f for f in context.diagnosis.findings if f.kind.value == context.proposal.cause]
    about = [f for f in caused if f.object.lower().endswith(name) and f.namespace == target.namespace]
    return max(about, key=lambda f: f.strength, default=None)


def supporting(diagnosis: Diagnosis, finding: Finding | None) -> tuple[Evidence, ...]:
    """The evidence under a finding that can corroborate: real observations that hold data."""
    if finding is None:
        return ()
    cited = diagnosis.supporting(finding)
    return tuple(e for e in cited if e.kind not in NOT_CORROBORATING and e.status is EvidenceStatus.OK)


def _witness(evidence: Evidence) -> EvidenceKind:
    """The kind it counts as. What the cluster's objects tell of changes is the same witness as the objects themselves."""
    told_by_objects = evidence.kind is EvidenceKind.CHANGES and evidence.source == KUBERNETES
    # SAFETY: counted apart, the one Kubernetes API would corroborate itself.
    return EvidenceKind.KUBERNETES if told_by_objects else evidence.kind


def conflicting(diagnosis: Diagnosis, finding: Finding | None) -> bool:
    """True when something at least as strong says it is another class's problem, several causes compete, or all is well."""
    if finding is None or diagnosis.outcome.several_causes or diagnosis.outcome.healthy:
        return True
    # UNKNOWN findings say where, not whose, and so contradict nothing.
    others = (f for f in diagnosis.findings if f.alert_class not in (finding.alert_class, AlertClass.UNKNOWN))
    return any(other.strength >= finding.strength for other in others)


def age_s(support: tuple[Evidence, ...], now: datetime) -> int:
    """Seconds since the world was last seen so, by the *stalest* of the kinds counted. BOUND when there is none."""
    newest: dict[EvidenceKind, datetime] = {}
    for e in support:
        newest[e.kind] = max(newest.get(e.kind, e.observed_at), e.observed_at)
    if not newest or max(newest.values()) > now + SKEW:
        return BOUND
    age = max((now - seen).total_seconds() for seen in newest.values())
    # Rounded up: 120.4 s is more than 120 s.
    return min(max(0, math.ceil(age)), BOUND)


def onset_span(context: FactContext) -> tuple[datetime, datetime]:
    """The earliest and the latest moment that may count as the onset."""
    starts = [a.starts_at for a in context.incident.alerts if a.starts_at is not None]
    moments = [*starts, context.incident.created_at]
    return min(moments), max(moments)


def model_changed(context: FactContext) -> bool:
    """A prompt or model change in the lookback before the onset that is not declared to concern other services only."""
    first, last = onset_span(context)
    service = context.incident.service
    ours = {context.declaration.service, service.id, service.name}
    for change in (*changes(context.diagnosis), *_prompt_versions(context.diagnosis)):
        # SAFETY: only a declared service can be told apart from others, under any of its names.
        elsewhere = bool(change.services) and bool(context.declaration.service) and ours.isdisjoint(change.services)
        if change.kind in _MODEL_CHANGES and first - LOOKBACK <= change.at <= last and not elsewhere:
            return True
    return False


def covered(diagnosis: Diagnosis, *, langfuse: bool) -> bool:
    """True when the change feeds were really readable for the whole lookback: "nothing changed" then means something."""
    # SAFETY: objects tell of some changes and never that there were none, so they are no change feed.
    feeds = [e for e in diagnosis.evidence if e.kind is EvidenceKind.CHANGES and e.source != KUBERNETES]
    prompts = [e for e in diagnosis.evidence if e.kind is EvidenceKind.LANGFUSE]
    if not feeds or (langfuse and not prompts):
        return False
    return all(_whole(e) for e in feeds) and all(e.status is not EvidenceStatus.ERROR for e in prompts)


def _whole(feed: Evidence) -> bool:
    if feed.status is EvidenceStatus.ERROR or feed.truncated:
        return False
    return feed.window is None or feed.window.end - feed.window.start >= LOOKBACK


def changes(diagnosis: Diagnosis) -> tuple[Change, ...]:
    """Every change that the readable feeds told of. Raises ValueError for a malformed one."""
    feeds = (e for e in diagnosis.evidence if e.kind is EvidenceKind.CHANGES and e.status is EvidenceStatus.OK)
    return tuple(Change.model_validate(raw) for e in feeds for raw in e.payload)


def _prompt_versions(diagnosis: Diagnosis) -> tuple[Change, ...]:
    """Langfuse prompt versions as changes: each may have gone live when created and when its labels moved."""
    found: list[Change] = []
    for e in diagnosis.evidence:
        if e.kind is not EvidenceKind.LANGFUSE or e.status is not EvidenceStatus.OK:
            continue
        for prompt in e.payload.get("prompts", ()):
            labels = prompt.get("labels")
            if labels and "production" not in labels:
                continue
            name = f"prompt/{prompt.get('name', '?')}"
            moments = {prompt.get("created_at"), prompt.get("updated_at")} - {None}
            found.extend(Change(at=m, kind=ChangeKind.PROMPT, target=name, source="langfuse") for m in moments)
    return tuple(found)
