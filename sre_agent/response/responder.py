"""Walks an incident from its first event to a verdict. Every method is one job's body."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import Incident
from sre_agent.policy.facts import Mode
from sre_agent.response import lifecycle
from sre_agent.response.acknowledged import on_acknowledged, owners_of
from sre_agent.response.assess import Assessor
from sre_agent.response.conclude import assessed, model_paid
from sre_agent.response.failed import on_failure
from sre_agent.response.own_incident import dedup_key, own
from sre_agent.response.paged import annotated, heard_as, nothing_new, paged_elsewhere
from sre_agent.response.paging import Paging
from sre_agent.response.reception import Heard, Reception
from sre_agent.response.record import IncidentRecord, JobKind, State, Step
from sre_agent.response.requester import nobody_known
from sre_agent.response.walk import Walk
from sre_agent.runbook.proposal import Proposal
from sre_agent.runbook.runbook import Runbook
from sre_agent.triage.rightful import Acknowledgement
from sre_agent.verification.probe import Probes

PAGERDUTY_DOOR = "pagerduty"

NewId = Callable[[str], str]
"""new_id("apr") -> "apr_...": unique, unguessable."""


@dataclass(frozen=True)
class Responder:
    """The thinking half of the walk: it plans and asks, it never acts."""

    walk: Walk
    tracker: IncidentTracker
    assessor: Assessor
    probes: Probes
    runbooks: Mapping[str, Runbook]
    mode: Mode
    new_id: NewId
    own_agent_id: Callable[[], Awaitable[str | None]]
    forget: Callable[[str], Awaitable[None]] | None = None
    """Drops an investigation's checkpoints, once its result is stored."""
    requester: Callable[[IncidentEvent], str] = nobody_known
    """Who asked for an investigation (requester.py)."""
    place: Callable[[IncidentEvent], Acknowledgement | None] | None = None
    """Who did what an event tells, where that is a known person in a team; None for everybody else."""
    reception: Reception | None = None
    """Which incident an event is about; None: the one that it names."""
    paging: Paging | None = None
    """Who hears of incidents that the agent keeps itself; None: PagerDuty's are the only ones."""

    async def take(self, event: IncidentEvent) -> None:
        """One accepted event: create or move the record. Events about our own writes change nothing."""
        if event.incident_id is None or self.mode is Mode.OFF:
            return
        if await self._is_ours(event):
            return
        now = self.walk.clock.now()
        heard = await self._received(event, now)
        if heard is None:
            return
        event, incident_id = heard.event, heard.fresh.id
        if event.kind is EventKind.TRIGGERED or await self.walk.store.load(incident_id) is None:
            await self.walk.store.create(heard.fresh, ())
        await self.walk.advance(incident_id, lambda r: self._heard(r, heard))
        await self._notice_snooze(event)
        await self._close_approval(incident_id)
        if self.paging is not None and own(incident_id):
            await self._page(heard)

    async def _received(self, event: IncidentEvent, now: datetime) -> Heard | None:
        if self.reception is not None:
            return await self.reception.received(event)
        return Heard(event, IncidentRecord(id=event.incident_id or "", received_at=now, updated_at=now))

    async def _page(self, heard: Heard) -> None:
        """Our own incident: who hears of it is decided with every piece of news."""
        if self.paging is None:
            return
        incident_id, now = heard.fresh.id, self.walk.clock.now()
        # Under our own key it is our own page that PagerDuty tells us of.
        if heard.event.door == PAGERDUTY_DOOR and heard.event.incident_key not in ("", dedup_key(incident_id)):
            await self.walk.advance(incident_id, lambda r: paged_elsewhere(r, PAGERDUTY_DOOR, now))
        if not nothing_new(await self.walk.load(incident_id), heard.event.alerts, self.paging.routing):
            await self.paging.look(incident_id)

    def _heard(self, record: IncidentRecord, heard: Heard) -> Step | None:
        """What the news changes, with the names under which it was heard."""
        step = self._moved(record, heard)
        linked = tuple(dict.fromkeys((*record.linked, *heard.names)))
        if linked == record.linked:
            return step
        step = step or Step(to=record.state)
        # What was noted before people looked there is noted there too.
        note = (lifecycle.job(JobKind.PUBLISH, record.id),) if record.note_id is not None else ()
        return step.model_copy(update={"changes": {**step.changes, "linked": linked}, "jobs": (*step.jobs, *note)})

    def _moved(self, record: IncidentRecord, heard: Heard) -> Step | None:
        event, now = heard.event, self.walk.clock.now()
        kind = event.kind if heard.firing is None else heard_as(record, event.kind, heard.firing)
        if kind is EventKind.REQUESTED:
            return lifecycle.on_request(record, self.requester(event), now)
        if kind is EventKind.REOPENED and lifecycle.taken_up(record, event.occurred_at):
            return None
        if event.door == PAGERDUTY_DOOR and own(record.id) and kind is EventKind.TRIGGERED and record.state is not State.RECEIVED:
            return None  # the incident that our own page made there
        by = self.place(event) if self.place is not None and kind is EventKind.ACKNOWLEDGED else None
        if by is None:
            return lifecycle.on_event(record, kind, now)
        return on_acknowledged(record, by, owners_of(record, self.assessor.ownership, self.assessor.team_of), now)

    async def _is_ours(self, event: IncidentEvent) -> bool:
        """The agent's own write, echoed. Not being able to tell means that a person did it: that only restricts."""
        if event.agent_id is None or event.kind is EventKind.RESOLVED:
            return False
        try:
            return event.agent_id == await self.own_agent_id()
        except SreAgentError:
            return False

    async def _notice_snooze(self, event: IncidentEvent) -> None:
        """A snooze arrives as an acknowledgement; only the incident itself tells."""
        if event.kind is not EventKind.ACKNOWLEDGED or event.incident_id is None:
            return
        record = await self.walk.load(event.incident_id)
        if record.state is State.AWAITING_APPROVAL and (await self.tracker.fetch(record.id)).snoozed:
            await self.walk.advance(record.id, lambda r: lifecycle.on_event(r, EventKind.SNOOZED, self.walk.clock.now()))

    async def _close_approval(self, incident_id: str) -> None:
        """A withdrawn plan's question is closed, so that a late yes finds nothing to approve."""
        record = await self.walk.load(incident_id)
        if record.state is not State.CANCELLED or record.approval_id is None:
            return
        question = await self.walk.store.approval(record.approval_id)
        if question is not None and question.state is ApprovalState.PENDING:
            closed = question.model_copy(update={"state": ApprovalState.CANCELLED})
            await self.walk.advance(incident_id, lambda r: Step(to=r.state, approval=closed))

    async def investigate(self, incident_id: str) -> None:
        """Fetch the incident with all its alerts, assess it, and take the next step."""
        record = await self.walk.load(incident_id)
        if record.state is not State.INVESTIGATING:
            await self._settle(record)
            return
        incident = await self.tracker.fetch(incident_id)
        gone = _withdrawal(incident)
        if gone is not None:
            await self.walk.advance(incident_id, lambda r: lifecycle.on_event(r, gone, self.walk.clock.now()))
            await self._settle(record)
            return
        thread = _thread(record)
        assessment = await self.assessor.assess(
            incident,
            human_acknowledged=record.human_acknowledged,
            thread=thread,
            now=self.walk.clock.now(),
            spent=record.model_total,
        )
        usage = assessment.investigated.diagnosis.usage
        level = await self._level(assessment.investigated.proposal)
        question_id = self.new_id("apr")

        def conclude(latest: IncidentRecord) -> Step | None:
            if latest.state is not State.INVESTIGATING:
                return model_paid(latest, record.round, usage, self.walk.clock.now())
            now = self.walk.clock.now()
            step = assessed(latest, incident, assessment, now, question_id)
            if self.paging is not None and not own(incident_id):
                step = annotated(step, incident.alerts, self.paging.routing, now)
            spent = latest.with_model_spent(record.round, usage.spend)
            return step.model_copy(update={"changes": {**step.changes, **spent, "level_before": level}})

        await self.walk.advance(incident_id, conclude)
        if self.forget is not None:
            await self.forget(thread)

    async def _settle(self, record: IncidentRecord) -> None:
        """INVARIANT: what an investigation without a result spent on a model is not forgotten: the next round has less."""
        spend = await self.assessor.investigator.spent(_thread(record))
        usage = ModelUsage.of(spend)
        await self.walk.advance(record.id, lambda r: model_paid(r, record.round, usage, self.walk.clock.now()))
        if self.forget is not None:
            await self.forget(_thread(record))

    async def _level(self, proposal: Proposal | None) -> float | None:
        if proposal is None:
            return None
        runbook = self.runbooks.get(proposal.runbook)
        return await self.probes.level(runbook.objective if runbook else None, proposal.target, self.walk.clock.now())

    async def answered(self, question: ApprovalRequest) -> IncidentRecord:
        """A person's answer was stored; move the incident on it."""
        return await self.walk.advance(question.incident_id, lambda r: lifecycle.on_answer(r, question, self.walk.clock.now()))

    async def expire(self, incident_id: str, approval_id: str) -> None:
        """The timer of an approval ran out. An answer whose effect a crash swallowed takes effect here."""
        question = await self.walk.store.approval(approval_id)
        if question is None:
            return
        if question.state in (ApprovalState.GRANTED, ApprovalState.DENIED):
            await self.answered(question)
        await self.walk.advance(incident_id, lambda r: lifecycle.on_expiry(r, question, self.walk.clock.now()))

    async def give_up(self, incident_id: str, reason: str, kind: JobKind | None = None) -> None:
        """A job (`kind`, None for the inbox) failed for good: the incident goes to a person, with the reason; it never hangs."""
        record = await self.walk.advance(incident_id, lambda r: on_failure(r, reason, self.walk.clock.now(), kind))
        if kind is JobKind.INVESTIGATE:
            await self._settle(record)


def _thread(record: IncidentRecord) -> str:
    """The checkpoints of this round's investigation."""
    return f"{record.id}:{record.round}"


def _withdrawal(incident: Incident) -> EventKind | None:
    if not incident.open:
        return EventKind.RESOLVED
    return EventKind.SNOOZED if incident.snoozed else None
