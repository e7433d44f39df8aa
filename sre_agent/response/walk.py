"""Moves one incident's record: load, decide, compare-and-set, and again if somebody moved first."""

from collections.abc import Callable
from dataclasses import dataclass

from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Conflict, Transient
from sre_agent.response.record import IncidentRecord, Step
from sre_agent.response.store import Store

_TRIES = 8

Decide = Callable[[IncidentRecord], Step | None]


@dataclass(frozen=True)
class Walk:
    """The store and the clock, as every part of the responder uses them."""

    store: Store
    clock: Clock

    async def load(self, incident_id: str) -> IncidentRecord:
        """The record; Conflict when there is none (a job for an incident that was never accepted)."""
        record = await self.store.load(incident_id)
        if record is None:
            raise Conflict(f"incident {incident_id} is not in the store; nothing to do")
        return record

    async def advance(self, incident_id: str, decide: Decide) -> IncidentRecord:
        """Apply what `decide` says of the newest record. None from it: somebody moved on, leave it.

        INVARIANT: `decide` sees the version that is compared; a worker that slept through a change decides anew.
        """
        for _ in range(_TRIES):
            record = await self.load(incident_id)
            step = decide(record)
            if step is None:
                return record
            try:
                return await self.store.advance(record, step)
            except Conflict:
                continue
        raise Transient(f"incident {incident_id}: {_TRIES} others moved first in a row", retry_after=1.0)
