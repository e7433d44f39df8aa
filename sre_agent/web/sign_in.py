"""The pages at the door: /sign-in and what is under it, open to everybody, and signing out.

They show nothing of the agent. Nobody is ever sent to another address than the issuer's: what comes after is a path here.
"""

import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from sre_agent.incident.errors import Refused, Transient
from sre_agent.web.entrance import Entrance
from sre_agent.web.forms import NotOurs, read_form
from sre_agent.web.pages.look import Look, frame_of
from sre_agent.web.session import Pending

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
CALLBACK = "/sign-in/oidc/callback"

_LOCAL = re.compile(r"/(?!/)(?:[A-Za-z0-9._~!$&'()*+,;=:@%?-]|/(?!/)){0,499}")
_log = logging.getLogger(__name__)


def local_path(text: str) -> str:
    """`text` when it is a path on this server, else "/". SAFETY: no scheme, no host, no //, no backslash, nothing hidden."""
    return text if _LOCAL.fullmatch(text) and not text.startswith((SIGN_IN, SIGN_OUT)) else "/"


class SignInPages:
    """The ASGI app of these pages."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._look = Look()
        self._pages: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            SIGN_IN: self._page,
            f"{SIGN_IN}/oidc": self._to_issuer,
            CALLBACK: self._back,
            f"{SIGN_IN}/token": self._by_token,
        }

    def has(self, path: str) -> bool:
        """True when one of these pages is at `path`."""
        return path in self._pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        methods = ("GET", "HEAD") if scope["path"] == SIGN_IN else ("GET",)
        if scope["path"] == f"{SIGN_IN}/token":
            methods = ("GET", "POST")
        if scope["method"] in methods:
            answer = await self._pages[scope["path"]](request)
        else:
            answer = Response(status_code=405, headers={"allow": ", ".join(methods)})
        await answer(scope, receive, send)

    def signed_out(self, scope: Scope) -> Response:
        """The answer to a believed POST /sign-out."""
        entrance, session = self._entrance, self._entrance.session(scope)
        _log.info("signed_out")
        answer = RedirectResponse(SIGN_IN, 303)
        sessions = entrance.sessions
        answer.headers["set-cookie"] = sessions.clear() if session is None else sessions.end(session, entrance.clock.now())
        return answer

    def refused(self, scope: Scope, status: int, said: str) -> Response:
        """A refusal as a page, for whoever looks at one."""
        view = {
            "title": "Nothing was changed",
            "words": said,
            "advice": "Go back, load the page again and repeat.",
            "status": status,
        }
        return self._look.page("fault.html.j2", frame_of(Request(scope), self._entrance.clock.now()), view, status)

    async def _page(self, request: Request) -> Response:
        return self._say(request, "", 200, local_path(request.query_params.get("next", "/")))

    async def _to_issuer(self, request: Request) -> Response:
        """Off to the issuer, with what its answer must match kept in this browser."""
        if self._entrance.issuer is None:
            return self._say(request, "No issuer is set up here: SRE_AGENT_OIDC_ISSUER.", 404)
        try:
            errand = await self._entrance.issuer.begin()
        except (Transient, Refused) as failed:
            return self._failed(request, failed)
        pending = Pending(
            state=errand.state,
            nonce=errand.nonce,
            verifier=errand.verifier,
            to=local_path(request.query_params.get("next", "/")),
            issued=int(self._entrance.clock.now().timestamp()),
        )
        answer = RedirectResponse(errand.url, 303)
        answer.headers["set-cookie"] = self._entrance.sessions.keep(pending)
        return answer

    async def _back(self, request: Request) -> Response:
        """Back from the issuer, with a code or with an error."""
        answer = await self._returned(request)
        # INVARIANT: one return ends the sign-in under way, whatever came of it.
        answer.headers.append("set-cookie", self._entrance.sessions.drop_pending())
        return answer

    async def _returned(self, request: Request) -> Response:
        entrance, sent = self._entrance, parse_qs(request.url.query)
        pending = entrance.sessions.pending(request.scope, entrance.clock.now())
        state, code = _one(sent, "state"), _one(sent, "code")
        # SAFETY: the answer must be to the question that this very browser took there.
        if entrance.issuer is None or pending is None or not hmac.compare_digest(state.encode(), pending.state.encode()):
            return self._say(request, "This sign-in was not begun in this browser, or took too long. Begin again.", 400)
        if not code:
            return self._say(request, "The issuer did not sign you in. Begin again, or ask whoever runs it.", 403)
        try:
            identity = await entrance.issuer.finish(code, pending.verifier, pending.nonce)
        except (Transient, Refused) as failed:
            return self._failed(request, failed)
        _log.info("signed_in", extra={"via": "oidc"})
        return self._in(entrance.sessions.begin("oidc", identity, entrance.clock.now()), pending.to)

    async def _by_token(self, request: Request) -> Response:
        """With the token that the process printed: in its address, or pasted."""
        entrance = self._entrance
        if entrance.token is None:
            return self._say(request, "Tokens are off here, because another way to sign in is set up.", 404)
        given = request.query_params.get("token", "")
        if request.method == "POST":
            try:
                form, _ = await read_form(request.scope, request.receive)
            except NotOurs as no:
                return self._say(request, str(no), no.status)
            given = form.one("token")
        if not entrance.token.used(given, request.scope, entrance.proxies.header):
            return self._say(request, "This token is not good, is used already, or is not used on the agent's own machine.", 403)
        _log.info("signed_in", extra={"via": "token"})
        return self._in(entrance.sessions.begin("token", "whoever is on this machine", entrance.clock.now()), "/")

    def _in(self, cookie: str, to: str) -> Response:
        answer = RedirectResponse(to, 303)
        answer.headers["set-cookie"] = cookie
        return answer

    def _failed(self, request: Request, failed: Transient | Refused) -> Response:
        """What the browser is told is less than what the log is told."""
        _log.warning("sign_in_failed", extra={"reason": str(failed)})
        if isinstance(failed, Transient):
            return self._say(request, "The issuer cannot be asked right now. Try again in a minute; the agent's log says why.", 503)
        return self._say(request, "The issuer's answer was not believed. Begin again; the agent's log says why.", 403)

    def _say(self, request: Request, said: str, status: int, to: str = "/") -> Response:
        entrance = self._entrance
        view = {
            "said": said,
            "to": to,
            "issuer": entrance.issuer.host if entrance.issuer else None,
            "proxied": bool(entrance.proxies.networks),
            "public_url": entrance.public_url,
            "token": entrance.token is not None,
        }
        return self._look.page("sign_in.html.j2", frame_of(request, entrance.clock.now()), view, status)


def _one(sent: Mapping[str, list[str]], name: str) -> str:
    """The parameter that was sent once; "" otherwise."""
    found = sent.get(name, [])
    return found[0] if len(found) == 1 else ""
