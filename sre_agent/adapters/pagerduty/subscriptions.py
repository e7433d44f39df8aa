"""Webhook subscriptions (REST `/webhook_subscriptions`, PagerDuty API reference, "Webhooks"): which events are sent where.

A subscription's signing secret is in the answer that made it and never again. So it is made inactive, and made active only
once its secret is kept: an installation that dies in between leaves nothing behind that sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.adapters.pagerduty.gateway import Gateway
from sre_agent.adapters.pagerduty.transport import Request
from sre_agent.incident.errors import OutcomeUnknown, Permanent
from sre_agent.intake.untrusted import fields, items, pagerduty_id, text

_PATH: Final = "/webhook_subscriptions"
_HEARD: Final = (
    *("triggered", "reopened", "resolved", "acknowledged", "unacknowledged", "escalated"),
    *("reassigned", "delegated", "priority_updated", "service_updated", "annotated"),
)
EVENTS: Final = tuple(f"incident.{name}" for name in _HEARD)
"""What the agent listens to; the lists of incident/event.py in PagerDuty's names."""

DESCRIPTION: Final = "sre-agent"
UNFINISHED: Final = "sre-agent (installation not finished)"
"""Description of one whose secret is not kept yet: nobody holds it if it is still there later."""


class Reach(StrEnum):
    """Whose events a subscription gets."""

    SERVICE = "service"
    TEAM = "team"
    ACCOUNT = "account"


@dataclass(frozen=True)
class Scope:
    """One service or team by its id, or the whole account (id "")."""

    reach: Reach
    id: str = ""

    def __str__(self) -> str:
        return f"{self.reach.value} {self.id}".strip()


@dataclass(frozen=True)
class Subscription:
    """One as PagerDuty lists it. `events` may hold types that are not known here."""

    id: str
    url: str
    scope: Scope | None
    description: str = ""
    events: frozenset[str] = frozenset()
    active: bool = True
    disabled: bool = False

    @property
    def unfinished(self) -> bool:
        """Left behind by an installation that ended before its secret was kept."""
        return not self.active and self.description == UNFINISHED


def made(url: str, scope: Scope) -> Request:
    """The request that makes one, inactive."""
    reference = {"type": f"{scope.reach.value}_reference"} | ({"id": scope.id} if scope.id else {})
    body = {
        "type": "webhook_subscription",
        "description": UNFINISHED,
        "active": False,
        "delivery_method": {"type": "http_delivery_method", "url": url},
        "events": list(EVENTS),
        "filter": reference,
    }
    return Request("POST", _PATH, body={"webhook_subscription": body})


def activated(subscription: str, events: frozenset[str] = frozenset()) -> Request:
    """The request that makes one send, what the agent listens to and `events` that it sent before."""
    body = {"description": DESCRIPTION, "active": True, "events": sorted({*EVENTS, *events})}
    return Request("PUT", f"{_PATH}/{subscription}", body={"webhook_subscription": body})


def enabled(subscription: str) -> Request:
    """The request that ends a temporary disablement."""
    return Request("POST", f"{_PATH}/{subscription}/enable")


def pinged(subscription: str) -> Request:
    """The request for a test delivery."""
    return Request("POST", f"{_PATH}/{subscription}/ping")


def removed(subscription: str) -> Request:
    """The request that deletes one."""
    return Request("DELETE", f"{_PATH}/{subscription}")


class Subscriptions:
    """The account's webhook subscriptions. Raises what the gateway raises; NotAvailable without the right to them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def listed(self, scope: Scope | None = None) -> tuple[Subscription, ...]:
        """Those of one scope (None: every one that the key may see), in PagerDuty's order."""
        params: dict[str, str | list[str]] = {}
        if scope is not None:
            params = {"filter_type": scope.reach.value, **({"filter_id": scope.id} if scope.id else {})}
        shapes = await self._gateway.pages(_PATH, "webhook_subscriptions", params)
        read = [found for shape in shapes if (found := _subscription(shape)) is not None]
        # Asked of the answer as well: a filter that is not understood would list everything.
        return tuple(s for s in read if scope is None or s.scope == scope)

    async def name(self, scope: Scope) -> str | None:
        """What people call a service or team; None for an account, or where the key may not look. NotFound: no such id."""
        if scope.reach is Reach.ACCOUNT:
            return None
        try:
            answer = await self._gateway.get(f"/{scope.reach.value}s/{_checked(scope.id, scope.reach.value)}")
        except NotAvailable:
            return None
        return text(fields(answer.get(scope.reach.value)).get("name"), 200) or None

    async def make(self, url: str, scope: Scope) -> tuple[Subscription, str]:
        """A new one, inactive, and its secret. OutcomeUnknown: it may be there, and its secret is lost."""
        answer = fields((await self.send(made(url, scope))).get("webhook_subscription"))
        found, secret = _subscription(answer), fields(answer.get("delivery_method")).get("secret")
        if found is None:
            raise OutcomeUnknown("PagerDuty: POST /webhook_subscriptions: the answer names no subscription")
        if not isinstance(secret, str) or not secret.strip():
            await self.remove(found.id)
            raise Permanent(
                "PagerDuty: POST /webhook_subscriptions: the answer holds no secret; the subscription was removed again"
            )
        return found, secret

    async def remove(self, subscription: str) -> bool:
        """Delete one; False when it was gone already."""
        try:
            await self.send(removed(subscription))
        except NotFound:
            return False
        except OutcomeUnknown:
            await self.send(removed(subscription)) if await self._there(subscription) else None
        return True

    async def send(self, request: Request) -> Mapping[str, object]:
        """Carry out one of the requests above, once."""
        return await self._gateway.write(request.method, request.path, request.body)

    async def aclose(self) -> None:
        """Close threads and connections."""
        await self._gateway.aclose()

    async def _there(self, subscription: str) -> bool:
        try:
            await self._gateway.get(f"{_PATH}/{_checked(subscription, 'webhook subscription')}")
        except NotFound:
            return False
        return True


def _subscription(shape: object) -> Subscription | None:
    """One of PagerDuty's objects; None without an id."""
    found = fields(shape)
    identity, method = pagerduty_id(found.get("id")), fields(found.get("delivery_method"))
    if identity is None:
        return None
    return Subscription(
        id=identity,
        url=text(method.get("url"), 2048),
        scope=_scope(fields(found.get("filter"))),
        description=text(found.get("description"), 1024),
        events=frozenset(text(event, 100) for event in items(found.get("events"))),
        active=found.get("active") is not False,
        disabled=method.get("temporarily_disabled") is True,
    )


def _scope(shape: Mapping[str, object]) -> Scope | None:
    """None for a kind of filter that is not known here."""
    name = text(shape.get("type"), 60).removesuffix("_reference")
    if name not in set(Reach):
        return None
    return Scope(Reach(name), "" if name == Reach.ACCOUNT else text(shape.get("id"), 100))


def _checked(identity: str, what: str) -> str:
    if pagerduty_id(identity) is None:
        raise Permanent(f"{identity[:60]!r} is not the id of a PagerDuty {what} (5 to 20 upper-case letters and digits)")
    return identity
