"""Who asks: the doors through which somebody becomes a Visitor, asked anew at every request.

A session of the OpenID Connect issuer; a proxy in front that checked the user; a one-time token, where neither is configured.
Roles come from teams.yaml each time, never from a cookie or a header.
"""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import Scope

from sre_agent.approval.teams import Teams
from sre_agent.incident.clock import Clock
from sre_agent.web.oidc import Issuer
from sre_agent.web.one_time import OneTimeToken
from sre_agent.web.peers import Network, alike, asked_from_here, cannot_be_rebound, host_of, inside, values
from sre_agent.web.session import Session, Sessions
from sre_agent.web.visitor import Role, Visitor

_LONGEST_USER = 320
"""Characters of an address: 64 before the @ and 255 after it (RFC 5321, 4.5.3.1)."""

_USUAL = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxies:
    """Who in front is believed about the user, and in which header."""

    networks: Collection[Network] = ()
    header: str = "X-Forwarded-Email"


class Unbelievable(Exception):
    """Something about the request that must not be guessed at. The text is for the person in front of the browser."""


@dataclass(frozen=True)
class Entrance:
    """The doors of one deployment. `token` is there only when neither `issuer` nor `proxies` is.

    `public_url`: the address people use, without a closing slash; the only name that is answered, beside addresses.
    """

    sessions: Sessions
    teams: Teams
    clock: Clock
    public_url: str | None = None
    issuer: Issuer | None = None
    proxies: Proxies = Proxies()
    token: OneTimeToken | None = None

    def visitor(self, scope: Scope) -> Visitor | None:
        """Whoever asks; None for nobody known. Raises Unbelievable."""
        user = self._vouched_for(scope)
        if user is not None:
            return self._joined(user, "proxy", self.sessions.csrf(f"proxy {user}"))
        session = self.session(scope)
        return None if session is None else self._joined(session.identity, session.via, self.sessions.csrf(session.seed))

    def session(self, scope: Scope) -> Session | None:
        """The session a request brings, where its door is open and its place is right."""
        session = self.sessions.read(scope, self.clock.now())
        if session is None or not self._named_right(scope):
            return None
        if session.via == "token":
            # SAFETY: the printed token is for whoever can read this machine's log; elsewhere its cookie is nobody's.
            return session if self.token is not None and self.from_here(scope) else None
        return session if self.issuer is not None else None

    def from_here(self, scope: Scope) -> bool:
        """True when the request certainly comes from this machine."""
        return asked_from_here(scope, self.proxies.header)

    def of_ours(self, scope: Scope) -> frozenset[str]:
        """The origins (scheme, host, port) that pages of ours can have in this request."""
        host = host_of(scope)
        here = {f"http://{host}"} if host is not None and self.from_here(scope) else set()
        return frozenset(here | ({_origin(self.public_url)} if self.public_url else set()))

    def _vouched_for(self, scope: Scope) -> str | None:
        """The user a trusted proxy names; None when the peer is none, or it names nobody."""
        named = alike(scope, self.proxies.header)
        # SAFETY: only the address of the TCP peer makes a proxy; from anybody else the header is no more than text.
        if not named or not inside(scope, self.proxies.networks):
            return None
        users = values(scope, self.proxies.header)
        if named != 1 or len(users) != 1:
            raise Unbelievable(f"the proxy sent {named} headers like {self.proxies.header}; it must replace what a browser sends")
        if not self._named_right(scope):
            raise Unbelievable("the Host of this request is not the name in SRE_AGENT_PUBLIC_URL; the proxy must pass it on")
        return _one_user(users[0])

    def _named_right(self, scope: Scope) -> bool:
        """True for the public name or an address. SAFETY: any other name may be a hostile page's own, rebound to us."""
        host = host_of(scope)
        if host is None or cannot_be_rebound(host):
            return host is not None
        scheme, _, public = _origin(self.public_url or "").partition("://")
        return bool(public) and host in (public, f"{public}:{_USUAL.get(scheme)}")

    def _joined(self, identity: str, via: str, csrf: str) -> Visitor:
        """The identity as a visitor: a person of teams.yaml, or somebody who may look."""
        person = self.teams.find("oidc", identity) if via != "token" else None
        if person is None:
            return Visitor(Role.VIEWER, None, identity, via, csrf)
        role = Role.ADMIN if self.teams.is_admin(person.id) else Role.APPROVER
        return Visitor(role, person.id, person.name, via, csrf)


def _one_user(sent: str) -> str | None:
    """A header's value as one user; None when it is empty. Raises Unbelievable for anything that is not one word."""
    try:
        user = sent.encode("latin-1").decode("utf-8").strip(" \t")
    except UnicodeDecodeError:
        raise Unbelievable("the proxy named the user in bytes that are not UTF-8") from None
    if len(user) > _LONGEST_USER or not user.isprintable() or any(mark in user for mark in " ,;"):
        raise Unbelievable("the proxy named more than one user, or none that can be believed")
    return user or None


def _origin(url: str) -> str:
    """Scheme, host and port as browsers write them in an Origin (RFC 6454, 6.2): lower case, without a default port."""
    parts = urlsplit(url.lower())
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{parts.scheme}://{host}" + ("" if parts.port in (None, _USUAL.get(parts.scheme)) else f":{parts.port}")
