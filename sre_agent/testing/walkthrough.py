"""The whole walk over doubles, with the real guard, lifecycle, executor and note: for time scripts ("at this, want that").

Jobs run when `settle` or `pass_time` is called; time is the clock's, so an hour costs nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from sre_agent.approval.decide import Approvers
from sre_agent.approval.placing import placing
from sre_agent.approval.request import Answer
from sre_agent.approval.teams import Teams
from sre_agent.asking.announce import Announcer
from sre_agent.asking.digest import DigestDesk
from sre_agent.execution.action import Readers
from sre_agent.execution.executor import Executor, Tools
from sre_agent.execution.hands import Hands
from sre_agent.handback.alert_desk import AlertDesk
from sre_agent.handback.board import QuestionBoard
from sre_agent.incident.errors import Conflict, Permanent, Transient
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import Incident
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.facts import FactContext, Facts, Mode
from sre_agent.policy.guard import Guard
from sre_agent.replay.recording.recorder import Recorder
from sre_agent.response.assess import Assessor
from sre_agent.response.every_tracker import EveryTracker
from sre_agent.response.follow_up import FollowUp
from sre_agent.response.operate import Operator
from sre_agent.response.paging import Paging
from sre_agent.response.reception import Reception
from sre_agent.response.record import IncidentRecord, Job, JobKind
from sre_agent.response.requester import requester_of
from sre_agent.response.responder import Responder
from sre_agent.response.status_updates import StatusDesk
from sre_agent.response.walk import Walk
from sre_agent.runbook.runbook import Runbook
from sre_agent.testing.memory_pager import MemoryPager
from sre_agent.testing.memory_recordings import MemoryRecordings
from sre_agent.testing.memory_status_drafts import MemoryStatusDrafts
from sre_agent.testing.memory_store import MemoryHalt, MemoryLedger, MemoryStore
from sre_agent.testing.memory_told import MemoryToldAlerts
from sre_agent.testing.rooms import (
    ManualClock,
    MemoryLocks,
    MemoryTracker,
    RememberingInvestigator,
    ScriptedAction,
    ScriptedInvestigator,
)
from sre_agent.verification.probe import Probes

START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
AGENT_USER = "PAGENT1"
KEY = b"walkthrough"


@dataclass
class Walkthrough:
    """One agent on doubles. `facts` answers for every collector; `probes` for every look after an action.

    `after_recording` is called with the walk and the packed case each time a round was recorded: where it is set, for all.
    """

    after_recording: ClassVar[Callable[["Walkthrough", bytes], Awaitable[None]] | None] = None

    bundle: Bundle
    runbooks: Mapping[str, Runbook]
    investigator: ScriptedInvestigator
    facts: Callable[[FactContext], Facts]
    probes: Probes = field(default_factory=Probes)
    action: ScriptedAction = field(default_factory=ScriptedAction)
    mode: Mode = Mode.AUTO
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    store: MemoryStore = field(default_factory=MemoryStore)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    halt: MemoryHalt = field(default_factory=MemoryHalt)
    tracker: MemoryTracker = field(default_factory=MemoryTracker)
    locks: MemoryLocks = field(default_factory=MemoryLocks)
    recordings: MemoryRecordings = field(default_factory=MemoryRecordings)
    told: MemoryToldAlerts = field(default_factory=MemoryToldAlerts)
    pager: MemoryPager = field(default_factory=MemoryPager)
    desks: Mapping[str, AlertDesk] = field(default_factory=dict)
    status_drafts: MemoryStatusDrafts = field(default_factory=MemoryStatusDrafts)
    board: QuestionBoard | None = None
    asks_per_hour: int = 6
    given_up: list[str] = field(default_factory=list)
    _ids: int = 0

    def __post_init__(self) -> None:
        walk, declared = Walk(self.store, self.clock), self.bundle.declared
        guard = Guard(self.bundle, "sre-agent", KEY)
        self.remembered = RememberingInvestigator(self.investigator)
        assessor = Assessor(self.remembered, guard, self._facts_for, declared.targets.find, declared.ownership)
        teams, routing = Teams(declared.people), declared.ownership
        every = EveryTracker(self.tracker, self.store, self.told, routing, self.desks)
        self.paging = Paging(walk, self.told, routing, self.locks.target_lock, self.pager)
        self.responder = Responder(
            walk,
            every,
            assessor,
            self.probes,
            self.runbooks,
            self.mode,
            self._new_id,
            self._own_id,
            requester=partial(requester_of, teams),
            place=placing(teams),
            reception=Reception(walk, self.told, routing, self.desks),
            paging=self.paging,
        )
        self.follow_up = FollowUp(
            walk,
            every,
            self.probes,
            self.runbooks,
            declared.ownership,
            handovers=declared.handovers,
            target_team=assessor.team_of,
            status=StatusDesk(walk, self.status_drafts, routing),
        )
        self.recorder = Recorder(self.store, self.recordings, self.bundle.hash)
        approvers = Approvers(self.bundle)
        self.announcer = Announcer(
            walk=walk,
            board=self.board,
            digests=DigestDesk(walk, every, declared.ownership, self.locks.target_lock, self.asks_per_hour),
            runbooks=self.runbooks,
            may_approve=lambda request, now: approvers.among(teams.members(request.team), request, now),
            name_of=teams.name_of,
            per_hour=self.asks_per_hour,
        )
        tools = Tools(Hands(), Readers(), self.clock.sleep)
        self.operator = Operator(
            walk=walk,
            tracker=every,
            assessor=assessor,
            executor=Executor({self.action.name: self.action}, self.ledger, tools, KEY, self.clock),
            ledger=self.ledger,
            halt=self.halt,
            runbooks=self.runbooks,
            target_lock=self.locks.target_lock,
            count_approvals=approvers.count,
            new_id=self._new_id,
        )

    async def _facts_for(self, context: FactContext) -> Facts:
        return self.facts(context)

    async def _own_id(self) -> str | None:
        return AGENT_USER

    def _new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids}"

    async def hear(self, incident: Incident, kind: EventKind, agent: str | None = "PPERSON") -> None:
        """One webhook about the incident, which is what a fetch will find from now on; then everything due runs."""
        self.tracker.put(incident)
        self._ids += 1
        event = IncidentEvent(
            door="pagerduty",
            kind=kind,
            type_name=f"incident.{kind.value}",
            event_id=f"E{self._ids}",
            delivery_id=f"D{self._ids}",
            incident_id=incident.id,
            occurred_at=self.clock.now(),
            agent_id=agent,
        )
        await self.store.accept(event, b"{}", self.clock.now())
        await self.settle()

    async def tell(self, event: IncidentEvent) -> None:
        """One event as a door told it, with the alerts it brings; then everything due runs."""
        await self.store.accept(event, b"{}", self.clock.now())
        await self.settle()

    async def answer(self, incident_id: str, person: str, *, approve: bool = True) -> IncidentRecord:
        """One person's answer to the question that waits; then everything due runs."""
        record = await self.record(incident_id)
        given = Answer(person=person, approve=approve, via="cli", at=self.clock.now())
        question = await self.store.answer(record.approval_id or "", given, self.clock.now())
        await self.responder.answered(question)
        await self.settle()
        return await self.record(incident_id)

    async def record(self, incident_id: str) -> IncidentRecord:
        """The record as stored."""
        return await self.responder.walk.load(incident_id)

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass in steps, running what falls due."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            await self.settle()

    async def settle(self) -> None:
        """Run everything due now, until nothing is."""
        while True:
            rows, jobs = self.store.take_arrived(), self.store.take_jobs(self.clock.now())
            if not rows and not jobs:
                return
            for row in rows:
                await self.responder.take(await self.store.inbox(row))
            for job in jobs:
                await self._run(job)

    async def _record(self, incident_id: str, of_round: int) -> None:
        await self.recorder.record(incident_id, of_round)
        content = await self.recordings.content(incident_id, of_round)
        check = type(self).after_recording
        if check is not None and content is not None:
            await check(self, content)

    async def _run(self, job: Job) -> None:
        handlers: dict[JobKind, Callable[..., Any]] = {
            JobKind.INVESTIGATE: self.responder.investigate,
            JobKind.EXPIRE_APPROVAL: self.responder.expire,
            JobKind.EXECUTE: self.operator.execute,
            JobKind.VERIFY: self.follow_up.verify,
            JobKind.ANNOUNCE: self.announcer.announce,
            JobKind.PUBLISH: self.follow_up.publish,
            JobKind.HAND_BACK: self.follow_up.hand_back,
            JobKind.MARK: self.follow_up.mark,
            JobKind.RECORD: self._record,
            JobKind.PAGE: self.paging.page,
        }
        try:
            await handlers[job.kind](incident_id=job.incident_id, **job.arguments)
        except (Transient, Conflict) as later:
            self.given_up.append(f"{job.kind.value}: {later}")
            if isinstance(later, Transient):
                self.store.jobs.append(job.model_copy(update={"at": self.clock.now().replace(microsecond=0)}))
                self.clock.advance(1.0)
        except Permanent as failed:
            self.given_up.append(f"{job.kind.value}: {failed}")
            if job.kind is JobKind.EXECUTE:
                await self.operator.abandon(job.incident_id, str(failed))
            await self.responder.give_up(job.incident_id, f"{job.kind.value} failed for good: {failed}", job.kind)
