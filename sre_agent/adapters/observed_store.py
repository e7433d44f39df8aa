"""A store that tells others what was audited, after it was committed: metrics count it, the log prints it.

Wrapping keeps the walk free of loggers and counters. What an observer sees has happened; a failed or lost
transaction is never seen.
"""

from collections.abc import Callable
from datetime import datetime

from sre_agent.approval.request import Answer, ApprovalRequest
from sre_agent.audit.record import AuditEntry, AuditRecord
from sre_agent.incident.event import IncidentEvent
from sre_agent.response.applied import answer_entry
from sre_agent.response.fatigue import Digest
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.response.store import Store

Observer = Callable[[AuditEntry], None]
"""Sees one committed entry. Must be quick and must not raise."""


class ObservedStore:
    """The store protocol over another store."""

    def __init__(self, store: Store, observers: tuple[Observer, ...]) -> None:
        self._store = store
        self._observers = observers

    def _tell(self, entries: tuple[AuditEntry, ...]) -> None:
        for entry in entries:
            for observer in self._observers:
                observer(entry)

    async def accept(self, event: IncidentEvent, body: bytes, received_at: datetime) -> bool:
        """As the store underneath."""
        return await self._store.accept(event, body, received_at)

    async def inbox(self, row: int) -> IncidentEvent:
        """As the store underneath."""
        return await self._store.inbox(row)

    async def create(self, record: IncidentRecord, audit: tuple[AuditEntry, ...]) -> IncidentRecord:
        """As the store underneath; told when the record is new."""
        stored = await self._store.create(record, audit)
        if stored.received_at == record.received_at and stored.version == record.version:
            self._tell(audit)
        return stored

    async def load(self, incident_id: str) -> IncidentRecord | None:
        """As the store underneath."""
        return await self._store.load(incident_id)

    async def listing(self, states: frozenset[State] | None, limit: int) -> tuple[IncidentRecord, ...]:
        """As the store underneath."""
        return await self._store.listing(states, limit)

    async def advance(self, record: IncidentRecord, step: Step) -> IncidentRecord:
        """As the store underneath; told what the step audited."""
        stored = await self._store.advance(record, step)
        self._tell(step.audit)
        return stored

    async def approval(self, approval_id: str) -> ApprovalRequest | None:
        """As the store underneath."""
        return await self._store.approval(approval_id)

    async def approvals(self, pending_only: bool) -> tuple[ApprovalRequest, ...]:
        """As the store underneath."""
        return await self._store.approvals(pending_only)

    async def approvals_since(self, since: datetime) -> tuple[ApprovalRequest, ...]:
        """As the store underneath."""
        return await self._store.approvals_since(since)

    async def digest(self, digest_id: str | None) -> Digest | None:
        """As the store underneath."""
        return await self._store.digest(digest_id)

    async def put_digest(self, digest: Digest) -> Digest:
        """As the store underneath."""
        return await self._store.put_digest(digest)

    async def answer(self, approval_id: str, answer: Answer, now: datetime) -> ApprovalRequest:
        """As the store underneath; told the answer."""
        request = await self._store.answer(approval_id, answer, now)
        self._tell((answer_entry(request, answer),))
        return request

    async def append_audit(self, entry: AuditEntry) -> AuditRecord:
        """As the store underneath; told the entry."""
        record = await self._store.append_audit(entry)
        self._tell((entry,))
        return record

    async def audit(self, incident_id: str | None) -> tuple[AuditRecord, ...]:
        """As the store underneath."""
        return await self._store.audit(incident_id)
