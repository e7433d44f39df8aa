"""Keeps what each round of an incident was decided on: one job's body, off every incident's critical path."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sre_agent.incident.errors import Permanent
from sre_agent.replay.recording.packed import packed
from sre_agent.replay.recording.recording import recorded_files
from sre_agent.replay.recording.store import Kept, Recordings
from sre_agent.response.record import IncidentRecord
from sre_agent.response.store import Store

MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class Recorder:
    """`recordings` None: nothing is recorded here. `books` as in Recording, of the bundle with the hash `bundle`."""

    store: Store
    recordings: Recordings | None
    bundle: str = ""
    books: Mapping[str, str] = field(default_factory=dict)
    agent: str = ""
    most_bytes: int = MOST_BYTES

    async def record(self, incident_id: str, of_round: int) -> None:
        """Keep the round as it was decided. Doing it again changes nothing.

        Raises Permanent when the incident was reopened before: what the round was decided on is no longer there.
        """
        if self.recordings is None:
            return
        record = await self.store.load(incident_id)
        if record is None or record.round != of_round:
            raise Permanent(f"round {of_round} of incident {incident_id} was over before it was recorded")
        made = await asyncio.to_thread(self._made, record)
        if made is not None:
            await self.recordings.keep(*made)

    def _made(self, record: IncidentRecord) -> tuple[Kept, bytes] | None:
        decided = record.judged.decision if record.judged else None
        books = self.books if decided is not None and decided.bundle_hash == self.bundle else {}
        found = recorded_files(record, books, self.agent, self.most_bytes)
        if found is None or decided is None:
            return None
        recording, files = found
        content = packed(files)
        kept = Kept(
            incident_id=record.id,
            round=record.round,
            at=recording.judged.at,
            title=recording.incident.title[:300],
            verdict=decided.verdict.value,
            decision_sha256=decided.sha256,
            exact=not recording.inexact,
            size=len(content),
        )
        return kept, content
