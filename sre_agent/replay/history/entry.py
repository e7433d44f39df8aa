"""One past incident as the pager's API tells it today, and the port through which past incidents are read."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.replay.case_shapes import JsonObject


class Span(BaseModel):
    """Which incidents: created in [since, until), both aware; of these services or teams (ids), all where none are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: datetime
    until: datetime
    services: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


class HistoryEntry(BaseModel):
    """One incident in PagerDuty's REST shapes, untrusted and unredacted.

    `alerts`, `log_entries` (oldest first) and `notes` are complete unless `problems` says why not, one line each for people
    ("log entries: not allowed with this key"); what could not be read is then empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident: JsonObject
    alerts: tuple[JsonObject, ...] = ()
    log_entries: tuple[JsonObject, ...] = ()
    notes: tuple[JsonObject, ...] = ()
    problems: tuple[str, ...] = ()


class IncidentArchive(Protocol):
    """The account's past incidents, read-only, at the pace its rate limit allows."""

    def incidents(self, span: Span) -> AsyncIterator[JsonObject]:
        """The incidents of a span as GET /incidents lists them, oldest first, each once.

        Raises Permanent where the account may not list them or a service or team is not known, Transient when it cannot be
        reached for long.
        """
        ...

    async def entry(self, incident: JsonObject) -> HistoryEntry:
        """A listed incident with its alerts, log entries and notes. Raises Transient only: what may not be read is a problem."""
        ...
