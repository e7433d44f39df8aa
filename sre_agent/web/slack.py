"""The door for presses: `POST /slack/interactions`; somebody is waiting with a finger on the button.

Slack shows a warning to who pressed unless it hears 200 within three seconds, and does not send a press again. So everything
authentic gets 200, whatever became of it: they are told in the channel. 401 is for a failed signature alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from sre_agent.approval.press import Press, dialog_errors, read_press
from sre_agent.approval.press_signature import BadPressSignature, verify_press
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import ConfigurationError
from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.door import Door
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

    async def read(request: Request) -> tuple[Press, float]:
        begun = asyncio.get_running_loop().time()
        return await _press(request, door), begun

    async def then(taken: tuple[Press, float]) -> Response:
        press, begun = taken
        said = dialog_errors(press, await door.take(press, asyncio.get_running_loop().time() - begun))
        return Response(status_code=200) if said is None else JSONResponse(said)

    return Door(DOOR, door.metrics, ("press", "presses"), within=lambda: READ_WITHIN, late=408).app(read, then)


async def _press(request: Request, door: SlackDoor) -> Press:
    """The press that Slack sent. Raises TurnedAway and nothing else."""
    body = await read_body(request)
    try:
        verify_press(request.headers.raw, body, door.signing_secret, door.clock.now())
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
