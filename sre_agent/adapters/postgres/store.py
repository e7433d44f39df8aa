"""The store of the walk in PostgreSQL: implements response.store.Store. Every method is one transaction."""

from datetime import datetime
from typing import Final, LiteralString

from sre_agent.adapters.postgres import chain, queue
from sre_agent.adapters.postgres.database import Connection, Database
from sre_agent.adapters.postgres.inbox import Inbox
from sre_agent.approval.decide import answered
from sre_agent.approval.request import Answer, ApprovalRequest
from sre_agent.audit.record import AuditEntry, AuditRecord, first_break
from sre_agent.incident.errors import ConfigurationError, Conflict, Permanent
from sre_agent.incident.event import IncidentEvent
from sre_agent.response.applied import advanced, answer_entry, replaceable
from sre_agent.response.document import document
from sre_agent.response.fatigue import Digest
from sre_agent.response.record import IncidentRecord, PastIncident, State, Step

COMPARE_AND_SET = """
    UPDATE incident SET state = %(state)s, version = %(version)s, updated_at = %(updated_at)s, document = %(document)s
    WHERE id = %(id)s AND version = %(expected)s
"""

PAST = """
    WITH recent AS (SELECT id FROM incident WHERE updated_at > %(since)s ORDER BY updated_at DESC, id DESC LIMIT %(limit)s)
    SELECT jsonb_build_object('id', id, 'state', state, 'received_at', told.received_at,
                              'tried_in_vain', told.tried_in_vain, 'incident', told.incident)::text
    FROM incident, jsonb_to_record(document) AS told (received_at jsonb, tried_in_vain jsonb, incident jsonb)
    WHERE id = ANY(%(ids)s) OR id IN (SELECT id FROM recent) ORDER BY updated_at DESC, id DESC
"""

APPROVAL: Final = "SELECT document::text FROM approval WHERE id = %s"
LOCKED_APPROVAL: Final = "SELECT document::text FROM approval WHERE id = %s FOR UPDATE"
"""For a look alone the plain one: a lock is written to disk, and waited for, like a change."""

PUT_APPROVAL = """
    INSERT INTO approval (id, incident_id, state, created_at, expires_at, document)
    VALUES (%(id)s, %(incident_id)s, %(state)s, %(created_at)s, %(expires_at)s, %(document)s)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at, document = excluded.document
"""

NEW_DIGEST = """
    INSERT INTO digest (id, opened_at, version, document) VALUES (%(id)s, %(opened_at)s, 1, %(document)s) ON CONFLICT DO NOTHING
"""
OLD_DIGEST = "UPDATE digest SET version = version + 1, document = %(document)s WHERE id = %(id)s AND version = %(expected)s"


class PostgresStore:
    """See response.store.Store for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = self.arrivals = Inbox(database)

    async def accept(self, event: IncidentEvent, body: bytes, received_at: datetime) -> bool:
        """Inbox row plus its job; False when this delivery, event or occurrence was here before."""
        return await self._inbox.accept(event, body, received_at)

    async def inbox(self, row: int) -> IncidentEvent:
        """The event of one inbox row. Permanent when there is no such row."""
        return await self._inbox.event(row)

    async def create(self, record: IncidentRecord, audit: tuple[AuditEntry, ...]) -> IncidentRecord:
        """Insert unless one exists (then `audit` is not written); the stored one."""
        async with self._database.transaction() as connection:
            inserted = await connection.execute(
                "INSERT INTO incident (id, version, state, received_at, updated_at, document)"
                " VALUES (%(id)s, %(version)s, %(state)s, %(received_at)s, %(updated_at)s, %(document)s) ON CONFLICT DO NOTHING",
                {**_columns(record), "received_at": record.received_at},
            )
            if inserted.rowcount == 1:
                await chain.append(connection, audit)
                return record
            stored = await _record(connection, record.id)
        if stored is None:  # inserted by another and not yet visible cannot be: the insert waited for it
            raise Permanent(f"Incident {record.id} is neither new nor stored.")
        return stored

    async def load(self, incident_id: str) -> IncidentRecord | None:
        """The stored record, if any."""
        async with self._database.connection() as connection:
            return await _record(connection, incident_id)

    async def listing(self, states: frozenset[State] | None, limit: int) -> tuple[IncidentRecord, ...]:
        """Newest first, by `received_at`."""
        rows = await self._database.rows(
            "SELECT document::text FROM incident WHERE %(states)s::text[] IS NULL OR state = ANY(%(states)s)"
            " ORDER BY received_at DESC, id DESC LIMIT %(limit)s",
            {"states": None if states is None else [s.value for s in states], "limit": limit},
        )
        return tuple(IncidentRecord.model_validate_json(row[0]) for row in rows)

    async def heard(self, since: datetime, limit: int) -> tuple[IncidentEvent, ...]:
        """Events about incidents received after `since`, newest first."""
        return await self._inbox.heard(since, limit)

    async def past(self, since: datetime, incident_ids: tuple[str, ...], limit: int) -> tuple[PastIncident, ...]:
        """Incidents that changed after `since`, newest first, and those named. The documents stay in the database."""
        rows = await self._database.rows(PAST, {"since": since, "ids": list(incident_ids), "limit": limit})
        return tuple(PastIncident.model_validate_json(row[0]) for row in rows)

    async def advance(self, record: IncidentRecord, step: Step) -> IncidentRecord:
        """One transition with all that belongs to it, or nothing of it; Conflict when somebody moved first."""
        after = advanced(record, step)
        async with self._database.transaction() as connection:
            moved = await connection.execute(COMPARE_AND_SET, {**_columns(after), "expected": record.version})
            # INVARIANT: this is the fence. Who read an older version changes nothing and starts nothing.
            if moved.rowcount != 1:
                raise Conflict(f"Incident {record.id} is no longer at version {record.version}: somebody moved first.")
            if step.approval is not None:
                replaceable(await _approval(connection, step.approval.id), step.approval)
                await _put_approval(connection, step.approval)
            await queue.defer(connection, step.jobs)
            await chain.append(connection, step.audit)
        return after

    async def approval(self, approval_id: str) -> ApprovalRequest | None:
        """One approval request with its answers."""
        async with self._database.connection() as connection:
            return await _approval(connection, approval_id, APPROVAL)

    async def approvals(self, pending_only: bool) -> tuple[ApprovalRequest, ...]:
        """Approval requests, newest first."""
        rows = await self._database.rows(
            "SELECT document::text FROM approval WHERE NOT %(pending)s OR state = 'pending' ORDER BY created_at DESC, id DESC",
            {"pending": pending_only},
        )
        return tuple(ApprovalRequest.model_validate_json(row[0]) for row in rows)

    async def approvals_since(self, since: datetime) -> tuple[ApprovalRequest, ...]:
        """Approval requests asked after `since`, newest first."""
        rows = await self._database.rows(
            "SELECT document::text FROM approval WHERE created_at > %(since)s ORDER BY created_at DESC, id DESC", {"since": since}
        )
        return tuple(ApprovalRequest.model_validate_json(row[0]) for row in rows)

    async def digest(self, digest_id: str | None) -> Digest | None:
        """A digest by its id; the newest for None."""
        row = await self._database.row(
            "SELECT document::text FROM digest WHERE %(id)s::text IS NULL OR id = %(id)s ORDER BY opened_at DESC, id DESC LIMIT 1",
            {"id": digest_id},
        )
        return None if row is None else Digest.model_validate_json(row[0])

    async def put_digest(self, digest: Digest) -> Digest:
        """Compare-and-set on its version; Conflict when somebody was first."""
        after = digest.model_copy(update={"version": digest.version + 1})
        values = {"id": after.id, "opened_at": after.opened_at, "expected": digest.version, "document": document(after)}
        async with self._database.transaction() as connection:
            written = await connection.execute(NEW_DIGEST if digest.version == 0 else OLD_DIGEST, values)
            if written.rowcount != 1:
                raise Conflict(f"Digest {digest.id} is no longer at version {digest.version}: somebody moved first.")
        return after

    async def answer(self, approval_id: str, answer: Answer, now: datetime) -> ApprovalRequest:
        """Record one person's answer and its audit entry; the request as it then stands. Conflict: see the protocol."""
        async with self._database.transaction() as connection:
            stored = await _approval(connection, approval_id)
            if stored is None:
                raise Permanent(f"There is no approval {approval_id}.")
            after = answered(stored, answer, now)
            await _put_approval(connection, after)
            await chain.append(connection, [answer_entry(after, answer)])
        return after

    async def installed_at(self) -> datetime:
        """When this database was made: the first start of an agent that remembers in it."""
        found = await self._database.row("SELECT min(applied_at) FROM schema_version")
        if found is None or found[0] is None:
            raise ConfigurationError("The database has no tables. Run: sre-agent migrate")
        installed: datetime = found[0]
        return installed

    async def append_audit(self, entry: AuditEntry) -> AuditRecord:
        """Append one record to the chain."""
        async with self._database.transaction() as connection:
            (record,) = await chain.append(connection, [entry])
        return record

    async def audit(self, incident_id: str | None) -> tuple[AuditRecord, ...]:
        """The chain in order: all of it, or one incident's records."""
        rows = await self._database.rows(
            "SELECT sequence, previous, entry, hash, incident_id FROM audit"
            " WHERE %(id)s::text IS NULL OR incident_id = %(id)s ORDER BY sequence",
            {"id": incident_id},
        )
        return tuple(chain.record_of(row) for row in rows)

    async def audit_break(self) -> int | None:
        """The first sequence number that does not follow, or the first one missing at the end; None: unbroken."""
        async with self._database.transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")  # chain and head of one moment
            rows = await (
                await connection.execute("SELECT sequence, previous, entry, hash, incident_id FROM audit ORDER BY sequence")
            ).fetchall()
            head = await (await connection.execute("SELECT sequence, hash FROM audit_head")).fetchone()
        records: list[AuditRecord] = []
        try:
            records.extend(map(chain.record_of, rows))  # keeps what it got before it raised
        except Permanent:
            return first_break(records) or len(records) + 1
        return chain_break(tuple(records), head)


def chain_break(records: tuple[AuditRecord, ...], head: tuple[int, str] | None) -> int | None:
    """Like audit.record.first_break, and a chain that ends elsewhere than its head says was cut."""
    broken = first_break(records)
    if broken is not None:
        return broken
    end = (records[-1].sequence, records[-1].hash) if records else (0, "0" * 64)
    return None if head == end else min(end[0], head[0] if head else 0) + 1


def _columns(record: IncidentRecord) -> dict[str, object]:
    """The columns of an incident's row that every write sets."""
    return {
        "id": record.id,
        "version": record.version,
        "state": record.state.value,
        "updated_at": record.updated_at,
        "document": document(record),
    }


async def _record(connection: Connection, incident_id: str) -> IncidentRecord | None:
    row = await (await connection.execute("SELECT document::text FROM incident WHERE id = %s", (incident_id,))).fetchone()
    return None if row is None else IncidentRecord.model_validate_json(row[0])


async def _approval(connection: Connection, approval_id: str, statement: LiteralString = LOCKED_APPROVAL) -> ApprovalRequest | None:
    """The request; its row stays locked until the transaction ends."""
    row = await (await connection.execute(statement, (approval_id,))).fetchone()
    return None if row is None else ApprovalRequest.model_validate_json(row[0])


async def _put_approval(connection: Connection, request: ApprovalRequest) -> None:
    await connection.execute(
        PUT_APPROVAL,
        {
            "id": request.id,
            "incident_id": request.incident_id,
            "state": request.state.value,
            "created_at": request.created_at,
            "expires_at": request.expires_at,
            "document": document(request),
        },
    )
