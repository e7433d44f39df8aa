"""What a door (PagerDuty, Alertmanager, ...) told us happened, before anything is believed."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert

RECONCILED = "reconcile"
"""The door of an event that no door heard: it was found by comparing with the tracker (response/reconcile.py)."""


class EventKind(StrEnum):
    """The kinds of event that change what the agent does; every other kind is OTHER."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    REASSIGNED = "reassigned"
    DELEGATED = "delegated"
    ESCALATED = "escalated"
    SNOOZED = "snoozed"
    PRIORITY_UPDATED = "priority_updated"
    SERVICE_UPDATED = "service_updated"
    ANNOTATED = "annotated"
    REQUESTED = "requested"
    """A person asked for an investigation, by a button."""
    PING = "ping"
    OTHER = "other"


class IncidentEvent(BaseModel):
    """One authentic delivery. `incident_id` is None for pings and for events about other things.

    `agent_id` is who did it in the sender's system (None: automation); it lets the agent ignore
    its own writes. `service_id` and `incident_key` (deduplication key) are hints, "" when not told: breakers count by them.

    Doors that tell the alerts themselves (Alertmanager) put them into `alerts`, all of one group; where they must be fetched
    it is (). Behind such doors `incident_id` says only which deliveries belong together: intake gives the incident its own id.
    `known_as` are names under which other doors may know the same incident, as `<system>:<id>` ("pagerduty:Q1...",
    "opsgenie:...") or `key:<deduplication key>`. `title` and `link` are for people, "" when not told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    door: str
    kind: EventKind
    type_name: str
    event_id: str
    delivery_id: str
    subscription_id: str = ""
    incident_id: str | None
    occurred_at: datetime
    agent_id: str | None = None
    service_id: str = ""
    incident_key: str = ""
    alerts: tuple[Alert, ...] = ()
    known_as: tuple[str, ...] = ()
    title: str = ""
    link: str = ""
