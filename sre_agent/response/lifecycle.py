"""The walk as a pure state machine: (record, what happened) -> Step.

No I/O, no clock, no randomness: `now` and ids come in. The responder carries steps out; the store makes each
of them one transaction.
"""

from datetime import datetime, timedelta
from typing import Any

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.redact import redact
from sre_agent.incident.event import EventKind
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.response.record import ANONYMOUS, IncidentRecord, Job, JobKind, State, Step
from sre_agent.verification.verify import Recovery, Sample, shortfall

APPROVAL_TTL = {0: timedelta(minutes=10), 1: timedelta(minutes=10), 2: timedelta(minutes=5)}
"""How long a question stays open, by approvals needed (guardrail G23: 10 min, data-bearing 5 min)."""

WITHDRAWN_BY = {
    EventKind.RESOLVED: "the incident was resolved",
    EventKind.REASSIGNED: "a person reassigned the incident",
    EventKind.DELEGATED: "a person moved the incident to another escalation policy",
    EventKind.SNOOZED: "a person snoozed the incident",
}
"""Events that withdraw a plan, and the reason as it is then on record."""

UNTOLD = "question_untold"
"""The timeline's word for a question that could not be shown where people answer."""
_ASKED_AGAIN = timedelta(minutes=1)
PLANNING = frozenset({State.RECEIVED, State.INVESTIGATING, State.AWAITING_APPROVAL, State.EXECUTING})
"""Where a plan is made, asked about or carried out: it can still be withdrawn."""


class Narration:
    """One thing that happened, told twice: on the timeline for people and in the audit for machines."""

    def __init__(self, record: IncidentRecord, now: datetime) -> None:
        self._record = record
        self._now = now

    def step(self, to: State, kind: str, text: str, **more: Any) -> Step:
        """A step that adds one timeline entry and one audit entry of `kind`. `more`: changes, jobs, approval, detail."""
        text = redact(text)  # what failed may have quoted a server's words
        changes_given = more.get("changes", {})
        if isinstance(changes_given.get("reason"), str):
            changes_given = {**changes_given, "reason": redact(changes_given["reason"])}
        entry = TimelineEntry(at=self._now, kind=kind, text=text)
        changes = {
            **changes_given,
            "updated_at": self._now,
            "timeline": (*self._record.timeline, entry),
        }
        detail = {"from": self._record.state.value, "to": to.value, "text": text, **more.get("detail", {})}
        audit = AuditEntry(
            at=self._now, incident_id=self._record.id, kind=kind, actor=more.get("actor", "sre-agent"), detail=detail
        )
        return Step(to=to, changes=changes, audit=(audit,), jobs=tuple(more.get("jobs", ())), approval=more.get("approval"))


def job(kind: JobKind, incident_id: str, at: datetime | None = None, **arguments: Any) -> Job:
    """A job of this incident."""
    return Job(kind=kind, incident_id=incident_id, at=at, arguments=arguments)


def page_of(incident_id: str, public_url: str) -> str:
    """Where an incident is shown; "" without a public URL."""
    return f"{public_url}/incidents/{incident_id}" if public_url else ""


def telling(record: IncidentRecord, note: JobKind = JobKind.PUBLISH) -> tuple[Job, ...]:
    """The jobs that tell people of a change: where they were asked, if they were, and in the note (or the hand-over with it)."""
    asked = (job(JobKind.ANNOUNCE, record.id),) if record.approval_id is not None else ()
    return (*asked, job(note, record.id))


def begun(record: IncidentRecord, now: datetime, *, acknowledged: bool = False, requester: str | None = None) -> Step:
    """The first authentic word of an open incident: investigate. `acknowledged`: that word was a person's acknowledgement;
    `requester`: it was this person's wish.
    """
    return Narration(record, now).step(
        State.INVESTIGATING,
        "investigation_started",
        "investigation started" + (f", asked for by {requester}" if requester else ""),
        changes={"human_acknowledged": acknowledged, "requested_by": requester},
        jobs=(job(JobKind.INVESTIGATE, record.id),),
        actor=requester or "sre-agent",
    )


def _anew(record: IncidentRecord) -> dict[str, Any]:
    """The changes with which a new round starts: nothing is carried over but the note and the history."""
    return {
        "round": record.round + 1,
        "diagnosis": None,
        "proposal": None,
        "plan_hash": None,
        "decision": None,
        "judged": None,
        "approval_id": None,
        "approvers": (),
        "level_before": None,
        "outcome": None,
        "measured": {},
        "verification": None,
        "samples": (),
        "recovery": None,
        "reason": "",
        "handed_to": None,
        "requested_by": None,
        "acknowledgements": (),
        "handed_on": None,
        "marks": {},
    }


def reopened(record: IncidentRecord, now: datetime) -> Step:
    """A finished incident came back: a new round."""
    return Narration(record, now).step(
        State.INVESTIGATING,
        "incident_reopened",
        f"reopened; round {record.round + 1} of the investigation started",
        changes={**_anew(record), "human_acknowledged": False},
        jobs=(job(JobKind.INVESTIGATE, record.id),),
    )


def taken_up(record: IncidentRecord, reopened_at: datetime) -> bool:
    """Whether a round began by a reopening later than this one: news that is late, of what was looked at already."""
    return any(e.kind == "incident_reopened" and e.at > reopened_at for e in record.timeline)


def on_request(record: IncidentRecord, requester: str, now: datetime) -> Step | None:
    """A person asked for an investigation: one begins where none runs, and what runs goes on as it is.

    INVARIANT: whoever asked for a round is on record before it has a plan, so their own yes to it never counts. An
    acknowledgement is kept: asking again does not take it back.
    """
    tell = Narration(record, now)
    if record.state is State.RECEIVED:
        return begun(record, now, requester=requester)
    if record.state.final:
        text = f"{requester} asked for another look; round {record.round + 1} of the investigation started"
        changes, jobs = {**_anew(record), "requested_by": requester}, (job(JobKind.INVESTIGATE, record.id),)
        return tell.step(State.INVESTIGATING, "investigation_requested", text, changes=changes, jobs=jobs, actor=requester)
    if any(e.kind == "investigation_requested" and now - e.at < _ASKED_AGAIN for e in record.timeline):
        return None  # a button pressed over and over is told once
    text = f"{requester} asked for an investigation; one is under way"
    return tell.step(record.state, "investigation_requested", text, actor=requester)


def on_event(record: IncidentRecord, kind: EventKind, now: datetime) -> Step | None:
    """What a webhook event changes; None when nothing. The agent's own writes are not brought here.

    INVARIANT: a person who acts first wins. Resolved, moved or snoozed withdraws a plan that has not begun;
    acknowledged means that at least one person must approve from then on. Webhooks overtake one another: that holds
    for the first word heard of an incident too.
    """
    tell = Narration(record, now)
    if kind is EventKind.REQUESTED:
        # SAFETY: a wish of which nobody says whose it was may be anybody's.
        return on_request(record, ANONYMOUS, now)
    if record.state is State.RECEIVED and kind not in (*WITHDRAWN_BY, EventKind.PING, EventKind.OTHER):
        return begun(record, now, acknowledged=kind is EventKind.ACKNOWLEDGED)
    if kind is EventKind.REOPENED and record.state.final:
        return reopened(record, now)
    if kind is EventKind.ACKNOWLEDGED and not record.human_acknowledged:
        text = "a person acknowledged the incident; nothing will be done without an approval"
        return tell.step(record.state, "incident_acknowledged", text, changes={"human_acknowledged": True})
    if kind in WITHDRAWN_BY and record.state in PLANNING:
        return withdrawn(record, WITHDRAWN_BY[kind], now)
    if kind is EventKind.RESOLVED and record.state is State.HANDED_BACK:
        return remark(record, "incident_over", f"over: the incident was resolved (round {record.round})", now)
    return None


def withdrawn(record: IncidentRecord, reason: str, now: datetime, approval: ApprovalRequest | None = None) -> Step:
    """Stop planning. An execution that has begun notices at its last line and stops or finishes its fence."""
    to = record.state if record.state is State.EXECUTING else State.CANCELLED
    jobs = () if to is State.EXECUTING else telling(record)
    closed = None if approval is None else approval.model_copy(update={"state": ApprovalState.CANCELLED})
    return Narration(record, now).step(
        to, "plan_withdrawn", f"plan withdrawn: {reason}", changes={"reason": reason}, jobs=jobs, approval=closed
    )


def handed_back(record: IncidentRecord, reason: str, now: datetime, **more: Any) -> Step:
    """Give the incident to its owner with the reason."""
    changes = {**more.pop("changes", {}), "reason": reason}
    jobs = telling(record, JobKind.HAND_BACK)
    kind = more.pop("kind", "incident_handed_back")
    return Narration(record, now).step(State.HANDED_BACK, kind, f"handed back: {reason}", changes=changes, jobs=jobs, **more)


def in_vain(record: IncidentRecord) -> dict[str, Any]:
    """The change of a record whose action failed, did not help, or may have.

    INVARIANT: what did not help once is not tried again in the same incident, reopened or not: a person takes over.
    """
    tried = () if record.proposal is None else (record.proposal.action,)
    return {"tried_in_vain": tuple(dict.fromkeys((*record.tried_in_vain, *tried)))}


def asked(record: IncidentRecord, approval: ApprovalRequest, now: datetime, **more: Any) -> Step:
    """Put the plan to people, and set the timer that turns silence into no."""
    changes = {**more.pop("changes", {}), "approval_id": approval.id, "approvers": ()}
    jobs = (
        job(JobKind.ANNOUNCE, record.id),
        job(JobKind.PUBLISH, record.id),
        job(JobKind.EXPIRE_APPROVAL, record.id, at=approval.expires_at, approval_id=approval.id),
    )
    minutes = (approval.expires_at - approval.created_at).total_seconds() / 60
    text = f"approval asked: {approval.required} of team {approval.team}, within {minutes:.0f} min ({approval.id})"
    return Narration(record, now).step(
        State.AWAITING_APPROVAL, "approval_requested", text, changes=changes, jobs=jobs, approval=approval, **more
    )


def execution_begun(record: IncidentRecord, why: str, now: datetime, **more: Any) -> Step:
    """Hand the plan to the process that has hands."""
    jobs = (job(JobKind.EXECUTE, record.id), *telling(record))
    return Narration(record, now).step(State.EXECUTING, "execution_started", why, jobs=jobs, **more)


def on_answer(record: IncidentRecord, approval: ApprovalRequest, now: datetime) -> Step | None:
    """What a person's answer changes; None when this approval is not the one waited for."""
    if record.state is not State.AWAITING_APPROVAL or record.approval_id != approval.id:
        return None
    last = approval.answers[-1]
    who = {"approvers": approval.approvers}
    if approval.state is ApprovalState.DENIED:
        reason = f"denied by {last.person}" + (f": {last.reason}" if last.reason else "")
        return handed_back(record, reason, now, changes=who, kind="approval_denied", actor=last.person)
    if approval.state is ApprovalState.GRANTED:
        text = f"approved by {' and '.join(approval.approvers)}"
        # INVARIANT: an approval is used once; it is spent in the transaction that starts the execution.
        spent = approval.model_copy(update={"state": ApprovalState.CONSUMED})
        return execution_begun(record, text, now, changes=who, actor=last.person, approval=spent)
    text = f"approved by {last.person} ({len(approval.approvers)} of {approval.required})"
    return Narration(record, now).step(record.state, "approval_given", text, changes=who, jobs=telling(record), actor=last.person)


def on_expiry(record: IncidentRecord, approval: ApprovalRequest, now: datetime) -> Step | None:
    """Silence is no."""
    if (
        record.state is not State.AWAITING_APPROVAL
        or record.approval_id != approval.id
        or approval.state is not ApprovalState.PENDING
    ):
        return None
    expired = approval.model_copy(update={"state": ApprovalState.EXPIRED})
    return handed_back(record, "nobody approved in time", now, approval=expired, kind="approval_expired")


def untold(record: IncidentRecord, reason: str, now: datetime, page: str = "") -> Step | None:
    """The open question could not be shown where people answer: the timeline and the note say so, and how to answer.

    None when that was said of this question already, or nothing is asked.
    """
    if record.approval_id is None or untold_of(record):
        return None
    where = f"at {page} or " if page else ""
    text = f"Slack could not be told: {reason}; answer {where}with {_command(record.approval_id)}"
    return Narration(record, now).step(record.state, UNTOLD, text, jobs=(job(JobKind.PUBLISH, record.id),))


def untold_of(record: IncidentRecord) -> str:
    """What was said about the newest question's not being shown; "" when it was shown, or will be."""
    ending = _command(record.approval_id or "")
    return next((e.text for e in record.timeline if e.kind == UNTOLD and e.text.endswith(ending)), "")


def _command(approval_id: str) -> str:
    return f"`sre-agent approvals approve {approval_id}`"


def remark(record: IncidentRecord, kind: str, text: str, now: datetime) -> Step | None:
    """Something people should know that changes no state; None when it was said before."""
    step = Narration(record, now).step(record.state, kind, text, jobs=(job(JobKind.PUBLISH, record.id),))
    told = step.changes["timeline"][-1].text
    return None if any(e.kind == kind and e.text == told for e in record.timeline) else step


def on_sample(record: IncidentRecord, sample: Sample, verdict: Recovery, now: datetime) -> Step:
    """What one look after the action changes."""
    changes: dict[str, Any] = {"samples": (*record.samples, sample), "recovery": verdict}
    tell = Narration(record, now)
    if verdict is Recovery.RECOVERED:
        soak = record.verification.soak_s if record.verification else 0.0
        text = f"recovered {_since_action(record, sample):.0f} s after the action, well for the whole soak of {soak:.0f} s"
        return tell.step(State.RECOVERED, "recovery_verified", text, changes=changes, jobs=telling(record))
    changes = changes if verdict is Recovery.UNDECIDED else {**changes, **in_vain(record)}
    if verdict is Recovery.NOT_RECOVERED:
        lacks = "".join(f"; {why}" for why in shortfall(sample, record.verification)) if record.verification else ""
        reason = f"not recovered after the action: {sample.detail}{lacks}"
        return handed_back(record, reason, now, changes=changes, kind="recovery_failed")
    if verdict is Recovery.UNKNOWN:
        return handed_back(
            record, f"recovery could not be established: {sample.detail}", now, changes=changes, kind="recovery_unknown"
        )
    interval = record.verification.interval_s if record.verification else 10.0
    again = job(JobKind.VERIFY, record.id, at=now + timedelta(seconds=interval))
    return Step(to=State.VERIFYING, changes={**changes, "updated_at": now}, jobs=(again,))


def _since_action(record: IncidentRecord, sample: Sample) -> float:
    started = record.verification.started_at if record.verification else sample.at
    return (sample.at - started).total_seconds()
