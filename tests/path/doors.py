"""What Alertmanager's door hands on, for the walks: one event of one group of alerts."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.routing.file import Routing
from sre_agent.routing.group import group_of
from sre_agent.testing.walkthrough import START

_told = 0


def alert(labels: Mapping[str, str], at: float = 0, end: float | None = None, start: datetime = START, **annotations: str) -> Alert:
    """One alert; seconds after `start`."""
    given = {"alertname": "Something", **labels}
    return Alert(
        labels=given,
        annotations=annotations,
        status=AlertStatus.FIRING if end is None else AlertStatus.RESOLVED,
        starts_at=start + timedelta(seconds=at),
        ends_at=None if end is None else start + timedelta(seconds=end),
        source_id=hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()[:16],
    )


def told(alerts: Sequence[Alert], routing: Routing, key: str = "", door: str = "alertmanager") -> IncidentEvent:
    """The door's event, each time another one."""
    global _told
    _told += 1
    group = group_of(alerts[0].labels, routing)
    firing = any(a.status is AlertStatus.FIRING for a in alerts)
    moments = [a.ends_at or a.starts_at or START for a in alerts]
    return IncidentEvent(
        door=door,
        kind=EventKind.TRIGGERED if firing else EventKind.RESOLVED,
        type_name=f"{door}.{_told}",
        event_id=f"E{_told}",
        delivery_id=f"D{_told}",
        incident_id="group:" + hashlib.sha256(group.encode()).hexdigest()[:20],
        occurred_at=max(moments),
        alerts=tuple(alerts),
        known_as=(f"key:{key}",) if key else (),
        title=alerts[0].name,
    )
