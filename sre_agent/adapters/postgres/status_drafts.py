"""Drafts of status page updates in PostgreSQL: implements handback.status_page.StatusDrafts."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sre_agent.adapters.postgres.database import Database
from sre_agent.handback.status_page import DraftState, KeptDraft, StatusDraft
from sre_agent.incident.errors import Conflict
from sre_agent.response.document import document, text

_KEEP: Final = """
    INSERT INTO status_draft (id, incident_id, state, kept, made_at, changed_at)
    VALUES (%(id)s, %(incident_id)s, %(state)s, %(kept)s::jsonb, %(at)s, %(at)s) ON CONFLICT (id) DO NOTHING RETURNING id
"""
_GET: Final = "SELECT kept::text FROM status_draft WHERE id = %(id)s"
_OF: Final = "SELECT kept::text FROM status_draft WHERE incident_id = %(incident_id)s ORDER BY made_at, id"
_LISTED: Final = """
    SELECT kept::text FROM status_draft WHERE state = ANY(%(states)s) ORDER BY made_at DESC, id LIMIT %(limit)s
"""
# INVARIANT: of any number that move a draft from the same state one does.
_MOVE: Final = """
    UPDATE status_draft SET state = %(state)s, kept = %(kept)s::jsonb, changed_at = %(at)s
    WHERE id = %(id)s AND state = %(before)s AND changed_at = %(before_at)s RETURNING id
"""


class PostgresStatusDrafts:
    """See handback.status_page.StatusDrafts for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, drafts: Iterable[StatusDraft], at: datetime) -> tuple[StatusDraft, ...]:
        """Those that were not kept yet."""
        made = []
        async with self._database.transaction() as connection:
            for draft in drafts:
                kept = KeptDraft(draft=draft, made_at=at, changed_at=at)
                values = {"id": text(draft.id), "incident_id": text(draft.incident_id), "state": kept.state.value, "at": at}
                cursor = await connection.execute(_KEEP, {**values, "kept": document(kept)})
                if await cursor.fetchone() is not None:
                    made.append(draft)
        return tuple(made)

    async def get(self, draft_id: str) -> KeptDraft | None:
        """One draft."""
        row = await self._database.row(_GET, {"id": text(draft_id)})
        return None if row is None else KeptDraft.model_validate_json(row[0])

    async def of_incident(self, incident_id: str) -> tuple[KeptDraft, ...]:
        """All of an incident, oldest first."""
        rows = await self._database.rows(_OF, {"incident_id": text(incident_id)})
        return tuple(KeptDraft.model_validate_json(row[0]) for row in rows)

    async def listed(self, states: frozenset[DraftState], limit: int) -> tuple[KeptDraft, ...]:
        """Those in these states, newest first."""
        rows = await self._database.rows(_LISTED, {"states": [s.value for s in states], "limit": limit})
        return tuple(KeptDraft.model_validate_json(row[0]) for row in rows)

    async def move(self, before: KeptDraft, after: KeptDraft) -> None:
        """Compare and set."""
        values = {"id": text(before.draft.id), "before": before.state.value, "before_at": before.changed_at}
        row = await self._database.row(
            _MOVE, {**values, "state": after.state.value, "kept": document(after), "at": after.changed_at}
        )
        if row is None:
            raise Conflict(f"draft {before.draft.id} is not {before.state.value} any more: somebody was first")
