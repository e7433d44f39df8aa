"""What the doors told of incidents that no other system keeps for us: their alerts, and the names they go by."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert, AlertStatus

MOST_ALERTS: Final = 1000
"""Alerts of one incident that are looked at; of more it is said that some are not known."""


class DigestLine(BaseModel):
    """One line of a digest: what an incident waits to be told as, to whom, and when the digest is due."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident_id: str
    receiver: str
    due_at: datetime
    line: str


class ToldAlerts(Protocol):
    """Every method is one transaction. All raise Transient when the database cannot be reached."""

    async def incidents_of(self, names: Iterable[str]) -> dict[str, str]:
        """Name -> incident, of those names that belong to one."""
        ...

    async def claim(self, names: Iterable[str], incident_id: str, at: datetime, past: frozenset[str] = frozenset()) -> str:
        """Give names to an incident, unless one of them belongs to another: then all go to that one. Returns whose they are.

        A name of an incident in `past` belongs to nobody any more. Two doors that claim at once get the same answer.
        """
        ...

    async def keep(self, incident_id: str, alerts: Iterable[Alert]) -> None:
        """Remember alerts as they are now. One that is older than what is known of it (by its own times) changes nothing."""
        ...

    async def alerts_of(self, incident_id: str) -> tuple[Alert, ...]:
        """The incident's alerts, firing ones first, then by age; MOST_ALERTS at most.

        SAFETY: where there are more, one alert without known labels stands for the rest: such an incident is nobody's to act on.
        """
        ...

    async def put_line(self, line: DigestLine) -> None:
        """Keep a line for a digest; the same incident and time again replaces it, unless it went out."""
        ...

    async def lines_due(self, receiver: str, now: datetime) -> tuple[DigestLine, ...]:
        """Lines that wait for a digest due at `now` or before, oldest first."""
        ...

    async def lines_sent(self, lines: Iterable[DigestLine], now: datetime) -> None:
        """They went out."""
        ...


def identity_of(alert: Alert) -> str:
    """What makes an alert the same one again: its id at the door, else its labels."""
    if alert.source_id:
        return alert.source_id[:200]
    labels = json.dumps(alert.labels, sort_keys=True, ensure_ascii=True)
    return "labels:" + hashlib.sha256(labels.encode()).hexdigest()


def moment_of(alert: Alert, otherwise: datetime) -> datetime:
    """When the alert last changed, by its own times."""
    if alert.status is AlertStatus.RESOLVED and alert.ends_at is not None:
        return alert.ends_at
    return alert.starts_at or otherwise


def anything_fires(alerts: Sequence[Alert]) -> bool:
    """Whether anything does. What stands for alerts that could not be read has no end of its own: where others are known, they
    say when it is over.
    """
    known = [a for a in alerts if a.labels_known] or alerts
    return any(a.status is AlertStatus.FIRING for a in known)


def bounded(alerts: list[Alert], more: bool) -> tuple[Alert, ...]:
    """What `alerts_of` answers."""
    if not more:
        return tuple(alerts)
    return (*alerts[:MOST_ALERTS], Alert(labels={}, labels_known=False, source_id="more than can be looked at"))
