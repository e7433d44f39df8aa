"""What an (action, service) has done before, from the audit chain in PostgreSQL: implements policy.autonomy.TrackRecord."""

from sre_agent.adapters.postgres.chain import record_of
from sre_agent.adapters.postgres.database import Database
from sre_agent.audit.record import AuditEntry, link
from sre_agent.incident.errors import Permanent
from sre_agent.policy.autonomy import HISTORY, KINDS

# audit_plan is migrations/0007's: [action, service] of an entry about a plan, real or in shadow, cut to its index's width.
_HISTORY = """
    WITH concerned AS (
        SELECT incident_id FROM audit WHERE audit_plan(entry) = ARRAY[left(%(action)s, 200), left(%(service)s, 200)]
        GROUP BY incident_id ORDER BY max(sequence) DESC LIMIT %(limit)s
    )
    SELECT sequence, previous, entry, hash, incident_id FROM audit
    WHERE incident_id IN (SELECT incident_id FROM concerned) AND entry::jsonb ->> 'kind' = ANY(%(kinds)s) ORDER BY sequence
"""

_PAIRS = "SELECT DISTINCT audit_plan(entry) FROM audit WHERE audit_plan(entry) IS NOT NULL"


class PostgresTrackRecord:
    """See policy.autonomy.TrackRecord."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, action: str, service: str) -> tuple[AuditEntry, ...]:
        """The pair's newest incidents; every record is compared with its own hash."""
        rows = await self._database.rows(_HISTORY, {"action": action, "service": service, "limit": HISTORY, "kinds": sorted(KINDS)})
        records = tuple(record_of(row) for row in rows)
        for record in records:
            if link(record.previous, record.sequence, record.entry).hash != record.hash:
                raise Permanent(f"audit record {record.sequence} was changed; `sre-agent audit verify` checks the chain")
        return tuple(record.entry for record in records)

    async def pairs(self) -> tuple[tuple[str, str], ...]:
        """Everything that ever had a plan; read from the index, so only for people to look at."""
        rows = await self._database.rows(_PAIRS)
        return tuple(sorted((action, service) for ((action, service),) in rows if action is not None and service is not None))
