"""What the doors told, in memory: the double of adapters.postgres.told_alerts, held to the same contract."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.response.document import as_stored
from sre_agent.response.told import MOST_ALERTS, DigestLine, bounded, identity_of, moment_of

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryToldAlerts:
    """response.told.ToldAlerts over dicts."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._alerts: dict[str, dict[str, Alert]] = {}
        self._lines: dict[tuple[str, datetime], tuple[DigestLine, bool]] = {}

    async def incidents_of(self, names: Iterable[str]) -> dict[str, str]:
        """Name -> incident."""
        return {name: self._names[name] for name in names if name in self._names}

    async def claim(self, names: Iterable[str], incident_id: str, at: datetime, past: frozenset[str] = frozenset()) -> str:  # noqa: ARG002
        """The first name's holder that is not past, else the given incident."""
        wanted = tuple(names)
        # A dict keeps the order in which names were given, which is their age.
        held = [holder for name, holder in self._names.items() if name in wanted and holder not in past]
        holder = held[0] if held else incident_id
        for name in wanted:
            if self._names.get(name) is None or self._names[name] in past:
                self._names.pop(name, None)
                self._names[name] = holder
        return holder

    async def keep(self, incident_id: str, alerts: Iterable[Alert]) -> None:
        """The newest of each."""
        known = self._alerts.setdefault(incident_id, {})
        for alert in map(as_stored, alerts):
            before = known.get(identity_of(alert))
            if before is None or moment_of(before, _LONG_AGO) <= moment_of(alert, _LONG_AGO):
                known[identity_of(alert)] = alert

    async def alerts_of(self, incident_id: str) -> tuple[Alert, ...]:
        """Firing first, then by age."""
        listed = self._alerts.get(incident_id, {})
        ordered = sorted(listed.items(), key=lambda i: (i[1].status is not AlertStatus.FIRING, moment_of(i[1], _LONG_AGO), i[0]))
        return bounded([a for _, a in ordered], len(ordered) > MOST_ALERTS)

    async def put_line(self, line: DigestLine) -> None:
        """Unless it went out."""
        if not self._lines.get((line.incident_id, line.due_at), (line, False))[1]:
            self._lines[(line.incident_id, line.due_at)] = (line, False)

    async def lines_due(self, receiver: str, now: datetime) -> tuple[DigestLine, ...]:
        """Oldest first."""
        waiting = [line for line, sent in self._lines.values() if not sent and line.receiver == receiver and line.due_at <= now]
        return tuple(sorted(waiting, key=lambda line: (line.due_at, line.incident_id)))

    async def lines_sent(self, lines: Iterable[DigestLine], now: datetime) -> None:  # noqa: ARG002
        """They went out."""
        for line in lines:
            self._lines[(line.incident_id, line.due_at)] = (line, True)
