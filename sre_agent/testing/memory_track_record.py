"""A double of the track record over the store double: the contract tests hold it to the real one's semantics."""

from sre_agent.audit.record import AuditEntry
from sre_agent.policy.autonomy import HISTORY, KINDS, pair_of
from sre_agent.testing.memory_store import MemoryStore


class MemoryTrackRecord:
    """policy.autonomy.TrackRecord."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def history(self, action: str, service: str) -> tuple[AuditEntry, ...]:
        """The pair's newest incidents."""
        entries = [record.entry for record in await self._store.audit(None)]
        planned = [e.incident_id for e in reversed(entries) if pair_of(e) == (action, service)]
        newest = tuple(dict.fromkeys(planned))[:HISTORY]
        return tuple(e for e in entries if e.incident_id in newest and e.kind in KINDS)

    async def pairs(self) -> tuple[tuple[str, str], ...]:
        """Everything that ever had a plan."""
        found = (pair_of(record.entry) for record in await self._store.audit(None))
        return tuple(sorted({(pair[0][:200], pair[1][:200]) for pair in found if pair is not None}))
