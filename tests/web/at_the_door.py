"""A door with nothing behind it but an app that writes down who reached it, and browsers to come to it with."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from sre_agent.approval.teams import Person, Teams
from sre_agent.policy.people import People
from sre_agent.testing.oidc import CLIENT, SECRET, OidcIssuer
from sre_agent.web.entrance import Entrance, Proxies
from sre_agent.web.forms import form_of
from sre_agent.web.front import Front
from sre_agent.web.oidc import Client, Issuer
from sre_agent.web.one_time import OneTimeToken
from sre_agent.web.session import Sessions
from sre_agent.web.visitor import visitor_of

PUBLIC = "https://sre.example"
BACK = f"{PUBLIC}/sign-in/oidc/callback"
KEY = b"k" * 32
PEOPLE = People(
    people=(
        Person(id="ana", name="Ana Example", oidc="ana@example.com"),
        Person(id="ben", name="Ben Example", oidc="ben@example.com"),
    ),
    teams={"platform": ("ana", "ben")},
    admins=("ben",),
)
PROXIES = Proxies((ip_network("10.0.7.0/28"), ip_network("fd00:7::/64")))
PROXY, STRANGER, HERE = "10.0.7.5", "203.0.113.9", "127.0.0.1"


@dataclass
class Watch:
    """A clock that is set by hand."""

    at: datetime = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def later(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Behind:
    """The app behind the door: answers with who came and what they sent, and remembers it."""

    reached: list[dict[str, object]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        visitor = visitor_of(request)
        seen = {
            "path": request.url.path,
            "method": request.method,
            "role": visitor and visitor.role.name,
            "person": visitor and visitor.person,
            "name": visitor and visitor.name,
            "via": visitor and visitor.via,
            "csrf": visitor and visitor.csrf,
            "form": dict(form_of(request).fields),
            "body": (await request.body()).decode("latin-1"),
        }
        self.reached.append(seen)
        await JSONResponse(seen, headers={"cache-control": "public", "content-security-policy": "default-src *"})(
            scope, receive, send
        )


@dataclass
class Door:
    """One deployment's door. `told` is what went to standard error."""

    watch: Watch = field(default_factory=Watch)
    behind: Behind = field(default_factory=Behind)
    told: list[str] = field(default_factory=list)
    entrance: Entrance = field(init=False)
    front: Front = field(init=False)

    def __post_init__(self) -> None:
        sessions = Sessions(KEY, "test", secure=True)
        self.use(Entrance(sessions, Teams(PEOPLE), self.watch, public_url=PUBLIC, proxies=PROXIES))

    def use(self, entrance: Entrance) -> None:
        """From now on this entrance, as after a restart."""
        self.entrance = entrance
        self.front = Front(self.behind, {"/webhooks/pagerduty": _a_door}, entrance)

    def with_token(self) -> "Door":
        """The same with neither issuer nor proxies."""
        token = OneTimeToken(self.told.append)
        sessions = Sessions(KEY, "token", secure=False)
        self.use(replace(self.entrance, sessions=sessions, proxies=Proxies(), token=token, public_url=None))
        token.print_for("http://127.0.0.1:8080")
        return self

    def with_issuer(self, issuer: OidcIssuer) -> None:
        """The same with this issuer and no proxies."""
        client = Client(issuer.url, CLIENT, SECRET, BACK)
        sessions = Sessions(KEY, f"{issuer.url} {CLIENT}", secure=True)
        self.use(replace(self.entrance, issuer=Issuer(client, self.watch), sessions=sessions, proxies=Proxies()))

    @property
    def token(self) -> str:
        """The token told last."""
        return self.told[-1].partition("token=")[2]

    def browser(self, peer: str | None = STRANGER, base: str = PUBLIC) -> httpx.AsyncClient:
        """A client whose connection comes from `peer`."""
        transport = httpx.ASGITransport(app=self.front, client=(peer, 50000) if peer else None)
        return httpx.AsyncClient(transport=transport, base_url=base)


async def at_issuer(browser: httpx.AsyncClient, to: str = "/incidents") -> str:
    """Goes to the issuer and signs in there; the address that the issuer sends the browser back to."""
    sent = await browser.get("/sign-in/oidc", params={"next": to})
    assert sent.status_code == 303, sent.text
    async with httpx.AsyncClient() as outside:
        returned = await outside.get(sent.headers["location"])
    assert returned.status_code == 302, returned.text
    return returned.headers["location"]


async def signed_in(browser: httpx.AsyncClient, to: str = "/incidents") -> httpx.Response:
    return await browser.get(await at_issuer(browser, to))


async def _a_door(scope: Scope, receive: Receive, send: Send) -> None:
    seen = {"door": True, "visitor": visitor_of(Request(scope)) is not None}
    await JSONResponse(json.loads(json.dumps(seen)))(scope, receive, send)
