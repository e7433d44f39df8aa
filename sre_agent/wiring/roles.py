"""Runs the agent: which powers one process gets, and how long it lives.

web receives, worker thinks and tells, hands acts; `all` is the three in one process. Only hands (and all) loads write
credentials and the key that seals permits.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Literal

from sre_agent.adapters.heartbeat import Heartbeat
from sre_agent.adapters.jobs import build_app
from sre_agent.adapters.log import configure
from sre_agent.adapters.postgres.queue import HANDS, WORK
from sre_agent.approval.teams import Teams
from sre_agent.execution.action import Action
from sre_agent.incident.errors import Conflict, SreAgentError, Transient
from sre_agent.policy.bundle import Declared
from sre_agent.response.sweep import Sweep
from sre_agent.response.walk import Walk
from sre_agent.settings import Settings
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import PagePorts, Probe, WebPorts
from sre_agent.wiring import brain, discovery, readers
from sre_agent.wiring.alert_doors import alert_doors
from sre_agent.wiring.board import open_board
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.extension import door_secrets
from sre_agent.wiring.modes import ModeBoard, mode_board
from sre_agent.wiring.pages import page_ports
from sre_agent.wiring.reconcile import reconcile, reconciling
from sre_agent.wiring.redaction import tag_redactions
from sre_agent.wiring.slack import Presses, open_presses
from sre_agent.wiring.state import State, StateOpener, opened_state
from sre_agent.wiring.switch import SwitchDesk
from sre_agent.wiring.walking import Ground, open_everybody, walking
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
            everybody = await stack.enter_async_context(open_everybody(settings, books, state, (tracker, shown_at)))
            desks = await walking(Ground(settings, books, state), everybody, actions)
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
            running += [watch.run(stop), _web(settings, state, shown, books.bundle.declared, (host, port), stop)]
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


async def _web(
    settings: Settings,
    state: State,
    shown: tuple[Metrics, BooksWatch, SwitchDesk, ModeBoard, Presses | None, PagePorts],
    declared: Declared,
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
        entrance=entrance(settings, declared.people, listener),
        slack=SlackDoor(presses.line.take, SystemClock(), metrics, secret) if presses is not None else None,
        doors=alert_doors(settings, declared.ownership),
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
