"""What happened lately, with every event under the incident that it turned out to be about. For the breakers."""

from dataclasses import dataclass
from datetime import datetime

from sre_agent.incident.event import IncidentEvent
from sre_agent.response.own_incident import PAGERDUTY
from sre_agent.response.record import PastIncident
from sre_agent.response.store import IncidentHistory
from sre_agent.response.told import ToldAlerts


@dataclass(frozen=True)
class KnownHistory:
    """response.store.IncidentHistory. The inbox keeps events as doors told them: two doors tell of one incident in two names,
    and counted apart they would look like a storm.
    """

    history: IncidentHistory
    told: ToldAlerts

    async def heard(self, since: datetime, limit: int) -> tuple[IncidentEvent, ...]:
        """As the inbox has them, newest first."""
        events = await self.history.heard(since, limit)
        places = {e.incident_id for e in events if e.incident_id is not None}
        known = await self.told.incidents_of(sorted({*places, *(f"{PAGERDUTY}{p}" for p in places)}))

        def renamed(event: IncidentEvent) -> IncidentEvent:
            mine = known.get(f"{PAGERDUTY}{event.incident_id}") or known.get(event.incident_id or "")
            return event if mine is None or mine == event.incident_id else event.model_copy(update={"incident_id": mine})

        return tuple(map(renamed, events))

    async def past(self, since: datetime, incident_ids: tuple[str, ...], limit: int) -> tuple[PastIncident, ...]:
        """As the store has them."""
        return await self.history.past(since, incident_ids, limit)
