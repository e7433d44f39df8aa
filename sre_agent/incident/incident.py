"""The incident, as fetched again from PagerDuty: never as the webhook told it."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert, AlertStatus


class IncidentStatus(StrEnum):
    """PagerDuty's three states."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Reference(BaseModel):
    """Something named in another system: an id, and a name for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str = ""


class Incident(BaseModel):
    """One PagerDuty incident with all its alerts.

    `acknowledged_by` holds people only (not integrations, not this agent's own user).
    `snoozed` and `merged_into` come from pending actions and the resolve reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    number: int | None = None
    title: str = ""
    status: IncidentStatus
    urgency: str = "high"
    created_at: datetime
    html_url: str = ""
    environment: str = "prod"
    service: Reference
    escalation_policy: Reference | None = None
    assignees: tuple[Reference, ...] = ()
    acknowledged_by: tuple[Reference, ...] = ()
    priority: str | None = None
    snoozed: bool = False
    merged_into: str | None = None
    alerts: tuple[Alert, ...] = ()

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that still fire."""
        return tuple(a for a in self.alerts if a.status is AlertStatus.FIRING)

    @property
    def open(self) -> bool:
        """True while the incident still asks for somebody's attention."""
        return self.status is not IncidentStatus.RESOLVED and self.merged_into is None

    def label_values(self, name: str) -> frozenset[str]:
        """Every distinct value of one label over all alerts, firing or not."""
        return frozenset(a.labels[name] for a in self.alerts if name in a.labels)


class OpenIncident(BaseModel):
    """An incident that the tracker has open, as its list shows it. `acknowledged_by` holds people only, as in Incident;
    `changed_at` is when its status last changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    status: IncidentStatus
    created_at: datetime | None
    changed_at: datetime | None = None
    service: Reference
    priority: str | None = None
    acknowledged_by: tuple[Reference, ...] = ()
