"""Carries out an agreed plan, under the target's lock. Runs only where there are hands."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.audit.record import AuditEntry
from sre_agent.execution.action import Outcome
from sre_agent.execution.executor import Executor
from sre_agent.execution.ledger import IntentState, Ledger, intent_key
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Refused, Transient
from sre_agent.policy.decision import Decision
from sre_agent.policy.facts import Halt
from sre_agent.policy.permit import Permit
from sre_agent.response.assess import Assessment, Assessor, Plan
from sre_agent.response.conclude import executed, left_open, refused_at_last_line
from sre_agent.response.lifecycle import handed_back, in_vain
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.response.responder import NewId
from sre_agent.response.walk import Walk
from sre_agent.runbook.runbook import Runbook
from sre_agent.triage.classify import triage


class HeldLock(Protocol):
    """A target's lock while it is held."""

    async def confirm(self) -> None:
        """Raises Conflict when it was lost."""
        ...


TargetLock = Callable[[str], AbstractAsyncContextManager[HeldLock]]
"""target_lock(key): held by one process at a time, released if it dies. Transient when somebody holds it."""

CountApprovals = Callable[[ApprovalRequest, str, datetime], int]
"""(request, plan hash, now) -> how many distinct people's yes counts, asked again right before acting."""

PATIENCE = timedelta(minutes=10)
"""How long an agreed plan waits for a target that somebody else holds."""

RECHECK = timedelta(seconds=5)
"""How long a full look at the incident holds; halt and version are looked at every time."""


class LastLine:
    """The check right before an effect: not halted, our lock still held, still our turn, still a firing infra incident.

    SAFETY: all pages of alerts are fetched again, firing and resolved. What cannot be read refuses.
    """

    def __init__(self, operator: "Operator", begun: IncidentRecord, lock: HeldLock) -> None:
        self._op = operator
        self._begun = begun
        self._lock = lock
        self._looked_at: datetime | None = None

    async def __call__(self) -> None:
        """Raises Refused when the effect must not happen, Conflict when the lock was lost."""
        # First, so that whoever lost the lock hears of it and of nothing else: others finish what it began.
        await self._lock.confirm()
        if await self._op.halt.halted():
            raise Refused("halted", "the kill switch is engaged")
        record = await self._op.walk.load(self._begun.id)
        if record.state is not State.EXECUTING or record.reason:
            raise Refused("plan-withdrawn", record.reason or f"the incident is {record.state.value}")
        # SAFETY: the guard judged the record as it was when this began; an acknowledgement heard since then was not in it.
        if record.human_acknowledged and not (self._begun.human_acknowledged or record.approvers):
            raise Refused("acknowledged", "a person acknowledged the incident right before the action, and nobody had approved it")
        now = self._op.walk.clock.now()
        if self._looked_at is None or now - self._looked_at > RECHECK:
            await self._look()
            self._looked_at = self._op.walk.clock.now()

    async def _look(self) -> None:
        incident = await self._op.tracker.fetch(self._begun.id)
        if not incident.open or incident.snoozed:
            raise Refused("incident-closed", "the incident was resolved, merged or snoozed")
        if not incident.firing:
            raise Refused("alert-cleared", "no alert of the incident fires any more")
        seen = triage(incident, self._op.assessor.ownership)
        if seen.labelled is not AlertClass.INFRA:
            # SAFETY: it is handed to whom the labels name now; the old owner is the wrong person to wake.
            await self._op.walk.advance(incident.id, lambda r: Step(to=r.state, changes={"triage": seen}))
            raise Refused("refuse-not-infra", f"the incident's alerts now say {seen.labelled.value}")


@dataclass(frozen=True)
class Operator:
    """The acting half of the walk: it has hands and takes nobody's word but the guard's."""

    walk: Walk
    tracker: IncidentTracker
    assessor: Assessor
    executor: Executor
    ledger: Ledger
    halt: Halt
    runbooks: Mapping[str, Runbook]
    target_lock: TargetLock
    count_approvals: CountApprovals
    new_id: NewId

    async def execute(self, incident_id: str) -> None:
        """Do the agreed plan once, or find out what an interrupted attempt left behind."""
        record = await self.walk.load(incident_id)
        if record.state is not State.EXECUTING:
            await self._look_after(record)
            return
        if record.proposal is None or record.plan_hash is None:
            return
        async with AsyncExitStack() as held:
            try:
                lock = await held.enter_async_context(self.target_lock(record.proposal.target.key))
            except Transient:
                if not await self._waited_enough(record):
                    raise
                return
            outcome, refused = await self._carry_out(record, LastLine(self, record, lock))
        if refused is not None:
            question_id = self.new_id("apr")
            await self.walk.advance(incident_id, lambda r: refused_at_last_line(r, refused, self.walk.clock.now(), question_id))
        if outcome is not None:
            runbook = self.runbooks.get(record.proposal.runbook)
            await self.walk.advance(incident_id, lambda r: executed(r, outcome, runbook, self.walk.clock.now()))

    async def _look_after(self, record: IncidentRecord) -> None:
        """Close what a process left open that slept while the walk went on without it: observed, and told."""
        for intent in await self.ledger.unfinished(record.id):
            async with self.target_lock(intent.target_key) as lock:
                outcome = await self.executor.resume(intent.key, LastLine(self, record, lock))
            action = intent.action
            await self.walk.advance(record.id, partial(left_open, action=action, outcome=outcome, now=self.walk.clock.now()))

    async def _waited_enough(self, record: IncidentRecord) -> bool:
        """Somebody holds the target and does not let go (a paused process): after PATIENCE a person must look."""
        now = self.walk.clock.now()
        began = max((e.at for e in record.timeline if e.kind == "execution_started"), default=now)
        if now - began < PATIENCE:
            return False
        minutes = PATIENCE.total_seconds() / 60
        stuck = f"another process has held the target for {minutes:.0f} min; it is unknown whether it acted"

        def surrender(latest: IncidentRecord) -> Step | None:
            if latest.state is not State.EXECUTING:
                return None
            return handed_back(latest, stuck, now, kind="action_unknown", changes=in_vain(latest))

        await self.walk.advance(record.id, surrender)
        return True

    async def abandon(self, incident_id: str, reason: str) -> None:
        """The job failed for good: whatever was begun is closed as unknown, for a person to look at."""
        record = await self.walk.load(incident_id)
        if record.proposal is not None and record.plan_hash is not None:
            await self.executor.abandon(intent_key(record.proposal, record.plan_hash), reason)

    async def _carry_out(self, record: IncidentRecord, last_line: LastLine) -> tuple[Outcome | None, Assessment | None]:
        if record.proposal is None or record.plan_hash is None or record.diagnosis is None:
            return Outcome(IntentState.NOT_DONE, "the plan is incomplete"), None
        key = intent_key(record.proposal, record.plan_hash)
        try:
            # INVARIANT: what was begun is observed before anything new is decided, halted or not.
            if await self.ledger.find(key) is not None:
                return await self.executor.resume(key, last_line), None
            await last_line()
            assessment, permit = await self._permit(record)
            if permit is None:
                # INVARIANT: a process that slept since it got its permit may have begun meanwhile: that is looked at first.
                if await self.ledger.find(key) is not None:
                    return await self.executor.resume(key, last_line), None
                return None, assessment
            await self._remember(permit, assessment.decision)
            service = assessment.declaration.service or record_service(record)
            return await self.executor.run(permit, service, last_line), None
        except Refused as no:
            return Outcome(IntentState.NOT_DONE, str(no)), None

    async def _permit(self, record: IncidentRecord) -> tuple[Assessment, Permit | None]:
        incident = await self.tracker.fetch(record.id)
        if record.proposal is None or record.plan_hash is None or record.diagnosis is None:
            raise Refused("plan-incomplete", "the record holds no plan")
        plan = Plan(
            proposal=record.proposal,
            plan_hash=record.plan_hash,
            diagnosis=record.diagnosis,
            approvals=await self._approvals(record),
            permit_id=self.new_id("permit"),
            human_acknowledged=record.human_acknowledged,
        )
        return await self.assessor.reassess(incident, plan, self.walk.clock.now())

    async def _remember(self, permit: Permit, decision: Decision) -> None:
        """INVARIANT: the decision to allow, with the plan and the policies it was made for, is on record before the intent."""
        detail = {
            **decision.remembered(),
            "bundle": permit.bundle_hash,
            "plan_hash": permit.plan_hash,
            "permit_id": permit.id,
            "approvals": permit.approvals,
            "facts_sha256": permit.facts_sha256,
        }
        now, incident_id = self.walk.clock.now(), permit.proposal.incident_id
        await self.walk.store.append_audit(AuditEntry(at=now, incident_id=incident_id, kind="action_permitted", detail=detail))

    async def _approvals(self, record: IncidentRecord) -> int:
        """How many people's yes counts now. Spent in the walk, so it is judged as the granted question it was."""
        question = await self.walk.store.approval(record.approval_id) if record.approval_id else None
        if question is None or question.state is not ApprovalState.CONSUMED or record.plan_hash is None:
            return 0
        granted = question.model_copy(update={"state": ApprovalState.GRANTED})
        return min(self.count_approvals(granted, record.plan_hash, self.walk.clock.now()), 2)


def record_service(record: IncidentRecord) -> str:
    """The budget's service where none is declared: PagerDuty's."""
    return record.incident.service.id if record.incident else record.id
