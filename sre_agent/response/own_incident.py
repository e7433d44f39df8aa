"""An incident that no tracker keeps for us, put together from what its door told. Pure."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.response.record import IncidentRecord
from sre_agent.response.told import anything_fires
from sre_agent.routing.file import Routing

PREFIX: Final = "own-"
PAGERDUTY: Final = "pagerduty:"


def own(incident_id: str) -> bool:
    """Whether the incident is kept by the agent itself."""
    return incident_id.startswith(PREFIX)


def fresh_id(group: str, at: datetime) -> str:
    """The id of a new incident of a group: the same however often the same beginning is taken."""
    return PREFIX + hashlib.sha256(f"{group}\n{at.isoformat()}".encode()).hexdigest()[:16]


def dedup_key(incident_id: str) -> str:
    """Under which the agent pages for its own incident: one per incident."""
    return f"sre-agent:{incident_id}"


def pagerduty_id_of(record: IncidentRecord) -> str | None:
    """The same incident in PagerDuty, once it is known."""
    return next((name.removeprefix(PAGERDUTY) for name in record.linked if name.startswith(PAGERDUTY)), None)


def own_incident(record: IncidentRecord, alerts: Sequence[Alert], routing: Routing, there: Incident | None) -> Incident:
    """The incident. `there` is the same one as PagerDuty has it, once it has: people's part (acknowledged, snoozed) is taken
    from it, the alerts never are.
    """
    firing = anything_fires(alerts)
    status = IncidentStatus.TRIGGERED if firing else IncidentStatus.RESOLVED
    acknowledged = record.human_acknowledged or (there is not None and there.status is IncidentStatus.ACKNOWLEDGED)
    if firing and acknowledged:
        status = IncidentStatus.ACKNOWLEDGED
    if there is not None and there.status is IncidentStatus.RESOLVED:
        status = IncidentStatus.RESOLVED
    receiver = record.routed.receiver if record.routed else routing.default_receiver
    known = routing.services.get(receiver, "")
    starts = [a.starts_at for a in alerts if a.starts_at is not None]
    return Incident(
        id=record.id,
        title=record.title,
        status=status,
        created_at=min([record.received_at, *starts]),
        html_url=there.html_url if there is not None else record.link,
        service=there.service if there is not None else Reference(id=known or record.door, name=_service_name(alerts) or receiver),
        assignees=there.assignees if there is not None else (),
        acknowledged_by=there.acknowledged_by if there is not None else (),
        priority=there.priority if there is not None else None,
        snoozed=there.snoozed if there is not None else False,
        merged_into=there.merged_into if there is not None else None,
        alerts=tuple(alerts),
    )


def _service_name(alerts: Sequence[Alert]) -> str:
    named = {a.labels.get("service", "") for a in alerts} - {""}
    return named.pop()[:100] if len(named) == 1 else ""
