"""One tracker over PagerDuty and what the agent keeps itself: the rest of the walk need not know which it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sre_agent.evidence.change import Change
from sre_agent.evidence.past_incident import PastIncident
from sre_agent.handback.alert_desk import AlertDesk
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.errors import Permanent
from sre_agent.incident.incident import Incident
from sre_agent.response.own_incident import own, own_incident, pagerduty_id_of
from sre_agent.response.record import IncidentRecord
from sre_agent.response.store import Store
from sre_agent.response.told import ToldAlerts
from sre_agent.routing.file import Routing

HERE = "here"
"""The id of a note that stands nowhere but on the agent's own pages."""


class PagerDutySide(IncidentTracker, Protocol):
    """What PagerDuty's tracker can besides."""

    async def service_changes(self, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:
        """Change events of a service alone."""
        ...

    async def similar(self, incident_id: str) -> tuple[PastIncident, ...] | None:
        """Incidents like this one."""
        ...


@dataclass
class EveryTracker:
    """handback.tracker.IncidentTracker: PagerDuty's incidents are PagerDuty's; our own are fetched from what was told, and
    spoken of wherever the same incident is known: in PagerDuty once our page made one there, and at the desk it came from.
    """

    pagerduty: PagerDutySide
    store: Store
    told: ToldAlerts
    routing: Routing
    desks: Mapping[str, AlertDesk]

    async def fetch(self, incident_id: str) -> Incident:
        """The incident with all its alerts."""
        if not own(incident_id):
            return await self.pagerduty.fetch(incident_id)
        record = await self._record(incident_id)
        linked = pagerduty_id_of(record)
        there = None if linked is None else await self.pagerduty.fetch(linked)
        return own_incident(record, await self.told.alerts_of(incident_id), self.routing, there)

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:
        """SAFETY: for an incident whose service nobody named, "no changes" would be a lie that the guard relies on: it raises."""
        if not own(incident_id):
            return await self.pagerduty.changes(incident_id, service_id, since, until)
        linked = pagerduty_id_of(await self._record(incident_id))
        if service_id not in {s for s in self.routing.services.values() if s} and linked is None:
            raise Permanent("routing.yaml names no PagerDuty service for this incident's receiver, so nobody knows what changed")
        if linked is None:
            return await self.pagerduty.service_changes(service_id, since, until)
        return await self.pagerduty.changes(linked, service_id, since, until)

    async def similar(self, incident_id: str) -> tuple[PastIncident, ...] | None:
        """Incidents like this one, where PagerDuty knows it."""
        there = incident_id if not own(incident_id) else pagerduty_id_of(await self._record(incident_id))
        return None if there is None else await self.pagerduty.similar(there)

    async def write_note(self, incident_id: str, marker: str, text: str, note_id: str | None) -> str:
        """The living note, where people look for it; its id begins with the desk's name where it stands at a desk."""
        if not own(incident_id):
            return await self.pagerduty.write_note(incident_id, marker, text, note_id)
        record = await self._record(incident_id)
        linked, desk = pagerduty_id_of(record), self._desk(record)
        if desk is not None:
            # A note there cannot be changed: there is one for each end that the walk comes to.
            await desk[0].note(desk[1], f"{marker} ({record.state.value}, round {record.round})", text)
        if linked is None:
            return HERE
        return await self.pagerduty.write_note(linked, marker, text, None if note_id == HERE else note_id)

    async def ask_in(self, incident_id: str, escalation_policy_id: str, message: str) -> bool:
        """Ask a responder in, where PagerDuty has the incident."""
        return await self.pagerduty.ask_in(await self._there(incident_id), escalation_policy_id, message)

    async def assign_policy(self, incident_id: str, escalation_policy_id: str, *, again: bool = False) -> bool:
        """Hand it over where PagerDuty has it, and at the desk. False: nowhere, or it was there already."""
        if not own(incident_id):
            return await self.pagerduty.assign_policy(incident_id, escalation_policy_id, again=again)
        record = await self._record(incident_id)
        linked, desk = pagerduty_id_of(record), self._desk(record)
        if desk is not None and record.routed is not None:
            await desk[0].reassign(desk[1], record.routed.receiver)
        return False if linked is None else await self.pagerduty.assign_policy(linked, escalation_policy_id, again=again)

    async def raise_priority(self, incident_id: str, name: str) -> bool:
        """Where PagerDuty has it."""
        return await self.pagerduty.raise_priority(await self._there(incident_id), name)

    async def set_fields(self, incident_id: str, values: Mapping[str, str]) -> None:
        """Where PagerDuty has it."""
        await self.pagerduty.set_fields(await self._there(incident_id), values)

    async def post_status(self, incident_id: str, message: str) -> None:
        """Where PagerDuty has it."""
        await self.pagerduty.post_status(await self._there(incident_id), message)

    async def _there(self, incident_id: str) -> str:
        """The incident's id in PagerDuty. Permanent where it has none (yet)."""
        if not own(incident_id):
            return incident_id
        linked = pagerduty_id_of(await self._record(incident_id))
        if linked is None:
            raise Permanent(f"PagerDuty has no incident for {incident_id} (yet): nobody was paged for it, or it has not said so")
        return linked

    async def _record(self, incident_id: str) -> IncidentRecord:
        record = await self.store.load(incident_id)
        if record is None:
            raise Permanent(f"incident {incident_id} is not in the store")
        return record

    def _desk(self, record: IncidentRecord) -> tuple[AlertDesk, str] | None:
        """The desk that the incident came from, and the alert's id there."""
        for name in record.linked:
            door, _, identity = name.partition(":")
            if door in self.desks:
                return self.desks[door], identity
        return None
