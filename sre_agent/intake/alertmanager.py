"""Alertmanager's door: the webhook body, version 4 (Prometheus docs, "Alertmanager configuration", `<webhook_config>`).

One delivery is one of Alertmanager's groups, and becomes one event for each of *our* groups in it (routing's `group_of`).
Alertmanager signs nothing and numbers nothing, so an event is recognised by what it tells:

- the same alerts in the same states are the same event, whoever of a cluster sends them and however often. That ends ten minutes
  after the newest of them began or ended (and at once where that is not told): then a minute of its own tells two apart, because
  a sender that gives every firing the same start would otherwise not be heard the second time. (Prometheus gives each its own.)
- the id stands in `type_name` as well, where the inbox compares the moment too: two deliveries about one group in one moment
  are two.

INVARIANT: what could not be read may belong to any group of its delivery, so it is put, as an alert with unknown labels, into
every event of it: a truncated or half-readable delivery is never acted on.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.alert_details import alert_from_alertmanager
from sre_agent.intake.telling import bounded, facts_of, identity, kept, latest, place_of, title_of, unknown, web_link
from sre_agent.intake.untrusted import Unreadable, fields, items, label_set, read_json, text

DOOR: Final = "alertmanager"

GroupOf = Callable[[Mapping[str, str]], str]
"""Labels -> the group whose alerts make one incident."""

_FRESH: Final = timedelta(minutes=10)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SIGNS: Final = ("status", "groupKey", "commonLabels", "groupLabels")


def parse_delivery(body: bytes, received_at: datetime, group_of: GroupOf) -> tuple[IncidentEvent, ...]:
    """The events of one authentic delivery, at least one. Never raises.

    A body without readable alerts (a `payload` template of one's own) is an event about an alert with unknown labels when it
    shows any sign of telling about one; anything else is OTHER, about no incident.
    """
    try:
        told = fields(read_json(body))
    except Unreadable:
        told = {}
    readable, doubtful = _alerts(told)
    if not readable and not doubtful:
        return (_not_understood(body, received_at),)
    groups: dict[str, list[Alert]] = {}
    for alert in readable:
        groups.setdefault(group_of(alert.labels), []).append(alert)
    if not groups:
        groups[group_of(doubtful[0].labels)] = []
    key = text(told.get("groupKey"), 65_536)
    known_as = (f"key:{hashlib.sha256(key.encode()).hexdigest()}",) if key and len(groups) == 1 else ()
    link = web_link(told.get("externalURL"))
    return tuple(
        _event(group, (*alerts, *doubtful), received_at).model_copy(update={"known_as": known_as, "link": link})
        for group, alerts in groups.items()
    )


def oversize(received_at: datetime, cap: int, group_of: GroupOf) -> IncidentEvent:
    """What is kept of a delivery that was too large to be read: that there was one. One in a minute is enough."""
    why = f"Alertmanager sent a delivery of more than {cap} bytes; set max_alerts in its webhook_configs, or group by more labels"
    return _event(group_of({}), (unknown(why=why),), received_at.replace(second=0, microsecond=0))


def _alerts(told: Mapping[str, object]) -> tuple[list[Alert], list[Alert]]:
    """The alerts whose labels are known, and those whose are not."""
    alerts = [bounded(alert_from_alertmanager(raw)) for raw in items(told.get("alerts"))]
    readable, doubtful = [a for a in alerts if a.labels_known], [a for a in alerts if not a.labels_known]
    status = AlertStatus.RESOLVED if told.get("status") == "resolved" else AlertStatus.FIRING
    if told.get("truncatedAlerts") not in (None, 0, "0", ""):
        doubtful.append(unknown(status, why=f"Alertmanager left out {text(told.get('truncatedAlerts'), 12)} alerts (max_alerts)"))
    if not alerts and not doubtful and any(told.get(sign) for sign in _SIGNS):
        labels = label_set(told.get("commonLabels")) or label_set(told.get("groupLabels"))
        doubtful.append(unknown(status, labels, "the delivery names no alerts"))
    return readable, doubtful


def _event(group: str, alerts: tuple[Alert, ...], received_at: datetime) -> IncidentEvent:
    """The event about one of our groups."""
    firing = any(a.status is AlertStatus.FIRING for a in alerts)
    at = latest(alerts, received_at)
    fresh = at is not None and received_at - at <= _FRESH
    again = 0 if fresh else int((received_at - (at or _LONG_AGO)) / timedelta(minutes=1))
    name = identity(DOOR, group, again, facts_of(alerts))
    return IncidentEvent(
        door=DOOR,
        kind=EventKind.TRIGGERED if firing else EventKind.RESOLVED,
        type_name=f"{'firing' if firing else 'resolved'}:{name.removeprefix('sha256:')[:24]}",
        event_id=name,
        delivery_id=name,
        incident_id=place_of(group),
        occurred_at=at or received_at,
        alerts=kept(alerts),
        title=title_of(alerts),
    )


def _not_understood(body: bytes, received_at: datetime) -> IncidentEvent:
    """What is kept of a body that tells nothing."""
    name = "sha256:" + hashlib.sha256(body).hexdigest()
    return IncidentEvent(
        door=DOOR,
        kind=EventKind.OTHER,
        type_name="unreadable",
        event_id=name,
        delivery_id=name,
        incident_id=None,
        occurred_at=received_at,
        alerts=(unknown(why="the delivery could not be understood"),),
    )
