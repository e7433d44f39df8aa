"""The door for presses: `POST /slack/interactions`, a plain ASGI app, because somebody is waiting with a finger on the button.

Slack shows a warning to who pressed unless it hears 200 within three seconds, and does not send a press again. So everything
authentic gets 200, whatever became of it: they are told in the channel. 401 is for a failed signature alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_agent.approval.press import Press, dialog_errors, read_press
from sre_agent.approval.press_signature import BadPressSignature, verify_press
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import ConfigurationError
from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.metrics import Metrics

READ_WITHIN = 2.0
"""Seconds for a request to arrive; a stranger who sends slowly holds nothing for longer."""
DOOR = "slack"


@dataclass(frozen=True)
class SlackDoor:
    """What the door needs: the signing secret ("" without one: 503), and who takes a press, within the time Slack waits.

    `take(press, seconds spent on it already)` answers what a dialog should say is wrong, or None.
    """

    take: Callable[[Press, float], Awaitable[str | None]]
    clock: Clock
    metrics: Metrics
    signing_secret: str = field(default="", repr=False)


def interactions(door: SlackDoor) -> ASGIApp:
    """The endpoint of `POST /slack/interactions`."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        response = await _answer(Request(scope, receive), door)
        await response(scope, receive, send)

    return answer


async def _answer(request: Request, door: SlackDoor) -> Response:
    if request.method != "POST":
        return JSONResponse({"error": "presses are sent with POST"}, status_code=405, headers={"allow": "POST"})
    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        press = await _press(request, door)
    except TurnedAway as away:
        door.metrics.turned_away(DOOR, away.reason)
        headers = {"connection": "close"} if away.reason in ("slow", "oversize") else None
        return JSONResponse({"error": str(away)}, status_code=away.status, headers=headers)
    said = dialog_errors(press, await door.take(press, clock() - begun))
    return Response(status_code=200) if said is None else JSONResponse(said)


async def _press(request: Request, door: SlackDoor) -> Press:
    """The press that Slack sent. Raises TurnedAway and nothing else."""
    try:
        async with asyncio.timeout(READ_WITHIN):
            body = await read_body(request)
        verify_press(request.headers.raw, body, door.signing_secret, door.clock.now())
    except TimeoutError as late:
        raise TurnedAway(408, "slow", f"not read within {READ_WITHIN:g} s") from late
    except BadPressSignature as bad:
        raise TurnedAway(401, "signature", bad.reason) from bad
    except ConfigurationError as missing:
        raise TurnedAway(503, "no_secret", str(missing)) from missing
    return read_press(_payload(body))


def _payload(body: bytes) -> str:
    """The form's one field; "" when it is not one."""
    try:
        found = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20).get("payload", [])
    except ValueError:
        return ""
    return found[0] if len(found) == 1 else ""
