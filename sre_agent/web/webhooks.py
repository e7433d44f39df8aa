"""The doors: verify, keep, answer; nothing else happens before the answer.

PagerDuty drops a delivery for ever on a 4xx, disables the subscription after three such in a row, and repeats for 48 h on a
5xx. So everything authentic gets 202 (repeats, pings and events we do not understand included) once it is durably
kept; 401 is for a failed signature alone; and while our own secret or database is missing the answer is 503, which loses
nothing. A body over the cap is 413 without being read: PagerDuty sends at most 256 KB, so it is nobody we know.
"""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.event import IncidentEvent
from sre_agent.intake.pagerduty import SIGNATURE_HEADER, BadSignature, MissingSecret, parse_event, verify_signature
from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.ports import WebPorts

ANSWER_WITHIN = 4.5
"""Seconds for reading and keeping a delivery, so that the sender, who gives up after five, still hears the answer."""

DOOR = "pagerduty"


def pagerduty(ports: WebPorts) -> ASGIApp:
    """The endpoint of `POST /webhooks/pagerduty`, as a plain ASGI app: it is on the path of every delivery."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await _answer(Request(scope, receive), ports)
        await answer(scope, receive, send)

    return door


async def _answer(request: Request, ports: WebPorts) -> Response:
    """The response to one request, whatever it is."""
    if request.method != "POST":
        return JSONResponse({"error": "deliveries are sent with POST"}, status_code=405, headers={"allow": "POST"})
    try:
        event, new = await _deliver(request, ports)
    except TurnedAway as away:
        ports.metrics.turned_away(DOOR, away.reason)
        # What was not read cannot be skipped over: the connection is of no further use.
        headers = {"connection": "close"} if away.reason in ("slow", "oversize") else None
        return JSONResponse({"error": str(away)}, status_code=away.status, headers=headers)
    ports.metrics.delivered(DOOR, event.kind, new)
    return Response(status_code=202)


async def _deliver(request: Request, ports: WebPorts) -> tuple[IncidentEvent, bool]:
    """Read, verify and keep one delivery; False means it was here before. Raises TurnedAway and nothing else."""
    headers = dict(request.headers)
    if ports.pagerduty_secrets and SIGNATURE_HEADER not in headers:
        raise TurnedAway(401, "signature", f"the delivery has no {SIGNATURE_HEADER} header")
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            body = await read_body(request)
            _verify(headers, body, ports)
            # INVARIANT: from here on the delivery is authentic, and losing it is never the answer: no 4xx.
            now = ports.clock.now()
            event = parse_event(headers, body, now)
            return event, await ports.store.accept(event, body, now)
    except TurnedAway:
        raise
    except TimeoutError as late:
        raise TurnedAway(503, "slow", f"not read and kept within {ANSWER_WITHIN:g} s, send it again") from late
    except SreAgentError as failed:
        raise TurnedAway(503, "not_kept", f"the delivery could not be kept, send it again: {failed}") from failed


def _verify(headers: Mapping[str, str], body: bytes, ports: WebPorts) -> None:
    """Raises TurnedAway unless the delivery is authentic."""
    try:
        verify_signature(headers, body, ports.pagerduty_secrets)
    except BadSignature as bad:
        raise TurnedAway(401, "signature", bad.reason) from bad
    except MissingSecret as missing:
        raise TurnedAway(503, "no_secret", str(missing)) from missing
