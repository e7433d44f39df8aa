"""PagerDuty drops deliveries silently, so what is open there is compared with what is known here, and what is missing is told
to the inbox as if a door had heard it. From there on it is an event like any other: two workers, a repeat, and the real
delivery that comes after all make one incident and one investigation.

The rules, on purpose narrow:

- open there, unknown here: taken, if it began within LOOKBACK and after this agent was installed. What was open before an
  installation stays with the people who have it;
- open there, here cancelled because it was resolved: it was reopened, if PagerDuty says that it was triggered after our end
  (an older answer is only late). Acknowledged means that somebody has it. Other ends are not reopened by comparison;
- a plan under way here, resolved there: resolved.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.event import RECONCILED, EventKind, IncidentEvent
from sre_agent.incident.incident import IncidentStatus, OpenIncident
from sre_agent.response.lifecycle import PLANNING, WITHDRAWN_BY
from sre_agent.response.record import IncidentRecord, PastIncident, State
from sre_agent.response.store import IncidentHistory
from sre_agent.response.walk import Walk

LOOKBACK: Final = timedelta(hours=48)
"""As long as PagerDuty repeats a delivery: what is older was told, or is nobody's news."""

AT_ONCE: Final = 50
"""Incidents of each kind that one pass takes; the next pass goes on."""

Listed = Callable[[datetime], Awaitable[tuple[OpenIncident, ...] | None]]
"""What is open there since a moment, of all that is sent here. None: not known what is sent here."""


def unheard(there: Iterable[OpenIncident], known: Mapping[str, PastIncident], since: datetime) -> tuple[OpenIncident, ...]:
    """Those that began at `since` or later and are not known here, oldest first."""
    missing = [i for i in there if i.id not in known and i.created_at is not None and i.created_at >= since]
    return tuple(sorted(missing, key=lambda i: (i.created_at or since, i.id)))


def reopened_since(there: OpenIncident, record: IncidentRecord) -> bool:
    """Whether an incident that ended here as resolved was reopened there, and nobody told us."""
    ends = [e.at for e in record.timeline if e.kind == "plan_withdrawn"]
    resolved = record.state is State.CANCELLED and record.reason == WITHDRAWN_BY[EventKind.RESOLVED]
    newly = there.status is IncidentStatus.TRIGGERED and there.changed_at is not None
    # SAFETY: a list may lag behind; what was triggered before our end is the incident as it was then.
    return resolved and newly and bool(ends) and there.changed_at is not None and there.changed_at > max(ends)


def told(kind: EventKind, incident: OpenIncident | IncidentRecord, at: datetime, which: str = "") -> IncidentEvent:
    """The event that no door heard. Its ids follow from what happened, so that whoever finds it tells the same."""
    identity = ":".join(filter(None, (kind.value, incident.id, which)))
    return IncidentEvent(
        door=RECONCILED,
        kind=kind,
        type_name=f"incident.{kind.value}",
        event_id=identity,
        delivery_id=identity,
        incident_id=incident.id,
        occurred_at=at,
        service_id=incident.service.id if isinstance(incident, OpenIncident) else "",
    )


@dataclass(frozen=True)
class Reconcile:
    """One pass. Run at start and every few minutes by any number of workers."""

    walk: Walk
    history: IncidentHistory
    listed: Listed
    standing: Callable[[str], Awaitable[OpenIncident | None]]
    """One incident as it stands there; None when it is resolved. Permanent when it cannot be told."""
    installed: Callable[[], Awaitable[datetime]]

    async def once(self) -> Counter[EventKind]:
        """What was missing, by kind. Raises Transient when a side is away: the next pass finds the same."""
        now = self.walk.clock.now()
        there = await self.listed(now - LOOKBACK)
        found: Counter[EventKind] = Counter()
        if there is not None:
            known = {p.id: p for p in await self.history.past(now, tuple(i.id for i in there), 1)}
            since = max(now - LOOKBACK, await self.installed())
            for incident in unheard(there, known, since)[:AT_ONCE]:
                await self._tell(told(EventKind.TRIGGERED, incident, incident.created_at or now), found)
            await self._reopened(there, known, found)
        await self._resolved({i.id for i in there or ()}, found)
        return found

    async def _reopened(self, there: Iterable[OpenIncident], known: Mapping[str, PastIncident], found: Counter[EventKind]) -> None:
        ended = [i for i in there if i.id in known and known[i.id].state is State.CANCELLED]
        for incident in [i for i in ended if i.status is IncidentStatus.TRIGGERED][:AT_ONCE]:
            record = await self.walk.load(incident.id)
            if incident.changed_at is not None and reopened_since(incident, record):
                await self._tell(told(EventKind.REOPENED, incident, incident.changed_at, f"round {record.round}"), found)

    async def _resolved(self, open_there: set[str], found: Counter[EventKind]) -> None:
        """Looked up one by one: not being in the list may mean older, or sent elsewhere."""
        under_way = [r for r in await self.walk.store.listing(PLANNING, 4 * AT_ONCE) if r.id not in open_there and not r.reason]
        for record in under_way[:AT_ONCE]:
            try:
                stands = await self.standing(record.id)
            except Transient:
                raise
            except Permanent:
                continue  # deleted there, or not ours to see: no reason to stop
            if stands is None:
                event = told(EventKind.RESOLVED, record, self.walk.clock.now(), f"round {record.round}")
                await self._tell(event, found)

    async def _tell(self, event: IncidentEvent, found: Counter[EventKind]) -> None:
        if await self.walk.store.accept(event, b"{}", self.walk.clock.now()):
            found[event.kind] += 1
