"""What the doors told, in PostgreSQL: implements response.told.ToldAlerts."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sre_agent.adapters.postgres.database import Connection, Database
from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.response.document import document, text
from sre_agent.response.told import MOST_ALERTS, DigestLine, bounded, identity_of, moment_of

LONGEST_NAME: Final = 200

_FREE: Final = """
    INSERT INTO incident_name (name, incident_id, named_at)
    SELECT name, %(incident_id)s, %(at)s FROM unnest(%(names)s::text[]) AS given (name) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET incident_id = excluded.incident_id, named_at = excluded.named_at
        WHERE incident_name.incident_id = ANY(%(past)s)
"""
_HOLDERS: Final = """
    SELECT name, incident_id FROM incident_name WHERE name = ANY(%(names)s) ORDER BY named_at, name
"""
_KEEP: Final = """
    INSERT INTO told_alert (incident_id, identity, moment, firing, alert)
    SELECT %(incident_id)s, given.* FROM unnest(%(identity)s::text[], %(moment)s::timestamptz[], %(firing)s::boolean[],
                                                %(alert)s::jsonb[]) AS given (identity, moment, firing, alert) ORDER BY identity
    ON CONFLICT (incident_id, identity) DO UPDATE
        SET moment = excluded.moment, firing = excluded.firing, alert = excluded.alert
        WHERE told_alert.moment <= excluded.moment
"""
_ALERTS: Final = """
    SELECT alert::text FROM told_alert WHERE incident_id = %(incident_id)s
    ORDER BY firing DESC, moment, identity LIMIT %(limit)s
"""
_PUT_LINE: Final = """
    INSERT INTO digest_line (incident_id, receiver, due_at, line) VALUES (%(incident_id)s, %(receiver)s, %(due_at)s, %(line)s)
    ON CONFLICT (incident_id, due_at) DO UPDATE SET receiver = excluded.receiver, line = excluded.line
        WHERE digest_line.sent_at IS NULL
"""
_DUE: Final = """
    SELECT incident_id, receiver, due_at, line FROM digest_line
    WHERE receiver = %(receiver)s AND due_at <= %(now)s AND sent_at IS NULL ORDER BY due_at, incident_id
"""
_SENT: Final = """
    UPDATE digest_line SET sent_at = %(now)s
    FROM unnest(%(incidents)s::text[], %(dues)s::timestamptz[]) AS told (incident_id, due_at)
    WHERE digest_line.incident_id = told.incident_id AND digest_line.due_at = told.due_at
"""


class PostgresToldAlerts:
    """See response.told.ToldAlerts for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def incidents_of(self, names: Iterable[str]) -> dict[str, str]:
        """Name -> incident."""
        given = {_key(name): name for name in names}
        rows = await self._database.rows(_HOLDERS, {"names": list(given)})
        return {given[row[0]]: row[1] for row in rows}

    async def claim(self, names: Iterable[str], incident_id: str, at: datetime, past: frozenset[str] = frozenset()) -> str:
        """See the protocol. Names are taken in one order, so that two doors never wait for each other in a ring."""
        wanted = {"names": sorted({_key(name) for name in names}), "at": at, "past": sorted(past)}
        async with self._database.transaction() as connection:
            holder = await _holder(connection, wanted, past) or incident_id
            await connection.execute(_FREE, {**wanted, "incident_id": holder})
            # Somebody may have committed a name between the look and the insert: theirs stands, and the rest joins it.
            first = await _holder(connection, wanted, past)
            if first is not None and first != holder:
                await connection.execute(_FREE, {**wanted, "incident_id": first, "past": [*sorted(past), holder]})
                holder = first
        return holder

    async def keep(self, incident_id: str, alerts: Iterable[Alert]) -> None:
        """One statement for all of them."""
        long_ago = datetime(1970, 1, 1, tzinfo=UTC)
        newest: dict[str, Alert] = {}
        for alert in alerts:
            known = newest.get(_key(identity_of(alert)))
            if known is None or moment_of(known, long_ago) <= moment_of(alert, long_ago):
                newest[_key(identity_of(alert))] = alert
        if not newest:
            return
        columns = {
            "identity": list(newest),
            "moment": [moment_of(a, long_ago) for a in newest.values()],
            "firing": [a.status is AlertStatus.FIRING for a in newest.values()],
            "alert": [document(a) for a in newest.values()],
        }
        async with self._database.transaction() as connection:
            await connection.execute(_KEEP, {**columns, "incident_id": incident_id})

    async def alerts_of(self, incident_id: str) -> tuple[Alert, ...]:
        """Firing first, then by age."""
        rows = await self._database.rows(_ALERTS, {"incident_id": incident_id, "limit": MOST_ALERTS + 1})
        return bounded([Alert.model_validate_json(row[0]) for row in rows], len(rows) > MOST_ALERTS)

    async def put_line(self, line: DigestLine) -> None:
        """Insert, or replace what has not gone out."""
        async with self._database.transaction() as connection:
            await connection.execute(_PUT_LINE, {**line.model_dump(), "line": text(line.line)})

    async def lines_due(self, receiver: str, now: datetime) -> tuple[DigestLine, ...]:
        """Oldest first."""
        rows = await self._database.rows(_DUE, {"receiver": receiver, "now": now})
        return tuple(
            DigestLine(incident_id=i, receiver=r, due_at=due, line=said) for i, r, due, said in (tuple(row) for row in rows)
        )

    async def lines_sent(self, lines: Iterable[DigestLine], now: datetime) -> None:
        """One statement for all of them."""
        told = tuple(lines)
        values = {"now": now, "incidents": [t.incident_id for t in told], "dues": [t.due_at for t in told]}
        async with self._database.transaction() as connection:
            await connection.execute(_SENT, values)


async def _holder(connection: Connection, wanted: dict[str, object], past: frozenset[str]) -> str | None:
    """Whose the names are that belong to somebody: the one who has had one for longest."""
    rows = await (await connection.execute(_HOLDERS, wanted)).fetchall()
    return next((incident for _, incident in rows if incident not in past), None)


def _key(name: str) -> str:
    """The name as an index can hold it."""
    stored = text(name)
    return stored if len(stored) <= LONGEST_NAME else hashlib.sha256(stored.encode()).hexdigest()
