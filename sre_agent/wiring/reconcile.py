"""Compares open incidents with PagerDuty at start and every few minutes: which of them are ours, and when."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.adapters.pagerduty.failure import NotAvailable
from sre_agent.adapters.pagerduty.subscriptions import Reach, Subscription, Subscriptions
from sre_agent.adapters.pagerduty.tracker import PagerDuty
from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import OpenIncident
from sre_agent.policy.facts import Mode
from sre_agent.response.reconcile import Reconcile
from sre_agent.response.store import IncidentHistory
from sre_agent.response.walk import Walk
from sre_agent.settings import Settings
from sre_agent.web.metrics import Metrics
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.extension import door_secrets
from sre_agent.wiring.extension_plan import DOOR, same_address
from sre_agent.wiring.state import State

HEARD_WITHIN = timedelta(days=30)
MOST_HEARD = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """What is sent here, by the subscriptions that are ours: those whose secret is held, that were heard of lately, or that
    send to this agent's public address. The rest of the account is other people's.
    """

    tracker: PagerDuty
    history: IncidentHistory
    secrets: Mapping[str, str]
    public_url: str | None

    async def open_since(self, since: datetime) -> tuple[OpenIncident, ...] | None:
        """Everything open there that is sent here; None where the key may not read subscriptions."""
        try:
            listed = await Subscriptions(self.tracker.gateway).listed()
        except NotAvailable as denied:
            _log.warning("reconcile_scope_unknown", extra={"reason": str(denied)})
            return None
        ours = await self._ours(listed)
        for s in (s for s in ours if s.disabled):
            _log.warning("subscription_disabled", extra={"subscription": s.id, "advice": "sre-agent pagerduty install enables it"})
        scopes = {s.scope for s in ours if s.active and s.scope is not None}
        if any(s.reach is Reach.ACCOUNT for s in scopes):
            return await self.tracker.open_incidents(since)
        services = tuple(sorted(s.id for s in scopes if s.reach is Reach.SERVICE))
        teams = tuple(sorted(s.id for s in scopes if s.reach is Reach.TEAM))
        found = await self.tracker.open_incidents(since, services=services) if services else ()
        found += await self.tracker.open_incidents(since, teams=teams) if teams else ()
        return tuple({i.id: i for i in found}.values())

    async def _ours(self, listed: tuple[Subscription, ...]) -> tuple[Subscription, ...]:
        heard = await self.history.heard(SystemClock().now() - HEARD_WITHIN, MOST_HEARD)
        known = {*self.secrets, *(e.subscription_id for e in heard)} - {""}
        here = f"{self.public_url}{DOOR}" if self.public_url else ""
        return tuple(s for s in listed if s.id in known or (here and same_address(s.url, here)))


def reconcile(settings: Settings, state: State, tracker: PagerDuty) -> Reconcile:
    """One pass over the configured account."""
    listening = Listening(tracker, state.plain_store, door_secrets(settings), settings.public_url)
    walk = Walk(state.store, SystemClock())
    return Reconcile(walk, state.plain_store, listening.open_since, tracker.standing, state.plain_store.installed_at)


async def reconciling(settings: Settings, one: Reconcile, metrics: Metrics, stop: asyncio.Event) -> None:
    """Pass after pass until told to stop. What fails is told, and looked at again the next time. Mode off looks at nothing."""
    while not stop.is_set() and settings.mode is not Mode.OFF:
        try:
            found = await _unless_stopped(one, stop)
        except SreAgentError as failed:
            _log.warning("reconcile_failed", extra={"reason": str(failed)})
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
        else:
            metrics.reconciled(found, SystemClock().now())
            if found:
                _log.warning("deliveries_missed", extra={"found": {kind.value: n for kind, n in found.items()}})
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), settings.reconcile_every)


async def _unless_stopped(one: Reconcile, stop: asyncio.Event) -> Counter[EventKind]:
    """A pass, given up when told to stop: it holds nothing, and a drain is not kept waiting by a PagerDuty that hangs."""
    work, told = asyncio.create_task(one.once()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        if not work.done():
            work.cancel()
    return await work
