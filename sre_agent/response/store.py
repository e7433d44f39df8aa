"""The store's protocol: every method is one transaction."""

from datetime import datetime
from typing import Protocol

from sre_agent.approval.request import Answer, ApprovalRequest
from sre_agent.audit.record import AuditEntry, AuditRecord
from sre_agent.incident.event import IncidentEvent
from sre_agent.response.fatigue import Digest
from sre_agent.response.record import IncidentRecord, PastIncident, State, Step


class Store(Protocol):
    """Durable state of the walk. All raise Transient when the database cannot be reached."""

    async def accept(self, event: IncidentEvent, body: bytes, received_at: datetime) -> bool:
        """Inbox row plus its job, in one transaction. False: this delivery or event was here before."""
        ...

    async def inbox(self, row: int) -> IncidentEvent:
        """The event of one inbox row."""
        ...

    async def create(self, record: IncidentRecord, audit: tuple[AuditEntry, ...]) -> IncidentRecord:
        """Insert the record unless one exists; returns the stored one."""
        ...

    async def load(self, incident_id: str) -> IncidentRecord | None:
        """The stored record."""
        ...

    async def listing(self, states: frozenset[State] | None, limit: int) -> tuple[IncidentRecord, ...]:
        """Newest first."""
        ...

    async def advance(self, record: IncidentRecord, step: Step) -> IncidentRecord:
        """Compare-and-set on `record.version`; Conflict when somebody moved first. Audit and jobs ride along."""
        ...

    async def approval(self, approval_id: str) -> ApprovalRequest | None:
        """One approval request with its answers."""
        ...

    async def approvals(self, pending_only: bool) -> tuple[ApprovalRequest, ...]:
        """Approval requests, newest first."""
        ...

    async def approvals_since(self, since: datetime) -> tuple[ApprovalRequest, ...]:
        """Approval requests asked after `since`, newest first."""
        ...

    async def digest(self, digest_id: str | None) -> Digest | None:
        """A digest of questions; the newest when no id is given."""
        ...

    async def put_digest(self, digest: Digest) -> Digest:
        """Write it, its version one higher: compare-and-set on `digest.version` (0: new). Conflict when somebody was first."""
        ...

    async def answer(self, approval_id: str, answer: Answer, now: datetime) -> ApprovalRequest:
        """Record one person's answer under a row lock and return the request as it then stands.

        Conflict when the request is no longer pending, expired, or this person answered already.
        """
        ...

    async def append_audit(self, entry: AuditEntry) -> AuditRecord:
        """Append one record to the chain."""
        ...

    async def audit(self, incident_id: str | None) -> tuple[AuditRecord, ...]:
        """The chain in order: all of it, or one incident's records."""
        ...


class IncidentHistory(Protocol):
    """What happened lately, for the breakers. Both raise Transient when the database cannot be reached."""

    async def heard(self, since: datetime, limit: int) -> tuple[IncidentEvent, ...]:
        """Events about incidents received after `since`, newest first, `limit` at most."""
        ...

    async def past(self, since: datetime, incident_ids: tuple[str, ...], limit: int) -> tuple[PastIncident, ...]:
        """Incidents that changed after `since`, newest first and `limit` at most, and all of those named."""
        ...
