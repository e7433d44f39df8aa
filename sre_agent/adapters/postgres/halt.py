"""The kill switch as one durable row: implements policy.halt.KillSwitch.

The row carries the program's version. SAFETY: to a process of another version the switch is engaged, whatever the row
says, from its first moment and without anything being written; `entered` then writes it down for everybody.
"""

from datetime import datetime

from sre_agent import __version__
from sre_agent.adapters.postgres import chain
from sre_agent.adapters.postgres.database import Connection, Database, Row
from sre_agent.incident.errors import ConfigurationError, SreAgentError
from sre_agent.policy.halt import HaltState, audited, installed, tampered, upgraded

_READ = "SELECT engaged, moved_by, reason, at, cause, version, now() FROM halt"
_WRITE = """
    INSERT INTO halt (engaged, moved_by, reason, at, cause, version)
    VALUES (%(engaged)s, %(by)s, %(reason)s, %(at)s, %(cause)s, %(version)s)
    ON CONFLICT (single) DO UPDATE SET engaged = excluded.engaged, moved_by = excluded.moved_by, reason = excluded.reason,
        at = excluded.at, cause = excluded.cause, version = excluded.version
"""


class PostgresHalt:
    """Shared by every process on the database. `migrate` puts the first row there; `version` is this program's own."""

    def __init__(self, database: Database, version: str = __version__) -> None:
        self._database = database
        self._version = version

    async def halted(self) -> bool:
        """True when engaged. SAFETY: no row, no table, no answer, another version: halted."""
        try:
            return (await self.state()).engaged
        except SreAgentError:
            return True

    async def engage(self, by: str, reason: str, now: datetime) -> HaltState:
        """Engage; returns after every intent being written at this moment is either written or refused."""
        return await self._move(HaltState(engaged=True, by=by, reason=reason, at=now))

    async def lift(self, by: str, reason: str, now: datetime) -> HaltState:
        """Allow effects again, to programs of this version."""
        return await self._move(HaltState(engaged=False, by=by, reason=reason, at=now))

    async def state(self) -> HaltState:
        """How the switch stands for this version, who moved it last and why."""
        row = await self._database.row(_READ)
        if row is None:
            raise ConfigurationError("The database has no kill switch. Run: sre-agent migrate")
        stored, was = _stored(row)
        return stored if was == self._version else upgraded(stored, was, self._version, stored.at)

    async def entered(self) -> HaltState:
        """To be called at every start: after an upgrade the switch is engaged for good; the position from now on.

        Raises ConfigurationError before `migrate`, Transient when the database is away (and this version is halted then).
        """
        async with self._database.transaction() as connection:
            row = await (await connection.execute(f"{_READ} FOR UPDATE")).fetchone()
            if row is None:
                raise ConfigurationError("The database has no kill switch. Run: sre-agent migrate")
            return await _on_record(connection, self._version, row)

    async def distrust(self, record: int, now: datetime) -> HaltState:
        """Engage because the audit chain is broken at `record`, unless it is engaged: then the older reason stays."""
        stands = await self.state()
        return stands if stands.engaged else await self._move(tampered(record, now))

    async def _move(self, to: HaltState) -> HaltState:
        async with self._database.transaction() as connection:
            await _put(connection, to, self._version)
        return to


async def enter(connection: Connection, version: str) -> None:
    """`entered` for a migration: a database without a switch gets one, engaged."""
    async with connection.transaction():
        row = await (await connection.execute(f"{_READ} FOR UPDATE")).fetchone()
        await _on_record(connection, version, row)


async def _on_record(connection: Connection, version: str, row: Row | None) -> HaltState:
    """Put this version on record; the position that then holds."""
    if row is None:
        now = await (await connection.execute("SELECT now()")).fetchone()
        assert now is not None
        first = installed(version, now[0])
        await _put(connection, first, version)
        return first
    stored, was = _stored(row)
    if was == version:
        return stored
    after = upgraded(stored, was, version, row[6])
    await _put(connection, after, version)
    return after


async def _put(connection: Connection, to: HaltState, version: str) -> None:
    """Write the row and its audit record together."""
    await connection.execute(_WRITE, {**to.model_dump(), "cause": to.cause.value, "version": version})
    await chain.append(connection, [audited(to)])


def _stored(row: Row) -> tuple[HaltState, str]:
    """The position as it was written, and the version it was written for."""
    return HaltState(engaged=row[0], by=row[1], reason=row[2], at=row[3], cause=row[4]), row[5]
