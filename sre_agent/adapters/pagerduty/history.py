"""Incidents that PagerDuty thinks are like this one, with what people wrote when they dealt with them.

Both lists are part of a paid plan: 402, 403 and 404 mean that this account does not have them, not that there are none.
Notes are read for the most alike few, without the agent's own, which would only tell it what it thought before.
"""

import asyncio
import math
from typing import Final

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.adapters.pagerduty.gateway import Gateway
from sre_agent.evidence.past_incident import PastIncident, PastNote
from sre_agent.incident.errors import Permanent
from sre_agent.intake.untrusted import fields, items, moment, pagerduty_id, text

MOST: Final = 5
"""Incidents of each list."""
READ: Final = 2
"""Past incidents whose notes are read: an alert storm must not use up the rate limit that the agent's own notes need."""
MOST_NOTES: Final = 5
LONGEST_NOTE: Final = 1_500


class History:
    """Reads through a gateway; raises what it raises."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def similar(self, incident_id: str, own_user: str | None) -> tuple[PastIncident, ...] | None:
        """See evidence.past_incident.IncidentHistory; `own_user` is the agent's own user id. The id is checked by the caller."""
        past, related = await asyncio.gather(
            self._list(incident_id, "past_incidents", {"limit": str(MOST)}), self._list(incident_id, "related_incidents", {})
        )
        if past is None and related is None:
            return None
        alike = [p for raw in past or () if (p := _past(raw)) is not None and p.id != incident_id][:MOST]
        others = [p for raw in related or () if (p := _related(raw)) is not None and p.id != incident_id][:MOST]
        read = await asyncio.gather(*(self._told(p, own_user) for p in alike[:READ]))
        return (*read, *alike[READ:], *others)

    async def _list(self, incident_id: str, name: str, params: dict[str, str | list[str]]) -> list[object] | None:
        """Neither list has pages. None: not available."""
        path = f"/incidents/{incident_id}/{name}"
        try:
            listed = (await self._gateway.get(path, params)).get(name)
        except (NotFound, NotAvailable):
            return None
        if not isinstance(listed, list):
            raise Permanent(f"PagerDuty: GET {path}: the answer has no list {name!r}")
        return items(listed)

    async def _told(self, past: PastIncident, own_user: str | None) -> PastIncident:
        """With what people wrote; as it is where the key may not read it."""
        try:
            noted = await self._gateway.get(f"/incidents/{past.id}/notes")
        except (NotFound, NotAvailable):
            return past
        notes = [n for raw in items(noted.get("notes")) if (n := _note(fields(raw), own_user)) is not None]
        return past.model_copy(update={"notes": tuple(notes[-MOST_NOTES:])})


def _past(raw: object) -> PastIncident | None:
    """{"incident": {id, title, created_at}, "score"}."""
    score = fields(raw).get("score")
    known = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
    return _incident(fields(raw).get("incident"), "past", float(str(score)) if known else None)


def _related(raw: object) -> PastIncident | None:
    """{"incident": {...}, "relationships": [{"type", "metadata"}]}."""
    types = [text(fields(r).get("type"), 60) for r in items(fields(raw).get("relationships"))[:3]]
    return _incident(fields(raw).get("incident"), ", ".join(filter(None, types)) or "related", None)


def _incident(raw: object, relation: str, score: float | None) -> PastIncident | None:
    incident = fields(raw)
    identity = pagerduty_id(incident.get("id"))
    if identity is None:
        return None
    title = text(incident.get("title"), 300) or text(incident.get("summary"), 300)
    return PastIncident(id=identity, title=title, relation=relation, created_at=moment(incident.get("created_at")), score=score)


def _note(note: dict[str, object], own_user: str | None) -> PastNote | None:
    """A person's note; None for an empty one and for the agent's own."""
    user = fields(note.get("user"))
    said = text(note.get("content"), LONGEST_NOTE).strip()
    if not said or (own_user is not None and user.get("id") == own_user):
        return None
    return PastNote(at=moment(note.get("created_at")), by=text(user.get("summary"), 100), text=said)
