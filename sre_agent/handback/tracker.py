"""The protocol of the system people watch (PagerDuty): what the agent may say and change there."""

from datetime import datetime
from typing import Protocol

from sre_agent.evidence.change import Change
from sre_agent.incident.incident import Incident


class IncidentTracker(Protocol):
    """Plain-valued port to the incident tracker. It can never resolve or acknowledge anything.

    All raise Transient, OutcomeUnknown or Permanent.
    """

    async def fetch(self, incident_id: str) -> Incident:
        """The incident with *all* its alerts, every page, firing and resolved."""
        ...

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:
        """Change events of the service and those related to the incident."""
        ...

    async def write_note(self, incident_id: str, marker: str, text: str, note_id: str | None) -> str:
        """Create or update the one living note that carries `marker`; returns its id.

        After an unknown outcome the notes are listed and the marker looked for: never a second note.
        """
        ...

    async def ask_in(self, incident_id: str, escalation_policy_id: str, message: str) -> bool:
        """Ask who is on call for a policy to join the incident. False: the same was asked with the same words before.

        Conflict when the incident is resolved.
        """
        ...

    async def assign_policy(self, incident_id: str, escalation_policy_id: str) -> bool:
        """Hand the incident to an escalation policy. False: it was there already."""
        ...
