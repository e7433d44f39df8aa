"""Drafts of status page updates in memory: the double of adapters.postgres.status_drafts, held to the same contract."""

from collections.abc import Iterable
from datetime import datetime

from sre_agent.handback.status_page import DraftState, KeptDraft, StatusDraft
from sre_agent.incident.errors import Conflict


class MemoryStatusDrafts:
    """handback.status_page.StatusDrafts over a dict."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptDraft] = {}

    async def keep(self, drafts: Iterable[StatusDraft], at: datetime) -> tuple[StatusDraft, ...]:
        """Those that were not kept yet."""
        made = []
        for draft in drafts:
            if draft.id not in self._kept:
                self._kept[draft.id] = KeptDraft(draft=draft, made_at=at, changed_at=at)
                made.append(draft)
        return tuple(made)

    async def get(self, draft_id: str) -> KeptDraft | None:
        """One draft."""
        return self._kept.get(draft_id)

    async def of_incident(self, incident_id: str) -> tuple[KeptDraft, ...]:
        """All of an incident, oldest first."""
        found = [k for k in self._kept.values() if k.draft.incident_id == incident_id]
        return tuple(sorted(found, key=lambda k: (k.made_at, k.draft.id)))

    async def listed(self, states: frozenset[DraftState], limit: int) -> tuple[KeptDraft, ...]:
        """Those in these states, newest first."""
        found = sorted((k for k in self._kept.values() if k.state in states), key=lambda k: k.draft.id)
        return tuple(sorted(found, key=lambda k: k.made_at, reverse=True)[:limit])

    async def move(self, before: KeptDraft, after: KeptDraft) -> None:
        """Compare and set."""
        now = self._kept.get(before.draft.id)
        if now is None or (now.state, now.changed_at) != (before.state, before.changed_at):
            raise Conflict(f"draft {before.draft.id} is not {before.state.value} any more: somebody was first")
        self._kept[before.draft.id] = after
