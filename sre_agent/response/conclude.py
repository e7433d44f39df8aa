"""What an assessment or an execution means for the walk. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sre_agent.approval.request import ApprovalRequest
from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.evidence.redact import redact_json
from sre_agent.execution.action import Outcome
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.incident import Incident
from sre_agent.policy.decision import Verdict
from sre_agent.response import lifecycle
from sre_agent.response.assess import Assessment, handed_back_by
from sre_agent.response.record import IncidentRecord, JobKind, Judged, State, Step, unidentified
from sre_agent.runbook.runbook import Runbook
from sre_agent.verification.verify import VerificationPlan

_PERMITTING = frozenset({Verdict.ALLOW, Verdict.NEEDS_APPROVAL})


_OUTCOME_WORDS = {
    IntentState.DONE: "done",
    IntentState.NOT_DONE: "not done",
    IntentState.FAILED: "failed",
    IntentState.UNKNOWN: "unknown whether it took effect",
    IntentState.INTENT: "unknown whether it took effect",
}


def _without_secrets(incident: Incident) -> Incident:
    """The incident as it is stored and shown: people write passwords and telephones into titles and annotations."""
    return Incident.model_validate(redact_json(incident.model_dump(mode="json")))


def assessed(record: IncidentRecord, incident: Incident, a: Assessment, now: datetime, approval_id: str) -> Step:
    """From a finished assessment to the next state; what it was decided on is recorded by a job of its own."""
    step = _next(record, incident, a, now, approval_id)
    return step.model_copy(update={"jobs": (*step.jobs, lifecycle.job(JobKind.RECORD, record.id, of_round=record.round))})


def _next(record: IncidentRecord, incident: Incident, a: Assessment, now: datetime, approval_id: str) -> Step:
    proposal = a.investigated.proposal
    if proposal is not None and proposal.action in record.tried_in_vain and a.decision.verdict in _PERMITTING:
        a = replace(a, decision=handed_back_by("tried-in-vain", a.decision.bundle_hash))
    changes: dict[str, Any] = {
        "incident": _without_secrets(incident),
        "triage": a.triage,
        "diagnosis": a.investigated.diagnosis,
        "proposal": proposal,
        "plan_hash": a.plan_hash,
        "decision": a.decision,
        "judged": _judged(record, a, now),
        "reason": "",
    }
    detail = {**a.decision.remembered(), **_model(a.investigated.diagnosis.usage)}
    reason = "; ".join(a.decision.reasons)
    match a.decision.verdict:
        case Verdict.ALLOW:
            return lifecycle.execution_begun(record, f"allowed: {reason}", now, changes=changes, detail=detail)
        case Verdict.NEEDS_APPROVAL:
            question = approval_for(record, a, now, approval_id)
            return lifecycle.asked(record, question, now, changes=changes, detail=detail)
        case Verdict.DENY | Verdict.HAND_BACK:
            kind = "action_denied" if a.decision.verdict is Verdict.DENY else "action_refused"
            return lifecycle.handed_back(record, reason, now, changes=changes, detail=detail, kind=kind)
        case Verdict.NO_ACTION:
            jobs = (lifecycle.job(JobKind.PUBLISH, record.id),)
            tell = lifecycle.Narration(record, now)
            return tell.step(State.NO_ACTION, "incident_closed", reason, changes=changes, jobs=jobs, detail=detail)


def _judged(record: IncidentRecord, a: Assessment, now: datetime) -> Judged:
    before = [spend for round_, spend in record.model_spent.items() if round_ != record.round]
    return Judged(
        at=now,
        decision=a.decision,
        basis=a.investigated.basis,
        situation=a.situation,
        tried_in_vain=record.tried_in_vain,
        acknowledged=record.human_acknowledged,
        requested_by=record.requested_by,
        spent_before=sum(before, start=Spend()),
    )


def _model(usage: ModelUsage) -> dict[str, Any]:
    """What the audit keeps of a model's work: nothing where none was asked."""
    return {"model": usage.model_dump(mode="json")} if usage.calls or usage.fallback else {}


def model_paid(record: IncidentRecord, round_: int, usage: ModelUsage, now: datetime) -> Step | None:
    """What an investigation spent whose result nobody waits for any more; None when that is known, or nothing."""
    changes = record.with_model_spent(round_, usage.spend)
    if not changes:
        return None
    entry = AuditEntry(at=now, incident_id=record.id, kind="model_paid", detail={"round": round_, **_model(usage)})
    return Step(to=record.state, changes=changes, audit=(entry,))


def approval_for(record: IncidentRecord, a: Assessment, now: datetime, approval_id: str) -> ApprovalRequest:
    """The question put to people about the assessed plan."""
    proposal, needed = a.investigated.proposal, a.decision.approvals_required or 1
    # SAFETY: somebody asked for this and cannot be told; with two people at least one of them is not the one who asked.
    needed = max(needed, 2) if unidentified(record.requested_by) else needed
    target = proposal.target if proposal else None
    what = f"{proposal.action} on {target.key} (uid {target.uid})" if proposal and target else "nothing"
    return ApprovalRequest(
        id=approval_id,
        incident_id=record.id,
        plan_hash=a.plan_hash or "",
        required=needed,
        requester=record.requested_by,
        team=a.declaration.team,
        question=f"{what}? {a.investigated.diagnosis.summary}",
        created_at=now,
        expires_at=now + lifecycle.APPROVAL_TTL[needed],
    )


def executed(record: IncidentRecord, outcome: Outcome, runbook: Runbook | None, now: datetime) -> Step | None:
    """From the ledger's answer to verification or to people; None when the walk moved on meanwhile."""
    if record.state is not State.EXECUTING:
        return None
    changes: dict[str, Any] = {
        "outcome": f"{_OUTCOME_WORDS[outcome.state]}: {outcome.result}",
        "measured": dict(outcome.measured or {}),
    }
    plan = record.proposal
    done = {"action": plan.action, "target": plan.target.key} if plan else {}
    detail = {**done, "outcome": outcome.state.value, "measured": changes["measured"]}
    match outcome.state:
        case IntentState.DONE:
            changes["verification"] = verification_plan(record, runbook, now)
            jobs = (lifecycle.job(JobKind.VERIFY, record.id), *lifecycle.telling(record))
            tell = lifecycle.Narration(record, now)
            return tell.step(State.VERIFYING, "action_executed", outcome.result, changes=changes, jobs=jobs, detail=detail)
        case IntentState.NOT_DONE:
            return lifecycle.handed_back(
                record, f"not done: {outcome.result}", now, changes=changes, detail=detail, kind="action_not_done"
            )
        case IntentState.FAILED:
            changes |= lifecycle.in_vain(record)
            return lifecycle.handed_back(
                record, f"failed: {outcome.result}", now, changes=changes, detail=detail, kind="action_failed"
            )
        case IntentState.UNKNOWN | IntentState.INTENT:
            changes |= lifecycle.in_vain(record)
            reason = f"it is unknown whether the action took effect: {outcome.result}"
            return lifecycle.handed_back(record, reason, now, changes=changes, detail=detail, kind="action_unknown")


def left_open(record: IncidentRecord, action: str, outcome: Outcome, now: datetime) -> Step:
    """What became of an action that was begun and left, found out after the walk had gone on: told, and nothing moves."""
    words = f"{_OUTCOME_WORDS[outcome.state]}: {outcome.result}"
    changes: dict[str, Any] = {"outcome": words}
    if outcome.state is not IntentState.NOT_DONE:
        changes["tried_in_vain"] = tuple(dict.fromkeys((*record.tried_in_vain, action)))
    detail = {"action": action, "outcome": outcome.state.value, "measured": dict(outcome.measured or {})}
    text = f"{action}, begun by a process that then slept or died, {words}"
    tell = lifecycle.Narration(record, now)
    return tell.step(record.state, "intent_closed", text, changes=changes, jobs=lifecycle.telling(record), detail=detail)


def refused_at_last_line(record: IncidentRecord, a: Assessment, now: datetime, approval_id: str) -> Step | None:
    """The plan no longer holds: ask again when only approvals are missing, else hand back."""
    if record.state is not State.EXECUTING:
        return None
    changes: dict[str, Any] = {"decision": a.decision, "triage": a.triage}
    # INVARIANT: a plan that was withdrawn meanwhile is nobody's question any more.
    if record.reason:
        reason = f"not done: {record.reason}"
        return lifecycle.handed_back(record, reason, now, changes=changes, detail=a.decision.remembered(), kind="action_not_done")
    if a.decision.verdict is Verdict.NEEDS_APPROVAL and len(record.approvers) < (a.decision.approvals_required or 1):
        return lifecycle.asked(
            record, approval_for(record, a, now, approval_id), now, changes=changes, detail=a.decision.remembered()
        )
    reason = f"refused right before acting: {'; '.join(a.decision.reasons) or 'the guard no longer allows it'}"
    return lifecycle.handed_back(record, reason, now, changes=changes, detail=a.decision.remembered(), kind="action_refused")


def verification_plan(record: IncidentRecord, runbook: Runbook | None, now: datetime) -> VerificationPlan:
    """What must hold after this action; a soak sees at least six looks and, beyond five minutes, thirty."""
    objective = runbook.objective if runbook else None
    soak = float(runbook.soak_s if runbook else 300)
    return VerificationPlan(
        started_at=now,
        below=objective.below if objective else None,
        unit=objective.unit if objective else "",
        level_before=record.level_before,
        soak_s=soak,
        within_s=float(runbook.within_s if runbook else 600),
        interval_s=max(1.0, min(max(10.0, soak / 30), soak / 6)),
    )
