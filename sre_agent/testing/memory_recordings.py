"""The recorder's shelf in memory, with the real one's semantics; the contract tests hold it to that."""

from dataclasses import dataclass, field
from datetime import timedelta

from sre_agent.replay.recording.store import Kept


@dataclass
class MemoryRecordings:
    """replay.recording.store.Recordings."""

    most_bytes: int = 500_000_000
    keep_for: timedelta = timedelta(days=90)
    _held: dict[tuple[str, int], tuple[Kept, bytes]] = field(default_factory=dict)

    async def keep(self, kept: Kept, content: bytes) -> None:
        """Keep it; the oldest go when there is too much."""
        self._held[kept.incident_id, kept.round] = kept, content
        so_far = 0
        for each in await self.listing(len(self._held)):
            so_far += each.size
            if so_far > self.most_bytes or each.at < kept.at - self.keep_for:
                del self._held[each.incident_id, each.round]

    async def listing(self, limit: int) -> tuple[Kept, ...]:
        """Newest first."""
        found = sorted((k for k, _ in self._held.values()), key=lambda k: (k.incident_id, k.round))
        return tuple(sorted(found, key=lambda k: k.at, reverse=True)[:limit])

    async def rounds(self, incident_id: str) -> tuple[Kept, ...]:
        """Those of one incident."""
        return tuple(k for (i, _), (k, _) in sorted(self._held.items()) if i == incident_id)

    async def content(self, incident_id: str, round_: int) -> bytes | None:
        """The packed case."""
        held = self._held.get((incident_id, round_))
        return None if held is None else held[1]
