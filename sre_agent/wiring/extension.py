"""Installs, rotates and removes the PagerDuty extension: a webhook subscription whose secret this agent holds.

The order is what keeps it safe: a place for the secret, the subscription (inactive), its secret on disk, and only then
active. Whatever dies in between, there is never an active subscription whose secret nobody has.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from sre_agent.adapters.pagerduty import subscriptions as calls
from sre_agent.adapters.pagerduty.failure import LimitReached, NotAvailable, NotFound
from sre_agent.adapters.pagerduty.gateway import Gateway
from sre_agent.adapters.pagerduty.subscriptions import Scope, Subscription, Subscriptions
from sre_agent.adapters.pagerduty.transport import Credentials, PdpyrasTransport, Request
from sre_agent.adapters.webhook_secrets import SecretsFile, WatchedSecrets
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, SreAgentError, Transient
from sre_agent.settings import Settings
from sre_agent.wiring.extension_plan import Place, Plan, checked_url, planned, same_address
from sre_agent.wiring.state import opened_state

FILE: Final = "pagerduty-webhook-secrets.json"
IN_FLIGHT_S: Final = 5.0
"""How long PagerDuty waits for an answer: what a removed subscription sent last is still answered within it."""

LOOK_EVERY_S: Final = 0.2
_NO_RIGHT: Final = "webhook subscriptions take a key of a manager (one service or team) or of an admin or owner (the account)"

Tell = Callable[[str], None]


class Arrivals(Protocol):
    """What the doors of this agent wrote into its database."""

    async def newest(self) -> int:
        """The number of the newest row; 0 when there is none."""
        ...

    async def pinged(self, subscription: str, after: int) -> bool:
        """Whether a test delivery of this subscription was kept in a row after that one."""
        ...


@dataclass(frozen=True)
class Extension:
    """`arrivals` None: nobody waits for test deliveries. `configured` are secrets from the settings, which no file holds."""

    subscriptions: Subscriptions
    file: SecretsFile
    configured: dict[str, str] = field(repr=False)
    tell: Tell
    arrivals: Arrivals | None = None
    wait_s: float = 30.0
    in_flight_s: float = IN_FLIGHT_S

    async def install(self, place: Place, *, recreate: bool = False) -> bool:
        """Make it be there and send; True when its test delivery arrived, or nobody waits. Raises Refused, Permanent, Transient."""
        plan = await self._plan(place, recreate=recreate)
        for other in plan.beside:
            self.tell(f"beside it, {other.id} sends to the same address: events arrive twice and count once")
        if plan.keep is not None:
            await self._clear(plan.remove)
            await self._revive(plan)
            return await self._proved(plan.keep.id)
        try:
            fresh = await self._make(place)
        except LimitReached as full:
            if not plan.remove:
                raise Permanent(f"{full}: PagerDuty allows ten for {place.scope}; remove one that nobody uses") from full
            await self._clear(plan.remove)
            fresh, plan = await self._make(place), replace(plan, remove=())
        await self._activate(fresh)
        await self._clear(plan.remove)
        return await self._proved(fresh)

    async def rotate(self, place: Place) -> bool:
        """A second subscription, proved, before the first goes: no delivery is lost. False: not proved, all is as it was."""
        found = await self._there(place)
        left_behind = tuple(s for s in found if s.unfinished and s.id not in self._held())
        old = tuple(s for s in found if s not in left_behind)
        if not old:
            raise Permanent(f"no subscription of {place.scope} sends to {place.url}; `sre-agent pagerduty install` makes one")
        await self._clear(left_behind)
        try:
            fresh = await self._make(place)
        except LimitReached as full:
            raise Permanent(f"{full}: rotating takes a second one for a moment; remove one that nobody uses first") from full
        await self._activate(fresh)
        if not await self._proved(fresh):
            await self._clear((Subscription(fresh, place.url, place.scope),))
            self.tell("the new subscription was removed again; the old one and its secret are as they were")
            return False
        await self._clear(old)
        if "" in self.configured:
            self.tell("PAGERDUTY_WEBHOOK_SECRET still accepts deliveries of any subscription: unset it and restart the agent")
        if named := sorted({s.id for s in old} & self.configured.keys()):
            self.tell(f"PAGERDUTY_WEBHOOK_SECRETS still holds the secret of {', '.join(named)}: take it out and restart the agent")
        return True

    async def uninstall(self, place: Place) -> int:
        """Remove every subscription of the scope on the URL, and its secret; how many there were."""
        found = await self._there(place)
        await self._clear(found)
        return len(found)

    async def preview(self, place: Place, verb: str, *, recreate: bool = False) -> None:
        """Tell the requests that `verb` would send. Reads; changes nothing."""
        if verb == "install":
            plan = await self._plan(place, recreate=recreate)
        else:
            plan = Plan(None, remove=tuple(await self._there(place)))
        for request in _requests(plan, place, verb):
            body = "" if request.body is None else f"\n{json.dumps(request.body, indent=2)}"
            self.tell(f"would send {request.method} {request.path}{body}")
        self.tell("nothing was changed")

    async def listed(self) -> tuple[tuple[Subscription, bool], ...]:
        """Every subscription that the key may see, and whether its secret is held here."""
        held = self._held()
        try:
            return tuple((s, s.id in held) for s in await self.subscriptions.listed())
        except NotAvailable as denied:
            raise Permanent(f"{denied}; {_NO_RIGHT}") from denied

    def _held(self) -> dict[str, str]:
        return {**self.file.read(), **self.configured}

    async def _plan(self, place: Place, *, recreate: bool) -> Plan:
        return planned(await self._there(place), place, self._held(), recreate=recreate)

    async def _there(self, place: Place) -> tuple[Subscription, ...]:
        """Every subscription of the scope on the URL."""
        try:
            name = await self.subscriptions.name(place.scope)
            listed = await self.subscriptions.listed(place.scope)
        except NotFound as unknown:
            raise Permanent(f"{unknown}; the id of a {place.scope.reach} stands at the end of its page's address") from unknown
        except NotAvailable as denied:
            raise Permanent(f"{denied}; {_NO_RIGHT}") from denied
        self.tell(f"{place.scope}{f' ({name})' if name else ''}, {place.url}")
        return tuple(s for s in listed if same_address(s.url, place.url))

    async def _make(self, place: Place) -> str:
        """A new subscription, inactive, its secret kept. Its id."""
        # INVARIANT: the secret is shown once; its place is proved before, and it is on disk before anything else can fail.
        self.file.ready()
        before = {s.id for s in await self.subscriptions.listed(place.scope)}
        try:
            fresh, secret = await self.subscriptions.make(place.url, place.scope)
        except OutcomeUnknown as unknown:
            await self._lost(place, before)
            raise Transient(f"{unknown}; what it may have made is removed again: run the command once more") from unknown
        except NotAvailable as denied:
            raise Permanent(f"{denied}; {_NO_RIGHT}") from denied
        try:
            self.file.keep(fresh.id, secret)
        except ConfigurationError as unkept:
            await self._undo(fresh.id, unkept)
            raise
        self.tell(f"made {fresh.id}; its secret is in {self.file.path}")
        return fresh.id

    async def _lost(self, place: Place, before: set[str]) -> None:
        """No answer came: what is new, inactive and unfinished on our URL is what was asked for, and its secret is lost."""
        for s in await self.subscriptions.listed(place.scope):
            if s.unfinished and s.id not in before and same_address(s.url, place.url):
                await self.subscriptions.remove(s.id)

    async def _undo(self, subscription: str, why: ConfigurationError) -> None:
        try:
            await self.subscriptions.remove(subscription)
        except SreAgentError as failed:
            left = f"subscription {subscription} is left behind, inactive, and could not be removed: {failed}"
            raise Permanent(f"{why}; {left}; the next installation removes it") from why

    async def _activate(self, subscription: str, events: frozenset[str] = frozenset()) -> None:
        await self._surely(calls.activated(subscription, events))
        self.tell(f"{subscription} is active")

    async def _revive(self, plan: Plan) -> None:
        """What was switched off, disabled or listens to too little is set right."""
        if plan.keep is None:
            return
        self.tell(f"{plan.keep.id} is there, and its secret is held here")
        if plan.to_activate:
            await self._activate(plan.keep.id, plan.keep.events)
        if plan.keep.disabled:
            await self._surely(calls.enabled(plan.keep.id))
            self.tell(f"{plan.keep.id} was disabled by PagerDuty after deliveries it dropped, and is enabled again")

    async def _clear(self, old: tuple[Subscription, ...]) -> None:
        """Remove subscriptions; their secrets are good until nothing can be on its way any more."""
        for s in old:
            gone = await self.subscriptions.remove(s.id)
            self.tell(f"removed {s.id}" if gone else f"{s.id} was gone already")
        if held := [s.id for s in old if s.id in self.file.read()]:
            await asyncio.sleep(self.in_flight_s)
            self.file.forget(*held)

    async def _surely(self, request: Request) -> None:
        """A request that may be sent twice: an answer that was lost is asked for again."""
        try:
            await self.subscriptions.send(request)
        except OutcomeUnknown:
            await self.subscriptions.send(request)

    async def _proved(self, subscription: str) -> bool:
        """Ping it, and wait until our own door has kept the ping."""
        if self.arrivals is None:
            return True
        newest = await self.arrivals.newest()
        await self._surely(calls.pinged(subscription))
        self.tell(f"pinged {subscription}; waiting up to {self.wait_s:g} s for the ping to arrive")
        loop = asyncio.get_running_loop()
        until = loop.time() + self.wait_s
        while not await self.arrivals.pinged(subscription, newest):
            if loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        self.tell("the ping arrived")
        return True


def _requests(plan: Plan, place: Place, verb: str) -> tuple[Request, ...]:
    """What would be sent, in order."""
    gone = tuple(calls.removed(s.id) for s in plan.remove)
    if verb == "uninstall":
        return gone
    if plan.keep is None:
        return (calls.made(place.url, place.scope), calls.activated("{id}"), *gone, calls.pinged("{id}"))
    again = (calls.activated(plan.keep.id, plan.keep.events),) if plan.to_activate else ()
    waking = (calls.enabled(plan.keep.id),) if plan.keep.disabled else ()
    return (*gone, *again, *waking, calls.pinged(plan.keep.id))


def secrets_file(settings: Settings) -> SecretsFile:
    """Where this agent keeps webhook secrets."""
    return SecretsFile(settings.webhook_secrets_file or settings.data_dir / FILE)


def door_secrets(settings: Settings) -> WatchedSecrets:
    """What the doors check deliveries with: the settings' secrets and the file's, also when it changes."""
    return WatchedSecrets(secrets_file(settings), settings.webhook_secrets)


def place_of(settings: Settings, url: str, scope: Scope) -> Place:
    """The place of an installation. Raises ConfigurationError for a URL that PagerDuty cannot send to."""
    host = urlsplit(settings.pagerduty_api_url or "").hostname
    return Place(checked_url(url, local=host in ("127.0.0.1", "::1", "localhost")), scope)


@asynccontextmanager
async def open_extension(settings: Settings, tell: Tell, *, wait_s: float, secret_out: Path | None) -> AsyncIterator[Extension]:
    """The extension of the configured account; with `wait_s` 0 the database is not needed. Raises ConfigurationError."""
    if settings.pagerduty_api_token is None:
        raise ConfigurationError("PAGERDUTY_API_TOKEN is needed: subscriptions are made over PagerDuty's REST API")
    token, url = settings.pagerduty_api_token.get_secret_value(), settings.pagerduty_api_url or ""
    async with AsyncExitStack() as stack:
        credentials = Credentials(token=token, from_email=settings.pagerduty_from_email or "", api_url=url)
        subscriptions = Subscriptions(Gateway(PdpyrasTransport(credentials)))
        stack.push_async_callback(subscriptions.aclose)
        arrivals = (await stack.enter_async_context(opened_state(settings))).plain_store.arrivals if wait_s > 0 else None
        if arrivals is not None:
            await arrivals.newest()  # a database that is away or has no tables is told before anything is made
        file = SecretsFile(secret_out) if secret_out else secrets_file(settings)
        yield Extension(subscriptions, file, settings.webhook_secrets, tell, arrivals, wait_s)
