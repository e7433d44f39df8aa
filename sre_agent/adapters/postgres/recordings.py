"""The flight recorder's shelf in PostgreSQL: implements replay.recording.store.Recordings."""

from datetime import timedelta
from typing import Final

from sre_agent.adapters.postgres.database import Database, Row
from sre_agent.replay.recording.store import Kept
from sre_agent.response.document import text

_NEWEST: Final = """
    SELECT incident_id, round, at, title, verdict, decision_sha256, exact, size FROM recording
    ORDER BY at DESC, incident_id, round LIMIT %(limit)s
"""
_ROUNDS: Final = """
    SELECT incident_id, round, at, title, verdict, decision_sha256, exact, size FROM recording
    WHERE incident_id = %(id)s ORDER BY round
"""
_CONTENT: Final = "SELECT content FROM recording WHERE incident_id = %(id)s AND round = %(round)s"
_KEEP: Final = """
    INSERT INTO recording (incident_id, round, at, title, verdict, decision_sha256, exact, size, content)
    VALUES (%(incident_id)s, %(round)s, %(at)s, %(title)s, %(verdict)s, %(decision_sha256)s, %(exact)s, %(size)s, %(content)s)
    ON CONFLICT (incident_id, round) DO UPDATE SET at = excluded.at, title = excluded.title, verdict = excluded.verdict,
        decision_sha256 = excluded.decision_sha256, exact = excluded.exact, size = excluded.size, content = excluded.content
"""
_TOO_OLD: Final = "DELETE FROM recording WHERE at < %(at)s - %(keep)s"
# The newest that fit together stay.
_TOO_MUCH: Final = """
    DELETE FROM recording WHERE (incident_id, round) IN (
        SELECT incident_id, round FROM (
            SELECT incident_id, round, sum(size) OVER (ORDER BY at DESC, incident_id, round) AS so_far FROM recording
        ) AS counted WHERE so_far > %(most)s
    )
"""


class PostgresRecordings:
    """`most_bytes`: of all together, packed; `keep`: how long one is kept. See replay.recording.store.Recordings."""

    def __init__(self, database: Database, most_bytes: int, keep: timedelta) -> None:
        self._database = database
        self._most_bytes = most_bytes
        self._keep = keep

    async def keep(self, kept: Kept, content: bytes) -> None:
        """In one transaction with what goes for it."""
        row = {**kept.model_dump(), "title": text(kept.title), "content": content}
        async with self._database.transaction() as connection:
            await connection.execute(_KEEP, row)
            await connection.execute(_TOO_OLD, {"at": kept.at, "keep": self._keep})
            await connection.execute(_TOO_MUCH, {"most": self._most_bytes})

    async def listing(self, limit: int) -> tuple[Kept, ...]:
        """Newest first."""
        return tuple(_kept(row) for row in await self._database.rows(_NEWEST, {"limit": limit}))

    async def rounds(self, incident_id: str) -> tuple[Kept, ...]:
        """Those of one incident."""
        return tuple(_kept(row) for row in await self._database.rows(_ROUNDS, {"id": text(incident_id)}))

    async def content(self, incident_id: str, round_: int) -> bytes | None:
        """The packed case."""
        row = await self._database.row(_CONTENT, {"id": text(incident_id), "round": round_})
        return None if row is None else bytes(row[0])


def _kept(row: Row) -> Kept:
    return Kept.model_validate(dict(zip(Kept.model_fields, row, strict=True)))
