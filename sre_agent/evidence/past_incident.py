"""Incidents that somebody's tracker thinks are like this one, and what people wrote about them."""

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class PastNote(BaseModel):
    """What a person wrote on an incident: untrusted text, cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime | None
    by: str
    text: str


class PastIncident(BaseModel):
    """One incident. `relation` is why the tracker names it: "past" (alike, of the same service), or what relates it.

    `score` is the tracker's own measure of likeness, where it gives one; it has no unit. `notes` are read for a few only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    relation: str
    created_at: datetime | None = None
    score: float | None = None
    notes: tuple[PastNote, ...] = ()


class IncidentHistory(Protocol):
    """Where incidents like this one are read from."""

    async def similar(self, incident_id: str) -> tuple[PastIncident, ...] | None:
        """Past ones first, most alike first, then related ones; None where the account does not have this at all.

        Raises Transient or Permanent when it could not be asked.
        """
        ...
