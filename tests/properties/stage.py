"""The stage of one history: real lifecycle, guard, executor, approvals, facts and job desks over doubles that keep score."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sre_agent.approval.decide import Approvers
from sre_agent.approval.placing import placing
from sre_agent.approval.request import Answer
from sre_agent.approval.teams import Teams
from sre_agent.asking.announce import Announcer
from sre_agent.asking.desk import AnswerDesk
from sre_agent.asking.digest import DigestDesk
from sre_agent.execution.action import Readers
from sre_agent.execution.executor import Executor, Tools
from sre_agent.execution.hands import Hands
from sre_agent.facts.assemble import assemble
from sre_agent.facts.breakers import BreakerFacts, Looks, NoHistory
from sre_agent.facts.modes import FixedMode
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.calendar import Freezes
from sre_agent.policy.facts import FactContext, Facts, Mode
from sre_agent.policy.guard import Guard
from sre_agent.policy.handover import Handover, HandoverFact, Handovers
from sre_agent.replay.recording.recorder import Recorder
from sre_agent.response.assess import Assessor
from sre_agent.response.follow_up import FollowUp
from sre_agent.response.operate import Operator
from sre_agent.response.paging import Paging
from sre_agent.response.record import JobKind
from sre_agent.response.responder import Responder
from sre_agent.response.sweep import Sweep
from sre_agent.response.walk import Walk
from sre_agent.routing.file import Routing
from sre_agent.testing.board import MemoryBoard
from sre_agent.testing.crowd import INBOX, Crowd, TurnLocks
from sre_agent.testing.memory_told import MemoryToldAlerts
from sre_agent.testing.rooms import ManualClock
from sre_agent.testing.turns import at_once, stepped, stop
from sre_agent.testing.walkthrough import AGENT_USER, START
from sre_agent.verification.probe import Probes
from sre_agent.wiring import brain
from sre_agent.wiring.jobs import Desks
from tests.properties.books import BUNDLES, RUNBOOKS, TOKENS, FlakyEngine, with_tokens
from tests.properties.investigator import WorldInvestigator
from tests.properties.watched import PlaceAction, Tracker, WatchedGuard, WatchedHalt, WatchedLedger, WatchedStore
from tests.properties.world import Entry, PlaceFacts, PlaceReaders, World

ASKS_PER_HOUR = 1
HANDOVERS = Handovers(
    {
        alert_class: Handover(priority="P2", custom_fields={"verdict": HandoverFact.VERDICT}, status_update=True)
        for alert_class in AlertClass
    }
)
"""Everything there is to set, for every class."""
DIGESTS = {person: hashlib.sha256(token.encode()).hexdigest() for person, token in TOKENS.items()}


@dataclass
class WatchedDesks:
    """wiring.jobs.Desks; that an event was taken in is noted."""

    desks: Desks
    stage: "Stage"

    def handlers(self) -> Mapping[str, Any]:
        return {**self.desks.handlers(), INBOX: self._take}

    async def given_up(self, name: str, arguments: Mapping[str, Any], error: Exception) -> None:
        await self.desks.given_up(name, arguments, error)

    async def _take(self, row: int) -> None:
        await self.desks.handlers()[INBOX](row=row)
        self.stage.note("heard", (await self.stage.store.inbox(row), self.desks.responder.mode))


@dataclass(frozen=True)
class Parts:
    """What a planted bug may replace: the classes the stage is built of. With `breakers` the agents look at their past as well,
    which holds up much of what the other guards are there for: a bug in those is looked for without.
    """

    ledger: type[WatchedLedger] = WatchedLedger
    store: type[WatchedStore] = WatchedStore
    executor: type[Executor] = Executor
    operator: type[Operator] = Operator
    responder: type[Responder] = Responder
    guard: type[Guard] = Guard
    approvers: type[Approvers] = Approvers
    crowd: type[Crowd] = Crowd
    sweep: type[Sweep] = Sweep
    announcer: type[Announcer] = Announcer
    digests: type[DigestDesk] = DigestDesk
    breakers: bool = False


@dataclass
class Stage:
    """One world, one store, a crowd of workers, and the people around them. Close it after use."""

    parts: Parts = field(default_factory=Parts)
    modes: dict[str, Mode] = field(default_factory=dict)
    bundles: dict[str, str] = field(default_factory=dict)
    freezes: Freezes = field(default_factory=Freezes)
    world: World = field(default_factory=World)
    events: list[IncidentEvent] = field(default_factory=list)
    _ids: int = 0

    def __post_init__(self) -> None:
        self.clock = ManualClock(START)
        self.loop = asyncio.Runner()
        self.store = self.parts.store(self.note)
        self.halt = WatchedHalt(self.note, self.store)
        self.ledger = self.parts.ledger(self.note, halt=self.halt, clock=self.clock.now)
        self.tracker = Tracker(note=self.note)
        self.board = MemoryBoard()
        self.locks = TurnLocks(lambda: self.people().acting)
        self.readers = PlaceReaders(self.world)
        self.investigator = WorldInvestigator(self.world, self.loop)
        self.crowd: Crowd | None = None
        self.crowd = self.parts.crowd(self.store, self.clock, self.hire, left_out=frozenset({JobKind.RECORD}))

    def close(self) -> None:
        """Let go of the private event loop."""
        self.loop.close()

    def note(self, what: str, told: Any) -> None:
        """One more entry of the journal."""
        if what == "opened":
            told = (told, self.store.record_of(told.incident_id))
        who = self.crowd.acting if self.crowd is not None else ""
        self.world.journal.append(Entry(len(self.world.journal), self.clock.now(), who, what, told))

    def new_id(self, prefix: str) -> str:
        """The next id."""
        self._ids += 1
        return f"{prefix}_{self._ids}"

    def hire(self, name: str) -> WatchedDesks:
        """A new process: its own sealing key, the mode and the bundle it was started with."""
        bundle = BUNDLES[self.bundles.get(name, "plain")]
        bundle = replace(bundle, engine=FlakyEngine(bundle.engine, self.world))
        mode, key = self.modes.get(name, Mode.AUTO), self.new_id("key").encode()
        declared = replace(bundle.declared, freezes=self.freezes)
        books = brain.Books(replace(bundle, declared=declared), RUNBOOKS)
        looks = Looks(self.store, self.ledger, self.tracker)
        found = (
            *brain.collectors(books, FixedMode(mode), self.halt, self.ledger, langfuse=False),
            BreakerFacts(looks, declared.blocking) if self.parts.breakers else NoHistory(),
            PlaceFacts(self.world),
        )

        async def facts(context: FactContext) -> Facts:
            await stop("facts")
            answer = self.loop.run(assemble(found, context))
            await stop("facts done")
            return answer

        store, ledger = stepped(self.store, "store"), stepped(self.ledger, "ledger")
        tracker, walk = stepped(self.tracker, "tracker"), Walk(stepped(self.store, "store"), self.clock)
        guard = WatchedGuard(self.parts.guard(bundle, "sre-agent", key), self.world, self.note)
        assessor = Assessor(self.investigator, guard, facts, declared.targets.find, declared.ownership)
        probes = Probes(metrics=self.readers, redis=self.readers, kubernetes=self.readers)
        asked = (walk, tracker, assessor, probes, RUNBOOKS, mode, self.new_id, _own_id)
        responder = self.parts.responder(*asked, place=placing(Teams(declared.people)))
        follow_up = FollowUp(
            walk,
            tracker,
            probes,
            RUNBOOKS,
            declared.ownership,
            handovers=HANDOVERS,
            target_team=assessor.team_of,
        )
        actions = {n: PlaceAction(n, self.world, self.note, self.clock) for n in ("redis_failover", "restart_pod")}
        tools = Tools(Hands(), Readers(), self.clock.sleep)
        operator = self.parts.operator(
            walk=walk,
            tracker=tracker,
            assessor=assessor,
            executor=self.parts.executor(actions, ledger, tools, key, self.clock),
            ledger=ledger,
            halt=stepped(self.halt, "halt"),
            runbooks=RUNBOOKS,
            target_lock=self.locks.target_lock,
            count_approvals=self.parts.approvers(bundle).count,
            new_id=self.new_id,
        )
        asking, recorder = self._announcer(walk, tracker, bundle), Recorder(store, None)
        paging = Paging(walk, MemoryToldAlerts(), Routing(), self.locks.target_lock)
        return WatchedDesks(Desks(store, responder, follow_up, operator, asking, recorder, paging), self)

    def _announcer(self, walk: Walk, tracker: Tracker, bundle: Bundle) -> Announcer:
        """Questions on a board that all processes share; the second within an hour goes into a digest."""
        declared = bundle.declared
        return self.parts.announcer(
            walk=walk,
            board=stepped(self.board, "board"),
            digests=self.parts.digests(walk, tracker, declared.ownership, self.locks.target_lock, ASKS_PER_HOUR),
            runbooks=RUNBOOKS,
            may_approve=lambda request, now: (),
            name_of=str,
            per_hour=ASKS_PER_HOUR,
        )

    # --- the people and systems around the agent ---

    def hear(self, incident_id: str, kind: EventKind, agent: str | None = "PPERSON") -> None:
        """One webhook delivery about an incident."""
        number = len(self.events) + 1
        self.deliver(
            IncidentEvent(
                door="pagerduty",
                kind=kind,
                type_name=f"incident.{kind.value}",
                event_id=f"E{number}",
                delivery_id=f"D{number}",
                incident_id=incident_id,
                occurred_at=self.clock.now() + timedelta(microseconds=number),
                agent_id=agent,
            )
        )

    def deliver(self, event: IncidentEvent) -> None:
        """A delivery, perhaps not the first of its event."""
        self.events.append(event)
        at_once(self.store.accept(event, b"{}", self.clock.now()))

    def answer(self, approval_id: str, person: str, token: str, *, approve: bool) -> None:
        """A person's answer on the command line: a process of its own."""
        bundle = BUNDLES["plain"]
        people = with_tokens(bundle.declared.people, DIGESTS)
        desk = AnswerDesk(Walk(stepped(self.store, "store"), self.clock), Teams(people), self.parts.approvers(bundle))
        self.people().visit(person, desk.answer(approval_id, person, token, approve=approve, reason=""))

    def slip_in(self, approval_id: str, person: str, *, approve: bool) -> None:
        """An answer stored by a door that forgot to ask whether this person may."""

        async def errand() -> None:
            given = Answer(person=person, approve=approve, via="hole", at=self.clock.now())
            question = await stepped(self.store, "store").answer(approval_id, given, self.clock.now())
            await self.people().workers["w1"].desk.desks.responder.answered(question)

        self.people().visit("hole", errand())

    def sweep(self) -> None:
        """A worker's minutely look for silent incidents."""
        self.people().visit("sweep", self.parts.sweep(Walk(stepped(self.store, "store"), self.clock), self.ledger).once())

    def people(self) -> Crowd:
        """The crowd."""
        assert self.crowd is not None
        return self.crowd


async def _own_id() -> str:
    return AGENT_USER
