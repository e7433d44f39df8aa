"""Runs the agent: which powers one process gets, and how long it lives.

web receives, worker thinks and tells, hands acts; `all` is the three in one process. Only hands (and all) loads write
credentials and the key that seals permits.
"""

import asyncio
import logging
import secrets
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from sre_agent.adapters.heartbeat import Heartbeat
from sre_agent.adapters.jobs import build_app
from sre_agent.adapters.log import configure
from sre_agent.adapters.pagerduty.tracker import PagerDuty
from sre_agent.adapters.postgres.queue import HANDS, WORK
from sre_agent.adapters.tracing import TracedInvestigator, traced_sources
from sre_agent.approval.decide import Approvers
from sre_agent.approval.placing import names_by_address, placing
from sre_agent.approval.teams import Teams
from sre_agent.asking.announce import Announcer
from sre_agent.execution.action import Action
from sre_agent.execution.executor import Executor
from sre_agent.facts.breakers import BreakerFacts, Looks
from sre_agent.incident.errors import Conflict, SreAgentError, Transient
from sre_agent.investigation.graph import build_investigator
from sre_agent.policy.guard import Guard
from sre_agent.policy.people import People
from sre_agent.response.assess import Assessor
from sre_agent.response.follow_up import FollowUp
from sre_agent.response.operate import Operator
from sre_agent.response.requester import requester_of
from sre_agent.response.responder import Responder
from sre_agent.response.sweep import Sweep
from sre_agent.response.walk import Walk
from sre_agent.settings import Settings
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import PagePorts, Probe, WebPorts
from sre_agent.wiring import brain, discovery, readers
from sre_agent.wiring.board import announcer, open_board
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.extension import door_secrets
from sre_agent.wiring.hands import new_id, tools
from sre_agent.wiring.jobs import Desks
from sre_agent.wiring.modes import ModeBoard, earned_modes, mode_board
from sre_agent.wiring.pages import page_ports
from sre_agent.wiring.readers import Eyes
from sre_agent.wiring.reconcile import reconcile, reconciling
from sre_agent.wiring.recordings import recorder
from sre_agent.wiring.redaction import tag_redactions
from sre_agent.wiring.slack import Presses, open_presses
from sre_agent.wiring.state import State, StateOpener, opened_state
from sre_agent.wiring.switch import SwitchDesk
from sre_agent.wiring.watch import BooksWatch

Role = Literal["all", "web", "worker", "hands"]
SWEEP_EVERY_S = 60.0
_log = logging.getLogger(__name__)
QUEUES: dict[Role, tuple[str, ...]] = {"all": (WORK, HANDS), "web": (), "worker": (WORK,), "hands": (HANDS,)}


@dataclass(frozen=True)
class Parts:
    """What another entry point than `sre-agent serve` may bring of its own: the fault tests' one dies at a named moment."""

    opened: StateOpener = opened_state
    actions: Callable[[], Mapping[str, Action]] = discovery.actions


async def run_roles(settings: Settings, role: Role, host: str, port: int, stop: asyncio.Event, parts: Parts | None = None) -> None:
    """Run until `stop`; then drain. Raises ConfigurationError before anything starts when something is missing."""
    parts = parts or Parts()
    configure(settings.log_level.value, sys.stderr)
    tag_redactions(settings)
    books = brain.load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir)
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        # Before the database is started: a missing token is told at once, and leaves nothing running behind.
        tracker = readers.tracker(settings) if QUEUES[role] else None
        shown_at = await stack.enter_async_context(open_board(settings)) if QUEUES[role] else None
        state = await stack.enter_async_context(parts.opened(settings, (metrics.observe,), migrated=True))
        await _enter(state, acting=HANDS in QUEUES[role])
        running: list[Coroutine[Any, Any, None]] = []
        if tracker is not None:
            stack.push_async_callback(tracker.aclose)
            actions = parts.actions() if HANDS in QUEUES[role] else None
            asking = announcer(settings, books, state, tracker, shown_at)
            desks = await _desks(settings, books, state, (tracker, asking), actions)
            jobs = build_app(state.url, desks.handlers(), given_up=desks.given_up, concurrency=settings.worker_concurrency)
            running.append(jobs.run_worker(QUEUES[role], stop))
        if WORK in QUEUES[role]:
            running.append(_sweeping(Sweep(Walk(state.store, SystemClock()), state.ledger), stop))
        if WORK in QUEUES[role] and tracker is not None:
            running.append(reconciling(settings, reconcile(settings, state, tracker), metrics, stop))
        if role in ("all", "web"):
            watch = BooksWatch(settings, books, metrics)
            desk = SwitchDesk(state.halt, SystemClock(), Teams(books.bundle.declared.people))
            presses = await stack.enter_async_context(open_presses(settings, books.bundle, state.store, metrics.pressed))
            if presses is not None and presses.socket is not None:
                running.append(presses.socket.run(stop))
            shown = (metrics, watch, desk, mode_board(settings, books, state), presses, page_ports(state, books))
            running += [watch.run(stop), _web(settings, state, shown, books.bundle.declared.people, (host, port), stop)]
        beat = Heartbeat(settings.heartbeat_url, lambda: _unwell(state), metrics.beat, SystemClock())
        await _together([*running, beat.run(stop)], stop)


async def _enter(state: State, *, acting: bool) -> None:
    """After an upgrade the kill switch is engaged here, and where hands find the audit chain broken. A database without our
    tables stops the start; one that is away for a while does not: the door then answers 503, and to a program of another
    version the switch is engaged anyway.
    """
    with suppress(Transient):
        told = await state.halt.entered()
        broken = await state.plain_store.audit_break() if acting else None
        if broken is not None:
            told = await state.halt.distrust(broken, SystemClock().now())
        if told.engaged:
            _log.warning("halt_in_force", extra={"by": told.by, "reason": told.reason, "cause": told.cause.value})


async def _sweeping(sweep: Sweep, stop: asyncio.Event) -> None:
    """Look for silent incidents every minute, whatever the database does meanwhile."""
    while not stop.is_set():
        with suppress(Transient, Conflict):
            await sweep.once()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SWEEP_EVERY_S)


async def _together(running: Sequence[Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
    """Run everything until told to stop; when one part fails, stop the others and raise what it raised."""
    tasks = [asyncio.create_task(r) for r in running]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    stop.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _desks(
    settings: Settings,
    books: brain.Books,
    state: State,
    people: tuple[PagerDuty, Announcer],
    actions: Mapping[str, Action] | None,
) -> Desks:
    """Responder, follow-up and, where there are `actions`, the operator: it alone shares the guard's sealing key."""
    tracker, asking = people
    clock, looking, key = SystemClock(), readers.eyes(settings, tracker, books.bundle.declared.targets), secrets.token_bytes(32)
    guard = books.guard(key)
    looks = Looks(state.plain_store, state.ledger, tracker, looking.probes.metrics, looking.readers.kubernetes)
    assessor = await _assessor(settings, books, state, looking, guard, BreakerFacts(looks, books.bundle.declared.blocking))
    walk = Walk(state.store, clock)
    responder = Responder(
        walk=walk,
        tracker=tracker,
        assessor=assessor,
        probes=looking.probes,
        runbooks=books.runbooks,
        mode=settings.mode,
        new_id=new_id,
        own_agent_id=tracker.own_user_id,
        forget=state.checkpoints.prune,
        requester=partial(requester_of, Teams(books.bundle.declared.people)),
        place=placing(Teams(books.bundle.declared.people)),
    )
    follow_up = FollowUp(
        walk,
        tracker,
        looking.probes,
        books.runbooks,
        assessor.ownership,
        settings.public_url or "",
        handovers=books.bundle.declared.handovers,
        target_team=assessor.team_of,
        names=names_by_address(books.bundle.declared.people),
    )
    operator = None
    if actions is not None:
        operator = Operator(
            walk=walk,
            tracker=tracker,
            assessor=assessor,
            executor=Executor(actions, state.ledger, tools(settings, looking, books.bundle.declared.targets), key, clock),
            ledger=state.ledger,
            halt=state.halt,
            runbooks=books.runbooks,
            target_lock=state.target_lock,
            count_approvals=Approvers(books.bundle).count,
            new_id=new_id,
        )
    return Desks(state.store, responder, follow_up, operator, asking, recorder(settings, books, state))


async def _assessor(
    settings: Settings, books: brain.Books, state: State, looking: Eyes, guard: Guard, breakers: BreakerFacts
) -> Assessor:
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


async def _web(
    settings: Settings,
    state: State,
    shown: tuple[Metrics, BooksWatch, SwitchDesk, ModeBoard, Presses | None, PagePorts],
    people: People,
    address: tuple[str, int],
    stop: asyncio.Event,
) -> None:
    # Imported here: workers and hands need no web framework.
    from sre_agent.web.app import create_app
    from sre_agent.web.server import listen, serve
    from sre_agent.web.slack import SlackDoor
    from sre_agent.wiring.sign_in import entrance

    (metrics, watch, desk, board, presses, pages), secrets_held = shown, door_secrets(settings)
    listener = listen(*address)
    secret = settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    notes = [Probe("policies", watch.note), Probe("webhook secrets", secrets_held.note)]
    if presses is not None and presses.socket is not None:
        notes.append(Probe("slack", presses.socket.note))
    ports = WebPorts(
        store=state.store,
        clock=SystemClock(),
        metrics=metrics,
        pagerduty_secrets=secrets_held,
        pagerduty_action_token=settings.pagerduty_action_token.get_secret_value() if settings.pagerduty_action_token else "",
        probes=(Probe("database", lambda: _unwell(state)),),
        notes=tuple(notes),
        switch=desk,
        modes=board,
        entrance=entrance(settings, people, listener),
        slack=SlackDoor(presses.line.take, SystemClock(), metrics, secret) if presses is not None else None,
        pages=pages,
    )
    await serve(create_app(ports), listener, stop)


async def _unwell(state: State) -> str | None:
    """What is wrong with the database and its tables; None when they answer."""
    try:
        await state.halt.state()
    except SreAgentError as failed:
        return str(failed)
    return None
