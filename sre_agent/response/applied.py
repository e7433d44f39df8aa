"""What a step, an answer or a replaced approval does to a stored document. Pure: every store uses these."""

from pydantic import ValidationError

from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.audit.record import AuditEntry
from sre_agent.incident.errors import Conflict, Permanent
from sre_agent.response.record import IncidentRecord, Step

OWN_FIELDS = frozenset({"id", "version", "state", "received_at"})
"""Fields of a record that a step's `changes` may not touch."""


def advanced(record: IncidentRecord, step: Step) -> IncidentRecord:
    """The record after `step`, its version one higher.

    `updated_at` is what `changes` says, else the time of the step's last audit entry. Raises Permanent for
    changes that are no fields of a record: a defect in the caller.
    """
    forbidden = OWN_FIELDS & step.changes.keys()
    if forbidden:
        raise Permanent(f"A step for incident {record.id} tried to set {', '.join(sorted(forbidden))}, which only the store sets.")
    updated = max((record.updated_at, *(entry.at for entry in step.audit)))
    fields = {**dict(record), "updated_at": updated, **step.changes, "version": record.version + 1, "state": step.to}
    try:
        return IncidentRecord.model_validate(fields)
    except ValidationError as error:
        raise Permanent(f"A step for incident {record.id} does not fit the record: {error}") from error


def replaceable(stored: ApprovalRequest | None, new: ApprovalRequest) -> None:
    """Raise Conflict when writing `new` over `stored` would lose an answer or open a closed question again.

    INVARIANT: somebody may answer between a worker's reading and its writing; that answer is never lost.
    """
    if stored is None:
        return
    if stored.answers != new.answers or stored.plan_hash != new.plan_hash:
        raise Conflict(f"Approval {new.id} was answered meanwhile; read it again.")
    if stored.state is not ApprovalState.PENDING and new.state is ApprovalState.PENDING:
        raise Conflict(f"Approval {new.id} is {stored.state.value} and cannot be asked again.")
    if stored.state is ApprovalState.CONSUMED and new.state is ApprovalState.CONSUMED:
        raise Conflict(f"Approval {new.id} was used already; it is good for one execution.")


def answer_entry(request: ApprovalRequest, answer: Answer) -> AuditEntry:
    """The audit entry of an answer just recorded; `request` as it stands after it."""
    detail = {
        "approval_id": request.id,
        "approve": answer.approve,
        "via": answer.via,
        "reason": answer.reason,
        "plan_hash": request.plan_hash,
        "state": request.state.value,
    }
    return AuditEntry(at=answer.at, incident_id=request.incident_id, kind="approval_answered", actor=answer.person, detail=detail)
