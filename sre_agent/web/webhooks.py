"""The doors: verify, keep, answer; nothing else happens before the answer.

PagerDuty drops a delivery for ever on a 4xx, disables the subscription after three such in a row, and repeats for 48 h on a
5xx. So everything authentic gets 202 (repeats, pings and events we do not understand included) once it is durably
kept; 401 is for a failed signature alone; and while our own secret or database is missing the answer is 503, which loses
nothing. A body over the cap is 413 without being read: PagerDuty sends at most 256 KB, so it is nobody we know.
"""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.event import IncidentEvent
from sre_agent.intake.pagerduty import SIGNATURE_HEADER, BadSignature, MissingSecret, parse_event, verify_signature
from sre_agent.web.ports import WebPorts

BODY_CAP = 1024 * 1024
"""Bytes of body that are read at most."""

READ_WITHIN = 5.0
"""Seconds a sender has to hand over its body; PagerDuty itself gives up after five."""

KEEP_WITHIN = 4.0
"""Seconds the store has to keep a delivery, so that the sender still hears the answer."""

DOOR = "pagerduty"


class TurnedAway(SreAgentError):
    """A delivery that is not kept: the status to answer and the word it is counted under."""

    def __init__(self, status: int, reason: str, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.reason = reason


def pagerduty(ports: WebPorts) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of `POST /webhooks/pagerduty`."""

    async def endpoint(request: Request) -> Response:
        try:
            event, new = await _deliver(request, ports)
        except TurnedAway as away:
            ports.metrics.turned_away(DOOR, away.reason)
            # What was not read cannot be skipped over: the connection is of no further use.
            headers = {"connection": "close"} if away.reason in ("slow", "oversize") else None
            return JSONResponse({"error": str(away)}, status_code=away.status, headers=headers)
        ports.metrics.delivered(DOOR, event.kind, new)
        return Response(status_code=202)

    return endpoint


async def _deliver(request: Request, ports: WebPorts) -> tuple[IncidentEvent, bool]:
    """Read, verify and keep one delivery; False means it was here before. Raises TurnedAway and nothing else."""
    if ports.pagerduty_secrets and SIGNATURE_HEADER not in request.headers:
        raise TurnedAway(401, "signature", f"the delivery has no {SIGNATURE_HEADER} header")
    body = await read_body(request)
    try:
        verify_signature(request.headers, body, ports.pagerduty_secrets)
    except BadSignature as bad:
        raise TurnedAway(401, "signature", bad.reason) from bad
    except MissingSecret as missing:
        raise TurnedAway(503, "no_secret", str(missing)) from missing
    now = ports.clock.now()
    event = parse_event(request.headers, body, now)
    # INVARIANT: from here on the delivery is authentic, and losing it is never the answer: no 4xx.
    try:
        async with asyncio.timeout(KEEP_WITHIN):
            return event, await ports.store.accept(event, body, now)
    except (SreAgentError, TimeoutError) as failed:
        raise TurnedAway(503, "not_kept", f"the delivery could not be kept, send it again: {failed or 'too slow'}") from failed


async def read_body(request: Request) -> bytes:
    """The raw body, of at most BODY_CAP bytes. Raises TurnedAway as soon as it is known to be larger, or is late."""
    oversize = TurnedAway(413, "oversize", f"the body is larger than {BODY_CAP} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 20 or int(declared) > BODY_CAP):
        raise oversize
    body = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_CAP:
                    raise oversize
    except TimeoutError as late:
        raise TurnedAway(503, "slow", f"the body did not arrive within {READ_WITHIN:.0f} s") from late
    except ClientDisconnect as gone:
        raise TurnedAway(400, "disconnected", "the sender went away") from gone
    return bytes(body)
