"""The JSON shapes of the API: what of a record is shown, and under which names. Pure."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from sre_agent.audit.record import AuditRecord
from sre_agent.evidence.finding import RootCause
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.target import Target
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.policy.decision import Verdict
from sre_agent.response.record import IncidentRecord, State
from sre_agent.routing.routed import Routed
from sre_agent.verification.verify import Recovery

_ACTION_KINDS = frozenset({"action_executed", "action_not_done", "action_failed", "action_unknown", "intent_closed"})


class ModelCost(BaseModel):
    """What a model cost in this incident, over all rounds.

    `lost` calls went down with a process; `fallback` says why rules ended the last investigation, if they did.
    """

    model_config = ConfigDict(frozen=True)

    calls: int
    lost: int
    input_tokens: int
    output_tokens: int
    usd: float
    fallback: str | None


class IncidentSummary(BaseModel):
    """One line of the listing. `alert_class` is after the evidence; `labelled_class` is what the labels said."""

    model_config = ConfigDict(frozen=True)

    id: str
    number: int | None
    title: str
    url: str
    state: State
    round: int
    labelled_class: AlertClass | None
    alert_class: AlertClass | None
    owner: str | None
    verdict: Verdict | None
    reason: str
    received_at: datetime
    updated_at: datetime
    model: ModelCost


class Listing(BaseModel):
    """Incidents, newest first."""

    model_config = ConfigDict(frozen=True)

    incidents: tuple[IncidentSummary, ...]


class Planned(BaseModel):
    """The step that was proposed, and on which live object."""

    model_config = ConfigDict(frozen=True)

    runbook: str
    action: str
    target: Target
    parameters: dict[str, str | int | bool]
    plan_hash: str | None


class ActionTaken(BaseModel):
    """One action as it ended: done, not_done, failed or unknown. `measured` carries its units in its names."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    action: str
    target: str
    outcome: str
    result: str
    measured: dict[str, float | int | str]


class Notified(BaseModel):
    """Who hears of the incident: the newest decision, which people were told when, and where else the incident is known.

    `door` is "" where PagerDuty keeps the incident; `linked` are `<system>:<id>`; `ended_at` is when a page was taken back.
    """

    model_config = ConfigDict(frozen=True)

    door: str
    linked: tuple[str, ...]
    decided: Routed | None
    told: tuple[str, ...]
    told_at: datetime | None
    ended_at: datetime | None


class IncidentDetail(IncidentSummary):
    """Everything about one incident that a person asks for first."""

    approvals_required: int | None
    approved_by: tuple[str, ...]
    approval_id: str | None
    policy_ids: tuple[str, ...]
    reasons: tuple[str, ...]
    summary: str
    root_causes: tuple[RootCause, ...]
    proposal: Planned | None
    actions: tuple[ActionTaken, ...]
    recovery: Recovery | None
    handed_to: str | None
    notified: Notified
    timeline: tuple[TimelineEntry, ...]


def _notified(record: IncidentRecord) -> Notified:
    page = record.page
    return Notified(
        door=record.door,
        linked=record.linked,
        decided=record.routed,
        told=page.receivers if page else (),
        told_at=page.at if page else None,
        ended_at=page.ended_at if page else None,
    )


def summary(record: IncidentRecord) -> IncidentSummary:
    """One record as a line."""
    incident, triage = record.incident, record.triage
    return IncidentSummary(
        id=record.id,
        number=incident.number if incident else None,
        title=incident.title if incident else record.title,
        url=incident.html_url if incident else record.link,
        state=record.state,
        round=record.round,
        labelled_class=triage.labelled if triage else None,
        alert_class=triage.alert_class if triage else None,
        owner=triage.owner if triage else None,
        verdict=record.decision.verdict if record.decision else None,
        reason=record.reason,
        received_at=record.received_at,
        updated_at=record.updated_at,
        model=_model_cost(record),
    )


def _model_cost(record: IncidentRecord) -> ModelCost:
    total = record.model_total
    return ModelCost(
        calls=total.calls,
        lost=total.lost,
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        usd=total.usd,
        fallback=record.diagnosis.usage.fallback if record.diagnosis else None,
    )


def detail(record: IncidentRecord, trail: tuple[AuditRecord, ...]) -> IncidentDetail:
    """One record with the actions its audit trail tells of."""
    decision, diagnosis, p = record.decision, record.diagnosis, record.proposal
    planned = p and Planned(
        runbook=p.runbook, action=p.action, target=p.target, parameters=p.parameters, plan_hash=record.plan_hash
    )
    return IncidentDetail(
        **summary(record).model_dump(),
        approvals_required=decision.approvals_required if decision else None,
        approved_by=record.approvers,
        approval_id=record.approval_id,
        policy_ids=decision.policy_ids if decision else (),
        reasons=decision.reasons if decision else (),
        summary=diagnosis.summary if diagnosis else "",
        root_causes=diagnosis.root_causes if diagnosis else (),
        proposal=planned,
        actions=tuple(_taken(entry, record) for entry in trail if entry.entry.kind in _ACTION_KINDS),
        recovery=record.recovery,
        handed_to=record.handed_to,
        notified=_notified(record),
        timeline=record.timeline,
    )


def _taken(audited: AuditRecord, record: IncidentRecord) -> ActionTaken:
    """One action from its audit record; the plan stands in where the record does not name it."""
    entry, plan = audited.entry, record.proposal
    return ActionTaken(
        at=entry.at,
        action=str(entry.detail.get("action") or (plan.action if plan else "")),
        target=str(entry.detail.get("target") or (plan.target.key if plan else "")),
        outcome=str(entry.detail.get("outcome", "")),
        result=str(entry.detail.get("text", "")),
        measured=entry.detail.get("measured") or {},
    )
