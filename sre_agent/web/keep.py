"""Keeping what an authentic delivery told: durably, each event once, and counted."""

from collections.abc import Sequence

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.web.ports import WebPorts


async def keep(ports: WebPorts, door: str, events: Sequence[IncidentEvent], body: bytes) -> None:
    """Keep every event of one delivery; without one, the delivery is only counted. Raises what Store.accept raises.

    INVARIANT: what gets here is authentic, and losing it is never the answer: no 4xx any more.
    """
    now = ports.clock.now()
    for event in events:
        ports.metrics.delivered(door, event.kind, await ports.store.accept(event, body, now))
    if not events:
        ports.metrics.delivered(door, EventKind.OTHER, new=True)
