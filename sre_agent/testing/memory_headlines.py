"""Lists of incidents in memory: the double of adapters.postgres.headlines, held to the same contract."""

from sre_agent.response.headline import Headline, Wanted, headline, matches
from sre_agent.testing.memory_store import MemoryStore

_ALL = 1_000_000


class MemoryHeadlines:
    """response.headline.Headlines over a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def newest(self, wanted: Wanted, limit: int, skip: int = 0) -> tuple[Headline, ...]:
        """Those wanted, newest first."""
        lines = [headline(record) for record in await self._store.listing(None, _ALL)]
        return tuple([line for line in lines if matches(line, wanted)][skip : skip + limit])

    async def version(self, incident_id: str) -> int | None:
        """The version an incident is at."""
        record = await self._store.load(incident_id)
        return None if record is None else record.version
