"""Alertmanager's door: `POST /webhooks/alertmanager`, opened by a bearer token.

Alertmanager sends again on a 5xx and when it hears nothing, and gives up on a 4xx. So everything authentic is 202 once it is
durably kept, and 503 while our store is away. The one exception is a body over the cap: it is never read, so it is 413, and what is
kept instead is that there was one, or nobody would hear of it.

A delivery is one of its groups with all alerts in it, which in a storm are thousands: the cap is 8 MiB, and large bodies are read
in a thread of their own, so that the others do not wait.
"""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp

from sre_agent.incident.event import IncidentEvent
from sre_agent.intake.alertmanager import DOOR, oversize, parse_delivery
from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.door import Door
from sre_agent.web.keep import keep
from sre_agent.web.ports import AlertDoors, WebPorts
from sre_agent.web.tokens import let_in

PATH = "/webhooks/alertmanager"
CAP = 8 * 1024 * 1024
"""Bytes. An alert with its annotations is about 1 KiB."""

ANSWER_WITHIN = 9.0
"""Seconds. Alertmanager waits ten or longer (`group_interval`, at least ten) before it gives a notification up."""

_IN_A_THREAD = 64 * 1024
"""Bytes of body from which parsing would hold up other requests."""


def alertmanager(ports: WebPorts, doors: AlertDoors) -> ASGIApp:
    """The endpoint."""

    async def take(request: Request) -> None:
        let_in(request, doors.alertmanager_token, "SRE_AGENT_ALERTMANAGER_TOKEN", "authorization", "Bearer ")
        try:
            body = await read_body(request, CAP)
        except TurnedAway as away:
            if away.reason == "oversize":
                await keep(ports, DOOR, (oversize(ports.clock.now(), CAP, doors.group_of),), b"")
            raise
        await keep(ports, DOOR, await _events(body, ports, doors), body)

    return Door(DOOR, ports.metrics, within=lambda: ANSWER_WITHIN).app(take)


async def _events(body: bytes, ports: WebPorts, doors: AlertDoors) -> tuple[IncidentEvent, ...]:
    now = ports.clock.now()
    if len(body) < _IN_A_THREAD:
        return parse_delivery(body, now, doors.group_of)
    return await asyncio.to_thread(parse_delivery, body, now, doors.group_of)
