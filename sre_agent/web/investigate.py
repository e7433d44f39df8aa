"""The door of the button: PagerDuty's Custom Incident Action "Investigate". Unsigned, so a secret header opens it.

Everything that shows the token gets 202 once it is kept; without a token of our own nobody can be told from anybody, so the
answer is 503 and says what to set.
"""

import asyncio
import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.event import EventKind
from sre_agent.intake.pagerduty_action import DOOR, parse_presses
from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.ports import WebPorts
from sre_agent.web.webhooks import ANSWER_WITHIN

PATH = "/webhooks/pagerduty/investigate"
TOKEN_HEADER = "x-sre-agent-token"  # noqa: S105 - the name of the header


def investigate(ports: WebPorts) -> ASGIApp:
    """The endpoint of `POST /webhooks/pagerduty/investigate`, as a plain ASGI app like the other doors."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await _answer(Request(scope, receive), ports)
        await answer(scope, receive, send)

    return door


async def _answer(request: Request, ports: WebPorts) -> Response:
    """The response to one request, whatever it is."""
    if request.method != "POST":
        return JSONResponse({"error": "presses are sent with POST"}, status_code=405, headers={"allow": "POST"})
    try:
        await _take(request, ports)
    except TurnedAway as away:
        ports.metrics.turned_away(DOOR, away.reason)
        return JSONResponse({"error": str(away)}, status_code=away.status, headers={"connection": "close"})
    return Response(status_code=202)


async def _take(request: Request, ports: WebPorts) -> None:
    """Keep every press of one request. Raises TurnedAway and nothing else."""
    _let_in(request, ports.pagerduty_action_token)
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            body = await read_body(request)
            now = ports.clock.now()
            presses = parse_presses(body, now)
            for press in presses:
                new = await ports.store.accept(press, body, now)
                ports.metrics.delivered(DOOR, press.kind, new)
    except TurnedAway:
        raise
    except TimeoutError as late:
        raise TurnedAway(503, "slow", f"not read and kept within {ANSWER_WITHIN:g} s, press again") from late
    except SreAgentError as failed:
        raise TurnedAway(503, "not_kept", f"the press could not be kept, press again: {failed}") from failed
    if not presses:
        ports.metrics.delivered(DOOR, EventKind.OTHER, new=True)


def _let_in(request: Request, token: str) -> None:
    """Raises TurnedAway unless the request shows the token. Nothing of the body is read before."""
    if not token.strip():
        raise TurnedAway(503, "no_token", "PAGERDUTY_ACTION_TOKEN is not set, so presses cannot be told from anybody's requests")
    shown = request.headers.getlist(TOKEN_HEADER)
    # SAFETY: compared as bytes and in constant time; one header, so that no proxy's second one is picked.
    if len(shown) != 1 or not hmac.compare_digest(shown[0].encode("latin-1", "replace"), token.encode()):
        raise TurnedAway(401, "token", "the header X-SRE-Agent-Token is missing or not the agent's PAGERDUTY_ACTION_TOKEN")
