"""The protocol of the system people watch (PagerDuty): what the agent may say and change there."""

from collections.abc import Mapping
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

    async def assign_policy(self, incident_id: str, escalation_policy_id: str, *, again: bool = False) -> bool:
        """Hand the incident to an escalation policy. False: it was there already.

        `again`: also when it is there but somebody acknowledged it: whoever is on call there is told anew.
        """
        ...

    async def raise_priority(self, incident_id: str, name: str) -> bool:
        """Raise the incident's priority to the one of that name. False: it is as urgent or more so already, and stays.

        Raises Permanent when there is no such priority, or the account has none.
        """
        ...

    async def set_fields(self, incident_id: str, values: Mapping[str, str]) -> None:
        """Give custom fields, by name, their values. Doing it twice is doing it once."""
        ...

    async def post_status(self, incident_id: str, message: str) -> None:
        """Send one status update to the incident's subscribers. After OutcomeUnknown the caller never sends it again."""
        ...
