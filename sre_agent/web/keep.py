"""Keeping what an authentic delivery told: durably, each event once, and counted."""

import asyncio
from collections.abc import Sequence

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.web.ports import WebPorts


async def keep(ports: WebPorts, door: str, events: Sequence[IncidentEvent], body: bytes) -> None:
    """Keep every event of one delivery, side by side; without one, the delivery is only counted. Raises what Store.accept raises.

    The raw body is kept once, with the first event. Whoever sends again after a failure in the middle finds what was kept
    recognised, because an event's identity does not depend on the others.

    INVARIANT: what gets here is authentic, and losing it is never the answer: no 4xx any more.
    """
    now = ports.clock.now()
    bodies = [body, *(b"" for _ in events[1:])]
    new = await asyncio.gather(*(ports.store.accept(e, b, now) for e, b in zip(events, bodies[: len(events)], strict=True)))
    for event, is_new in zip(events, new, strict=True):
        ports.metrics.delivered(door, event.kind, is_new)
    if not events:
        ports.metrics.delivered(door, EventKind.OTHER, new=True)
