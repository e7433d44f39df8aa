"""The ledger of intents and its budgets in PostgreSQL: implements execution.ledger.Ledger and policy.facts.Budgets."""

from datetime import datetime, timedelta
from typing import Any

from sre_agent import __version__
from sre_agent.adapters.postgres.database import Connection, Database, lock_number
from sre_agent.execution.budget import (
    DAY_WINDOW_S,
    FAILOVERS,
    GLOBAL_WINDOW_S,
    SERVICE_WINDOW_S,
    TARGET_WINDOW_S,
    Limits,
    refuse_if_spent,
)
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import Conflict, Permanent, Refused
from sre_agent.policy.facts import SpentBudget
from sre_agent.response.document import document

# An intent without an end counts however old it is.
SPENT = """
    SELECT
        count(*) FILTER (WHERE target_key = %(target)s AND (created_at > %(target_since)s OR state = 'intent')),
        count(*) FILTER (WHERE service = %(service)s AND (created_at > %(service_since)s OR state = 'intent')),
        count(*) FILTER (WHERE created_at > %(global_since)s OR state = 'intent'),
        count(*) FILTER (WHERE created_at > %(day_since)s OR state = 'intent'),
        count(*) FILTER (WHERE target_key = %(target)s AND state = 'intent'),
        count(*) FILTER (WHERE state = 'intent'),
        count(*) FILTER (WHERE incident_id = %(incident)s AND action = ANY(%(failovers)s))
    FROM intent WHERE state <> 'not_done'
"""


class PostgresLedger:
    """See execution.ledger.Ledger; `limits` are reserved against in `open`; `version` is this program's (see halt.py)."""

    def __init__(self, database: Database, limits: Limits, version: str = __version__) -> None:
        self._database = database
        self._limits = limits
        self._version = version

    async def open(self, intent: Intent) -> Intent:
        """Insert the intent and so reserve its budget, or return the row that is already there under its key.

        Raises Refused: "permit-used", "halted" (the switch is read in this transaction: no intent is written after it
        was engaged), or a "budget-..." rule.
        """
        async with self._database.transaction() as connection:
            # INVARIANT: counting and inserting are one step. This lock serialises every open, in all processes.
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("ledger"),))
            stored = await _row(connection, intent.key)
            if stored is not None:
                return stored
            used = await (await connection.execute("SELECT 1 FROM intent WHERE permit_id = %s", (intent.permit_id,))).fetchone()
            if used is not None:
                raise Refused("permit-used", f"permit {intent.permit_id} opened another intent already; a permit is good for one")
            halt = await (await connection.execute("SELECT engaged, version FROM halt FOR SHARE")).fetchone()
            if halt is None or halt[0] or halt[1] != self._version:
                raise Refused("halted", "the kill switch is engaged")
            spent = await _spent(connection, intent.target_key, intent.service, intent.incident_id, intent.created_at)
            refuse_if_spent(spent, self._limits, intent)
            await connection.execute(
                "INSERT INTO intent (key, permit_id, incident_id, action, target_key, service, state, created_at, document)"
                " VALUES (%(key)s, %(permit_id)s, %(incident_id)s, %(action)s, %(target_key)s, %(service)s, %(state)s,"
                " %(created_at)s, %(document)s)",
                {
                    **intent.model_dump(exclude={"steps", "scratch", "precondition"}),
                    "state": intent.state.value,
                    "document": document(intent),
                },
            )
        return intent

    async def step(self, key: str, step: str, scratch: dict[str, Any]) -> Intent:
        """Append `step`, merge `scratch`. Conflict when the row is closed."""
        async with self._database.transaction() as connection:
            stored = await _open_row(connection, key)
            after = stored.model_copy(update={"steps": (*stored.steps, step), "scratch": {**stored.scratch, **scratch}})
            await _put(connection, after)
        return after

    async def close(self, key: str, state: IntentState, result: str) -> Intent:
        """Close the row for good. Conflict when it is closed already."""
        if state is IntentState.INTENT:
            raise Permanent(f"Intent {key} cannot be closed as still open.")
        async with self._database.transaction() as connection:
            stored = await _open_row(connection, key)
            now = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
            assert now is not None
            after = stored.model_copy(update={"state": state, "result": result, "closed_at": now[0]})
            await _put(connection, after)
        return after

    async def find(self, key: str) -> Intent | None:
        """The row, if any."""
        async with self._database.connection() as connection:
            return await _row(connection, key)

    async def unfinished(self, incident_id: str) -> tuple[Intent, ...]:
        """Open rows of an incident, oldest first."""
        rows = await self._database.rows(
            "SELECT document::text FROM intent WHERE incident_id = %(id)s AND state = 'intent' ORDER BY created_at, key",
            {"id": incident_id},
        )
        return tuple(Intent.model_validate_json(row[0]) for row in rows)

    async def of(self, incident_id: str) -> tuple[Intent, ...]:
        """Every row of an incident, oldest first."""
        rows = await self._database.rows(
            "SELECT document::text FROM intent WHERE incident_id = %(id)s ORDER BY created_at, key", {"id": incident_id}
        )
        return tuple(Intent.model_validate_json(row[0]) for row in rows)

    async def since(self, moment: datetime) -> tuple[Intent, ...]:
        """Rows opened after `moment`, and all that are open, oldest first."""
        rows = await self._database.rows(
            "SELECT document::text FROM intent WHERE created_at > %(moment)s OR state = 'intent' ORDER BY created_at, key",
            {"moment": moment},
        )
        return tuple(Intent.model_validate_json(row[0]) for row in rows)

    async def spent(self, target_key: str, service: str, incident_id: str, now: datetime) -> SpentBudget:
        """The counts at `now`: what the guard sees. `open` counts again, under its lock."""
        async with self._database.connection() as connection:
            return await _spent(connection, target_key, service, incident_id, now)


async def _spent(connection: Connection, target_key: str, service: str, incident_id: str, now: datetime) -> SpentBudget:
    counts = await (
        await connection.execute(
            SPENT,
            {
                "target": target_key,
                "service": service,
                "incident": incident_id,
                "failovers": sorted(FAILOVERS),
                "target_since": now - timedelta(seconds=TARGET_WINDOW_S),
                "service_since": now - timedelta(seconds=SERVICE_WINDOW_S),
                "global_since": now - timedelta(seconds=GLOBAL_WINDOW_S),
                "day_since": now - timedelta(seconds=DAY_WINDOW_S),
            },
        )
    ).fetchone()
    assert counts is not None
    return SpentBudget(**dict(zip(SpentBudget.model_fields, counts, strict=True)))


async def _row(connection: Connection, key: str) -> Intent | None:
    row = await (await connection.execute("SELECT document::text FROM intent WHERE key = %s", (key,))).fetchone()
    return None if row is None else Intent.model_validate_json(row[0])


async def _open_row(connection: Connection, key: str) -> Intent:
    """The open row, locked. Permanent when there is none, Conflict when it is closed."""
    row = await (await connection.execute("SELECT document::text FROM intent WHERE key = %s FOR UPDATE", (key,))).fetchone()
    if row is None:
        raise Permanent(f"The ledger has no intent {key}.")
    stored = Intent.model_validate_json(row[0])
    if stored.state is not IntentState.INTENT:
        raise Conflict(f"Intent {key} is closed as {stored.state.value} already.")
    return stored


async def _put(connection: Connection, intent: Intent) -> None:
    await connection.execute(
        "UPDATE intent SET state = %(state)s, document = %(document)s WHERE key = %(key)s",
        {"key": intent.key, "state": intent.state.value, "document": document(intent)},
    )
