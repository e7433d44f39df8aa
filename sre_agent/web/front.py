"""What every request passes first: who asks, and may they.

Open to everybody: doors (each authenticates its own deliveries), health, static files, and the sign-in pages. The JSON API and
/metrics also answer this machine without a sign-in (see `peers.asked_from_here`). All else is only reached by a Visitor, put into
the scope here; and a write on somebody's behalf only when it comes from a page of ours (see `forms`).
"""

from collections.abc import Mapping
from urllib.parse import quote

from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_agent.web.entrance import Entrance, Unbelievable
from sre_agent.web.forms import FORM_KEY, SAFE, NotOurs, believe, read_form
from sre_agent.web.headers import STATIC, SecurityHeaders
from sre_agent.web.peers import asked_from_here, values
from sre_agent.web.sign_in import SIGN_IN, SIGN_OUT, SignInPages, local_path
from sre_agent.web.visitor import SCOPE_KEY, Role, Visitor

OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})

GUARDED_THEMSELVES = frozenset({"/api/v1/halt", "/api/v1/resume"})
"""The kill switch in JSON, which refuses whatever a page could send (see `switch`)."""

_API = "/api/v1/"
_SIGN_IN_FIRST = "sign in first; without a sign-in this answers requests from this machine only: ask there, or through ssh -L"


class Front:
    """ASGI middleware around the whole app. `doors` by path answer at once, without the framework in between,
    because they are on the path of every delivery. Without an `entrance` nobody can sign in.
    """

    def __init__(self, app: ASGIApp, doors: Mapping[str, ASGIApp], entrance: Entrance | None = None) -> None:
        self._app = app
        self._doors = doors
        self._entrance = entrance
        self._sign_in = SignInPages(entrance) if entrance is not None else None
        https = entrance is not None and (entrance.public_url or "").startswith("https://")
        self._headers = SecurityHeaders(https=https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
            # SAFETY: a proxy in front may find another end of this request than we do, and what follows would then be a
            # request that it never saw, with a user of the sender's choice (RFC 9112, 6.3 and 11.2).
            await PlainTextResponse("A request has one length.\n", 400, {"connection": "close"})(scope, receive, send)
            return
        send = self._headers.around(send, scope["path"], scope.get("query_string", b""))
        open_to_all = self._open(scope)
        if open_to_all is not None:
            await open_to_all(_nobody(scope), receive, send)
            return
        try:
            visitor = self._entrance.visitor(scope) if self._entrance is not None else None
            await self._identified(scope, visitor, receive, send)
        except Unbelievable as no:
            await self._refused(scope, 403, str(no))(scope, receive, send)

    def _open(self, scope: Scope) -> ASGIApp | None:
        """Who answers everybody at this path; None when it is not open."""
        path = scope["path"]
        if path in self._doors:
            return self._doors[path]
        if self._sign_in is not None and self._sign_in.has(path):
            return self._sign_in
        static = path.startswith(STATIC) and ".." not in path and scope["method"] in SAFE
        return self._app if path in OPEN_TO_ALL or static else None

    async def _identified(self, scope: Scope, visitor: Visitor | None, receive: Receive, send: Send) -> None:
        """One request to what is not open, by somebody or nobody."""
        inside = {**_nobody(scope), **({SCOPE_KEY: visitor} if visitor is not None else {})}
        if self._answers_this_machine(scope):
            await self._app(inside, receive, send)
        elif visitor is None:
            refusal = _sign_in_first(scope) if self._entrance is not None else JSONResponse({"error": _SIGN_IN_FIRST}, 403)
            await refusal(scope, receive, send)
        elif scope["method"] in SAFE:
            await self._app(inside, receive, send)
        elif scope["path"] in GUARDED_THEMSELVES and scope["method"] == "POST":
            await self._kill_switch(inside, visitor, receive, send)
        else:
            await self._write(inside, visitor, receive, send)

    def _answers_this_machine(self, scope: Scope) -> bool:
        """True for what the command line, scripts and Prometheus on this machine may ask without a sign-in."""
        path, method = scope["path"], scope["method"]
        offered = path == "/metrics" or f"{path}/".startswith(_API)
        allowed = method in SAFE or (method == "POST" and path in GUARDED_THEMSELVES)
        header = self._entrance.proxies.header if self._entrance is not None else ""
        return offered and allowed and asked_from_here(scope, header)

    async def _kill_switch(self, scope: Scope, visitor: Visitor, receive: Receive, send: Send) -> None:
        """The JSON kill switch from elsewhere: as the pages have it, an admin's."""
        if visitor.role < Role.ADMIN:
            refusal = JSONResponse({"error": "from another machine only an admin of teams.yaml moves the kill switch"}, 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _write(self, scope: Scope, visitor: Visitor, receive: Receive, send: Send) -> None:
        """A write by a page: read within bounds, believed or refused, and its form handed on."""
        assert self._entrance is not None
        assert self._sign_in is not None  # a visitor came through them
        try:
            form, again = await read_form(scope, receive)
            # INVARIANT: no write reaches the app for a visitor before it is known to come from our own page.
            believe(scope, form, visitor, self._entrance.of_ours(scope))
        except NotOurs as no:
            answer = self._refused(scope, no.status, str(no))
            if no.status in (408, 413):
                # What was not read cannot be skipped over: the connection is of no further use.
                answer.headers["connection"] = "close"
            await answer(scope, receive, send)
            return
        if scope["path"] == SIGN_OUT:
            await self._sign_in.signed_out(scope)(scope, again, send)
            return
        await self._app({**scope, FORM_KEY: form}, again, send)

    def _refused(self, scope: Scope, status: int, said: str) -> Response:
        """A refusal as whoever asked can read it."""
        if self._sign_in is None or _for_programs(scope["path"]):
            return JSONResponse({"error": said}, status)
        # As to nobody: what is refused may come from another site, and the page around it would hold the visitor's token.
        return self._sign_in.refused(_nobody(scope), status, said)


def _nobody(scope: Scope) -> Scope:
    """The scope without what only this room may put there."""
    return {key: value for key, value in scope.items() if key not in (SCOPE_KEY, FORM_KEY)}


def _for_programs(path: str) -> bool:
    return path == "/metrics" or f"{path}/".startswith("/api/")


def _sign_in_first(scope: Scope) -> Response:
    """The answer to nobody: JSON for programs, a new page for htmx, the sign-in page for browsers."""
    path = scope["path"]
    if _for_programs(path):
        return JSONResponse({"error": _SIGN_IN_FIRST}, 401)
    if values(scope, "hx-request"):
        # An htmx request asks for a part of a page; what is wanted afterwards is the page it is on.
        there = "/" + "".join(values(scope, "hx-current-url")[:1]).partition("://")[2].partition("/")[2]
        return Response(status_code=401, headers={"hx-redirect": f"{SIGN_IN}?next={quote(local_path(there), safe='/')}"})
    asked = path + (f"?{scope['query_string'].decode('latin-1')}" if scope.get("query_string") else "")
    to = local_path(asked) if scope["method"] in SAFE else "/"
    return RedirectResponse(f"{SIGN_IN}?next={quote(to, safe='/')}", 303)
