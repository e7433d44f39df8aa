"""The account as `sre-agent doctor` looks at it: who the key is, what it may read, and where webhooks go. GET only.

Source: PagerDuty REST API reference, "Users: get the current user" (user keys only: an account's key is answered with 400),
"Webhooks: list webhook subscriptions".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound, failure
from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.subscriptions import Subscription, Subscriptions
from sre_agent.adapters.pagerduty.transport import Answer, Credentials, PdpyrasTransport, Request
from sre_agent.incident.errors import ConfigurationError, Permanent, SreAgentError
from sre_agent.intake.untrusted import fields, pagerduty_id, text

READABLE: Final[Mapping[str, str]] = {
    "incidents": "/incidents",
    "services": "/services",
    "users": "/users",
    "escalation policies": "/escalation_policies",
    "change events": "/change_events",
    "priorities": "/priorities",
    "who is on call": "/oncalls",
    "webhook subscriptions": "/webhook_subscriptions",
}
"""What the agent reads, by what it is called, and where it is listed."""


@dataclass(frozen=True)
class PagerDutyUser:
    """A user. `role` is PagerDuty's own word: "admin", "user" (a manager), "limited_user" (a responder), "observer", ..."""

    id: str
    name: str
    email: str
    role: str


class PagerDutyAccount:
    """Each method is one question. Raises Transient, Permanent, and ConfigurationError for a key that is not accepted."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def aclose(self) -> None:
        """Close threads and connections."""
        await self._gateway.aclose()

    async def me(self) -> PagerDutyUser | None:
        """The user that the key belongs to; None for a key of the whole account."""
        answer = await self._asked("/users/me")
        if answer.status == 400:
            # PagerDuty says this to a key without a user, and only to one that it accepts.
            return None
        return _user(self._read("/users/me", answer).get("user"))

    async def user(self, email: str) -> PagerDutyUser | None:
        """The user with this e-mail; None when nobody has it."""
        listed = await self._gateway.pages("/users", "users", {"query": email})
        found = (_user(raw) for raw in listed)
        return next((u for u in found if u is not None and u.email.casefold() == email.strip().casefold()), None)

    async def unreadable(self, what: str) -> str:
        """Why the key cannot list `what` (a key of READABLE); "" when it can. Raises Transient when that is not known."""
        path = READABLE[what]
        answer = await self._asked(path, {"limit": "1"})
        try:
            self._read(path, answer)
        except (NotAvailable, NotFound, Permanent) as error:
            return str(error)
        return ""

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Every webhook subscription that the key can see."""
        return await Subscriptions(self._gateway).listed()

    async def lacks_policy(self, identity: str) -> str:
        """Why an escalation policy cannot be handed to; "" when it exists."""
        if pagerduty_id(identity) is None:
            return "not an id of PagerDuty"
        path = f"/escalation_policies/{identity}"
        try:
            found = fields(self._read(path, await self._asked(path)).get("escalation_policy"))
        except NotFound:
            return "there is none with this id"
        return "" if found.get("id") == identity else "PagerDuty answered with something else"

    async def clock(self) -> datetime | None:
        """PagerDuty's time, in whole seconds, by the Date header of an answer; None when there is none."""
        answer = await self._asked("/users", {"limit": "1"})
        try:
            at = parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            return None
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    async def _asked(self, path: str, params: Mapping[str, str | list[str]] | None = None) -> Answer:
        return await self._gateway.look(path, params)

    def _read(self, path: str, answer: Answer) -> dict[str, object]:
        if 200 <= answer.status < 300 and isinstance(answer.content, dict):
            return answer.content
        if 200 <= answer.status < 300:
            raise Permanent(f"PagerDuty: GET {path}: the answer is not PagerDuty's (a proxy or a sign-in page?)")
        problem: SreAgentError = failure(Request("GET", path), answer)
        raise problem


def account(token: str, api_url: str, deadline_s: float) -> PagerDutyAccount:
    """The account over a real connection. Raises ConfigurationError for a key or URL that cannot work."""
    if not api_url:
        raise ConfigurationError("PAGERDUTY_API_URL is empty")
    credentials = Credentials(token=token, from_email="", api_url=api_url)
    transport = PdpyrasTransport(credentials, (min(3.0, deadline_s), deadline_s))
    return PagerDutyAccount(Gateway(transport, patience=Patience(deadline_s=deadline_s, attempts=2), workers=8))


def _user(raw: object) -> PagerDutyUser | None:
    shape = fields(raw)
    identity = pagerduty_id(shape.get("id"))
    if identity is None:
        return None
    return PagerDutyUser(identity, text(shape.get("name"), 100), text(shape.get("email"), 320), text(shape.get("role"), 40))
