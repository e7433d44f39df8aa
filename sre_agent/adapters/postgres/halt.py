"""The kill switch as one durable row: implements policy.halt.KillSwitch."""

from datetime import datetime

from sre_agent.adapters.postgres import chain
from sre_agent.adapters.postgres.database import Database
from sre_agent.audit.record import AuditEntry
from sre_agent.incident.errors import ConfigurationError, SreAgentError
from sre_agent.policy.halt import HaltState


class PostgresHalt:
    """Shared by every process on the database. `migrate` puts the first row there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def halted(self) -> bool:
        """True when engaged. SAFETY: no row, no table, no answer: halted."""
        try:
            return (await self.state()).engaged
        except SreAgentError:
            return True

    async def engage(self, by: str, reason: str, now: datetime) -> HaltState:
        """Engage; returns after every intent being written at this moment is either written or refused."""
        return await self._move(HaltState(engaged=True, by=by, reason=reason, at=now))

    async def lift(self, by: str, reason: str, now: datetime) -> HaltState:
        """Allow effects again."""
        return await self._move(HaltState(engaged=False, by=by, reason=reason, at=now))

    async def state(self) -> HaltState:
        """How the switch stands, who moved it last and why."""
        row = await self._database.row("SELECT engaged, moved_by, reason, at FROM halt")
        if row is None:
            raise ConfigurationError("The database has no kill switch. Run: sre-agent migrate")
        return HaltState(engaged=row[0], by=row[1], reason=row[2], at=row[3])

    async def _move(self, to: HaltState) -> HaltState:
        """Write the row and its audit record together."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO halt (engaged, moved_by, reason, at) VALUES (%(engaged)s, %(by)s, %(reason)s, %(at)s)"
                " ON CONFLICT (single) DO UPDATE SET engaged = excluded.engaged, moved_by = excluded.moved_by,"
                " reason = excluded.reason, at = excluded.at",
                to.model_dump(),
            )
            kind = "halt_engaged" if to.engaged else "halt_lifted"
            await chain.append(
                connection, [AuditEntry(at=to.at, incident_id=None, kind=kind, actor=to.by, detail={"reason": to.reason})]
            )
        return to
