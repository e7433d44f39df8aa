"""Builds the halves of the walk that a process has: who thinks, who tells and wakes, and, with hands, who acts."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sre_agent.adapters.pagerduty.tracker import PagerDuty
from sre_agent.adapters.tracing import TracedInvestigator, traced_sources
from sre_agent.approval.decide import Approvers
from sre_agent.approval.placing import names_by_address, placing
from sre_agent.approval.teams import Teams
from sre_agent.asking.announce import Announcer
from sre_agent.execution.action import Action
from sre_agent.execution.executor import Executor
from sre_agent.facts.breakers import BreakerFacts, Looks
from sre_agent.handback.board import QuestionBoard
from sre_agent.handback.pager import Pager
from sre_agent.investigation.graph import build_investigator
from sre_agent.policy.guard import Guard
from sre_agent.response.assess import Assessor
from sre_agent.response.every_tracker import EveryTracker
from sre_agent.response.follow_up import FollowUp
from sre_agent.response.known_history import KnownHistory
from sre_agent.response.operate import Operator
from sre_agent.response.paging import Paging
from sre_agent.response.reception import Reception
from sre_agent.response.requester import requester_of
from sre_agent.response.responder import Responder
from sre_agent.response.walk import Walk
from sre_agent.settings import Settings
from sre_agent.wiring import brain, discovery, readers
from sre_agent.wiring.alert_desks import alert_desks
from sre_agent.wiring.board import announcer
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.hands import new_id, tools
from sre_agent.wiring.jobs import Desks
from sre_agent.wiring.modes import earned_modes
from sre_agent.wiring.pager import open_pager
from sre_agent.wiring.readers import Eyes
from sre_agent.wiring.recordings import recorder
from sre_agent.wiring.state import State
from sre_agent.wiring.status_page import status_desk


@dataclass(frozen=True)
class Everybody:
    """Whom one process talks to: PagerDuty, every tracker there is, those who are asked, and those who are woken."""

    pagerduty: PagerDuty
    every: EveryTracker
    asking: Announcer
    pager: Pager


@dataclass(frozen=True)
class Ground:
    """What the walk stands on."""

    settings: Settings
    books: brain.Books
    state: State

    @property
    def walk(self) -> Walk:
        """The store and the clock."""
        return Walk(self.state.store, SystemClock())


@asynccontextmanager
async def open_everybody(
    settings: Settings, books: brain.Books, state: State, told_by: tuple[PagerDuty, QuestionBoard | None]
) -> AsyncIterator[Everybody]:
    """For as long as this is open. `told_by`: PagerDuty, and where questions are shown. ConfigurationError for half a setting."""
    (tracker, shown_at), routing = told_by, books.bundle.declared.ownership
    async with AsyncExitStack() as stack:
        desks = await stack.enter_async_context(alert_desks(settings))
        pager = await stack.enter_async_context(open_pager(settings, routing))
        every = EveryTracker(tracker, state.store, state.told, routing, desks)
        yield Everybody(tracker, every, announcer(settings, books, state, every, shown_at), pager)


async def walking(ground: Ground, people: Everybody, actions: Mapping[str, Action] | None) -> Desks:
    """Responder, follow-up and, where there are `actions`, the operator: it alone shares the guard's sealing key."""
    settings, books, state = ground.settings, ground.books, ground.state
    looking, key = readers.eyes(settings, people.every, books.bundle.declared.targets), secrets.token_bytes(32)
    assessor = await _assessor(ground, looking, books.guard(key), _breakers(ground, people, looking))
    paging = Paging(
        ground.walk, state.told, books.bundle.declared.ownership, state.target_lock, people.pager, settings.public_url or ""
    )
    responder = _responder(ground, people, assessor, looking, paging)
    follow_up = FollowUp(
        ground.walk,
        people.every,
        looking.probes,
        books.runbooks,
        assessor.ownership,
        settings.public_url or "",
        handovers=books.bundle.declared.handovers,
        target_team=assessor.team_of,
        names=names_by_address(books.bundle.declared.people),
        status=status_desk(state, books.bundle.declared.ownership),
    )
    operator = None
    if actions is not None:
        executor = Executor(actions, state.ledger, tools(settings, looking, books.bundle.declared.targets), key, SystemClock())
        operator = Operator(
            walk=ground.walk,
            tracker=people.every,
            assessor=assessor,
            executor=executor,
            ledger=state.ledger,
            halt=state.halt,
            runbooks=books.runbooks,
            target_lock=state.target_lock,
            count_approvals=Approvers(books.bundle).count,
            new_id=new_id,
        )
    return Desks(state.store, responder, follow_up, operator, people.asking, recorder(settings, books, state), paging)


def _responder(ground: Ground, people: Everybody, assessor: Assessor, looking: Eyes, paging: Paging) -> Responder:
    declared, teams = ground.books.bundle.declared, Teams(ground.books.bundle.declared.people)
    return Responder(
        walk=ground.walk,
        tracker=people.every,
        assessor=assessor,
        probes=looking.probes,
        runbooks=ground.books.runbooks,
        mode=ground.settings.mode,
        new_id=new_id,
        own_agent_id=people.pagerduty.own_user_id,
        forget=ground.state.checkpoints.prune,
        requester=partial(requester_of, teams),
        place=placing(teams),
        reception=Reception(ground.walk, ground.state.told, declared.ownership, people.every.desks),
        paging=paging,
    )


def _breakers(ground: Ground, people: Everybody, looking: Eyes) -> BreakerFacts:
    history = KnownHistory(ground.state.plain_store, ground.state.told)
    looks = Looks(history, ground.state.ledger, people.pagerduty, looking.probes.metrics, looking.readers.kubernetes)
    return BreakerFacts(looks, ground.books.bundle.declared.blocking)


async def _assessor(ground: Ground, looking: Eyes, guard: Guard, breakers: BreakerFacts) -> Assessor:
    settings, books, state = ground.settings, ground.books, ground.state
    names, tracer = [s.name for s in looking.sources], brain.tracer(settings)
    investigator = build_investigator(
        traced_sources(looking.sources, tracer),
        discovery.detectors(),
        brain.reasoner(settings, names, tracer),
        tuple(books.runbooks.values()),
        source_deadline_s=settings.source_deadline,
        checkpointer=await state.checkpoints.open(),
    )
    found = (
        *brain.collectors(books, earned_modes(settings, books, state), state.halt, state.ledger, langfuse=looking.langfuse),
        breakers,
        *brain.target_collectors(looking.readers),
    )
    return brain.assessor(books, guard, TracedInvestigator(investigator, tracer), found, timedelta(seconds=settings.lookback))
