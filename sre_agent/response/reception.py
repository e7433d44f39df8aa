"""From what a door told to the incident it is about. One incident, however many doors tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sre_agent.handback.alert_desk import AlertDesk
from sre_agent.incident.alert import Alert
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.telling import GROUP, place_of
from sre_agent.response.own_incident import PAGERDUTY, fresh_id, own
from sre_agent.response.record import IncidentRecord
from sre_agent.response.told import ToldAlerts, anything_fires
from sre_agent.response.walk import Walk
from sre_agent.routing.file import Routing
from sre_agent.routing.group import group_of

SAME_WITHIN: Final = timedelta(hours=1)
"""An alert that comes back within this is the same incident; later it is a new one."""

FORGOTTEN: Final = timedelta(hours=24)
"""So long after its last step a finished incident of another tracker no longer takes in news of other doors."""

_TELLING: Final = frozenset({EventKind.TRIGGERED, EventKind.RESOLVED, EventKind.ANNOTATED, EventKind.OTHER})


@dataclass(frozen=True)
class Heard:
    """An event about the incident that it belongs to. `fresh`: the record to begin with where there is none. `firing` says
    whether anything of the incident fires; None where the door keeps that to itself (PagerDuty).
    """

    event: IncidentEvent
    fresh: IncidentRecord
    names: tuple[str, ...] = ()
    firing: bool | None = None


@dataclass(frozen=True)
class Reception:
    """Finds the incident. `desks` maps a door that is only a doorbell to where the alert is fetched."""

    walk: Walk
    told: ToldAlerts
    routing: Routing
    desks: Mapping[str, AlertDesk] = field(default_factory=dict)

    async def received(self, event: IncidentEvent) -> Heard | None:
        """The incident's own event; None where it tells nothing that concerns us. Raises Transient: the event is kept."""
        now = self.walk.clock.now()
        if event.incident_id is None:
            return None
        if event.alerts or event.door in self.desks:
            return await self._told(event, event.incident_id, now)
        return await self._tracked(event, event.incident_id, now)

    async def _tracked(self, event: IncidentEvent, incident_id: str, now: datetime) -> Heard:
        """PagerDuty's own, unless it is known as one that another door told of first."""
        names = tuple(dict.fromkeys((f"{PAGERDUTY}{incident_id}", *event.known_as)))
        known = await self.told.incidents_of(names)
        # An incident is what it was first taken for; a key that is used again later begins another one.
        mine = known.get(names[0])
        if mine is None:
            past = await self._past(set(known.values()), now)
            mine = await self.told.claim(names, incident_id, now, past)
        fresh = IncidentRecord(id=mine, received_at=now, updated_at=now)
        return Heard(event.model_copy(update={"incident_id": mine}), fresh, names[:1] if own(mine) else ())

    async def _told(self, event: IncidentEvent, place: str, now: datetime) -> Heard | None:
        alerts, title, link = event.alerts, event.title, event.link
        if event.door in self.desks:
            fetched = await self.desks[event.door].alert(place.partition(":")[2])
            alerts, title, link = fetched.alerts, fetched.title, fetched.link
        # Another door may tell of the same alerts without any name in common: the group is one.
        group = place if place.startswith(GROUP) else self._group(alerts)
        names = tuple(dict.fromkeys(n for n in (place, group, *event.known_as) if n))
        known = await self.told.incidents_of(names)
        firing = anything_fires(alerts)
        if not known and not firing:
            return None  # the end of something that nobody here heard the beginning of
        past = await self._past(set(known.values()), now)
        mine = await self.told.claim(names, fresh_id(group or place, event.occurred_at), now, past)
        await self.told.keep(mine, alerts)
        still = (firing and alerts[0].labels_known) or anything_fires(await self.told.alerts_of(mine))
        fresh = IncidentRecord(
            id=mine, received_at=now, updated_at=now, door=event.door if own(mine) else "", title=title or _named(alerts), link=link
        )
        kind = event.kind
        if kind in _TELLING:
            kind = EventKind.TRIGGERED if still else EventKind.RESOLVED
        linked = tuple(n for n in names if n.partition(":")[0] in self.desks)
        return Heard(event.model_copy(update={"incident_id": mine, "kind": kind}), fresh, linked, still)

    def _group(self, alerts: tuple[Alert, ...]) -> str:
        """The group's name, as the doors that know it give it; "" where no labels are known: such alerts join nobody."""
        known = next((a for a in alerts if a.labels_known), None)
        if known is None:
            return ""
        return place_of(group_of(known.labels, self.routing))

    async def _past(self, incidents: set[str], now: datetime) -> frozenset[str]:
        """Those that are over for so long that what comes now is something new."""
        over = set[str]()
        for incident_id in sorted(incidents):
            record = await self.walk.store.load(incident_id)
            if record is not None and _is_past(record, now):
                over.add(incident_id)
        return frozenset(over)


def _is_past(record: IncidentRecord, now: datetime) -> bool:
    if own(record.id):
        ended = record.memory.resolved_at
        return record.memory.firing_since is None and ended is not None and now - ended > SAME_WITHIN
    return record.state.final and now - record.updated_at > FORGOTTEN


def _named(alerts: tuple[Alert, ...]) -> str:
    return alerts[0].name[:200] if alerts else ""
