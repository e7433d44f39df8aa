"""Appends to the audit chain, inside the transaction of the change it describes."""

from collections.abc import Iterable

from pydantic import ValidationError

from sre_agent.adapters.postgres.database import Connection, Row
from sre_agent.audit.record import AuditEntry, AuditRecord, link
from sre_agent.incident.errors import Permanent
from sre_agent.response.document import as_stored, document

APPEND = """
    WITH moved AS (UPDATE audit_head SET sequence = %s, hash = %s)
    INSERT INTO audit (sequence, previous, hash, incident_id, entry) VALUES (%s, %s, %s, %s, %s)
"""
"""One statement for both: everybody else waits for the head until this transaction ends, and each way to the server is time."""


async def append(connection: Connection, entries: Iterable[AuditEntry]) -> tuple[AuditRecord, ...]:
    """Append the entries in order.

    Locks the head row until the caller's transaction ends: one writer at a time, and no gap when it rolls
    back. Call it last in a transaction, so that the lock is held briefly.
    """
    todo = tuple(entries)
    if not todo:
        return ()
    head = await (await connection.execute("SELECT sequence, hash FROM audit_head FOR UPDATE")).fetchone()
    if head is None:
        raise Permanent("The head of the audit chain is gone; nothing is done without an audit record.")
    sequence, previous = head
    records: list[AuditRecord] = []
    for entry in todo:
        record = link(previous, sequence + 1, as_stored(entry))  # the hash is over what will be read
        row = (record.sequence, record.hash, record.sequence, record.previous, record.hash, record.entry.incident_id)
        await connection.execute(APPEND, (*row, document(record.entry)))
        sequence, previous = record.sequence, record.hash
        records.append(record)
    return tuple(records)


def record_of(row: Row) -> AuditRecord:
    """The record of a row (sequence, previous, entry, hash, incident_id). Permanent when it is not as it was written."""
    sequence, previous, entry, digest, incident_id = row
    try:
        read = AuditEntry.model_validate_json(entry)
    except ValidationError:
        raise Permanent(f"audit record {sequence} is not as it was written; `sre-agent audit verify` checks the chain") from None
    if read.incident_id != incident_id:
        # The column is only an index, outside the hash: moved elsewhere, it would hide a record from its incident.
        raise Permanent(f"audit record {sequence} is filed under {incident_id}, but it is about {read.incident_id}")
    return AuditRecord(sequence=sequence, previous=previous, entry=read, hash=digest)
