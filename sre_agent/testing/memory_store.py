"""Doubles of the store, the ledger and the kill switch, in memory, with the real ones' semantics.

The contract tests hold them to that. One event loop, one process; nothing is awaited inside a change, so
every method is atomic as a transaction is.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_agent.approval.decide import answered
from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.audit.record import GENESIS, AuditEntry, AuditRecord, first_break, link
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
from sre_agent.incident.event import IncidentEvent
from sre_agent.policy.facts import SpentBudget
from sre_agent.policy.halt import HaltState, audited
from sre_agent.response.applied import advanced, answer_entry, replaceable
from sre_agent.response.document import as_stored
from sre_agent.response.fatigue import Digest
from sre_agent.response.record import IncidentRecord, Job, PastIncident, State, Step


class MemoryStore:
    """response.store.Store. `jobs` holds the jobs of all steps and `arrived` the inbox rows, in order, until taken."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.arrived: list[int] = []
        self._inbox: list[IncidentEvent] = []
        self._received: list[datetime] = []
        self._seen: set[tuple[object, ...]] = set()
        self._records: dict[str, IncidentRecord] = {}
        self._approvals: dict[str, ApprovalRequest] = {}
        self._digests: dict[str, Digest] = {}
        self._chain: list[AuditRecord] = []

    def take_jobs(self, now: datetime) -> tuple[Job, ...]:
        """Remove and return the jobs due at `now`, earliest first: what a worker would run."""
        due = [job for job in self.jobs if job.at is None or job.at <= now]
        self.jobs = [job for job in self.jobs if job not in due]
        return tuple(sorted(due, key=lambda job: job.at or datetime.min.replace(tzinfo=UTC)))

    def take_arrived(self) -> tuple[int, ...]:
        """Remove and return the inbox rows that wait for intake."""
        rows, self.arrived = tuple(self.arrived), []
        return rows

    async def accept(self, event: IncidentEvent, body: bytes, received_at: datetime) -> bool:  # noqa: ARG002
        """Keep the event unless its delivery, event or occurrence was here before. The body is not kept."""
        keys: set[tuple[object, ...]] = set()
        if event.delivery_id:
            keys.add(("delivery", event.door, event.delivery_id))
        if event.event_id:
            keys.add(("event", event.door, event.event_id))
        if event.incident_id is not None:
            keys.add(("occurrence", event.door, event.incident_id, event.type_name, event.occurred_at))
        if keys & self._seen:
            return False
        self._seen |= keys
        self._inbox.append(as_stored(event))
        self._received.append(received_at)
        self.arrived.append(len(self._inbox))
        return True

    async def inbox(self, row: int) -> IncidentEvent:
        """The event of one inbox row (from 1)."""
        if not 1 <= row <= len(self._inbox):
            raise Permanent(f"There is no inbox row {row}.")
        return self._inbox[row - 1]

    async def create(self, record: IncidentRecord, audit: tuple[AuditEntry, ...]) -> IncidentRecord:
        """Insert unless one exists; the stored one."""
        if record.id not in self._records:
            self._records[record.id] = as_stored(record)
            self._append(audit)
        return self._records[record.id]

    async def load(self, incident_id: str) -> IncidentRecord | None:
        """The stored record."""
        return self._records.get(incident_id)

    async def listing(self, states: frozenset[State] | None, limit: int) -> tuple[IncidentRecord, ...]:
        """Newest first."""
        chosen = [r for r in self._records.values() if states is None or r.state in states]
        return tuple(sorted(chosen, key=lambda r: (r.received_at, r.id), reverse=True)[:limit])

    async def heard(self, since: datetime, limit: int) -> tuple[IncidentEvent, ...]:
        """Events about incidents received after `since`, newest first."""
        rows = zip(self._received, range(len(self._inbox)), self._inbox, strict=True)
        chosen = [(at, n) for at, n, event in rows if at > since and event.incident_id is not None]
        return tuple(self._inbox[n] for _, n in sorted(chosen, reverse=True)[:limit])

    async def past(self, since: datetime, incident_ids: tuple[str, ...], limit: int) -> tuple[PastIncident, ...]:
        """Incidents that changed after `since`, newest first, and those named."""
        ordered = sorted(self._records.values(), key=lambda r: (r.updated_at, r.id), reverse=True)
        recent = {r.id for r in [r for r in ordered if r.updated_at > since][:limit]}
        return tuple(
            PastIncident(id=r.id, state=r.state, received_at=r.received_at, tried_in_vain=r.tried_in_vain, incident=r.incident)
            for r in ordered
            if r.id in recent or r.id in incident_ids
        )

    async def advance(self, record: IncidentRecord, step: Step) -> IncidentRecord:
        """Compare-and-set on the version."""
        after = advanced(record, step)
        stored = self._records.get(record.id)
        if stored is None or stored.version != record.version:
            raise Conflict(f"Incident {record.id} is no longer at version {record.version}: somebody moved first.")
        if step.approval is not None:
            replaceable(self._approvals.get(step.approval.id), step.approval)
            self._approvals[step.approval.id] = as_stored(step.approval)
        self._records[record.id] = as_stored(after)
        self.jobs.extend(step.jobs)
        self._append(step.audit)
        return after

    async def approval(self, approval_id: str) -> ApprovalRequest | None:
        """One approval request."""
        return self._approvals.get(approval_id)

    async def approvals(self, pending_only: bool) -> tuple[ApprovalRequest, ...]:
        """Newest first."""
        chosen = [a for a in self._approvals.values() if not pending_only or a.state is ApprovalState.PENDING]
        return tuple(sorted(chosen, key=lambda a: (a.created_at, a.id), reverse=True))

    async def approvals_since(self, since: datetime) -> tuple[ApprovalRequest, ...]:
        """Newest first."""
        return tuple(a for a in await self.approvals(pending_only=False) if a.created_at > since)

    async def digest(self, digest_id: str | None) -> Digest | None:
        """By its id; the newest for None."""
        chosen = [d for d in self._digests.values() if digest_id in (None, d.id)]
        return max(chosen, key=lambda d: (d.opened_at, d.id), default=None)

    async def put_digest(self, digest: Digest) -> Digest:
        """Compare-and-set on the version."""
        stored = self._digests.get(digest.id)
        if digest.version != (stored.version if stored is not None else 0):
            raise Conflict(f"Digest {digest.id} is no longer at version {digest.version}: somebody moved first.")
        after = digest.model_copy(update={"version": digest.version + 1})
        self._digests[digest.id] = as_stored(after)
        return after

    async def answer(self, approval_id: str, answer: Answer, now: datetime) -> ApprovalRequest:
        """Record one person's answer."""
        if approval_id not in self._approvals:
            raise Permanent(f"There is no approval {approval_id}.")
        after = answered(self._approvals[approval_id], answer, now)
        self._approvals[approval_id] = after
        self._append((answer_entry(after, answer),))
        return after

    async def append_audit(self, entry: AuditEntry) -> AuditRecord:
        """Append one record."""
        self._append((entry,))
        return self._chain[-1]

    async def audit(self, incident_id: str | None) -> tuple[AuditRecord, ...]:
        """The chain in order."""
        return tuple(r for r in self._chain if incident_id is None or r.entry.incident_id == incident_id)

    async def audit_break(self) -> int | None:
        """The first sequence number that does not follow; None: unbroken."""
        return first_break(self._chain)

    def _append(self, entries: tuple[AuditEntry, ...]) -> None:
        for entry in entries:
            previous = self._chain[-1].hash if self._chain else GENESIS
            settled = as_stored(entry)
            self._chain.append(link(previous, len(self._chain) + 1, settled))


class MemoryHalt:
    """policy.halt.KillSwitch; `store` receives its audit records, if given."""

    def __init__(self, *, engaged: bool = False, store: MemoryStore | None = None) -> None:
        self._state = HaltState(engaged=engaged, by="sre-agent", reason="as installed", at=datetime.now(UTC))
        self._store = store

    async def halted(self) -> bool:
        """True when engaged."""
        return self._state.engaged

    async def engage(self, by: str, reason: str, now: datetime) -> HaltState:
        """Engage."""
        return await self._move(HaltState(engaged=True, by=by, reason=reason, at=now))

    async def lift(self, by: str, reason: str, now: datetime) -> HaltState:
        """Lift."""
        return await self._move(HaltState(engaged=False, by=by, reason=reason, at=now))

    async def state(self) -> HaltState:
        """How it stands."""
        return self._state

    async def _move(self, to: HaltState) -> HaltState:
        self._state = to
        if self._store is not None:
            await self._store.append_audit(audited(to))
        return to


class MemoryLedger:
    """execution.ledger.Ledger and policy.facts.Budgets. `halt` None: never halted. `clock` dates the closings."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        halt: MemoryHalt | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limits = limits or Limits()
        self._halt = halt
        self._clock = clock
        self._rows: dict[str, Intent] = {}

    async def open(self, intent: Intent) -> Intent:
        """Insert and reserve, or return the row that is there."""
        if intent.key in self._rows:
            return self._rows[intent.key]
        if any(row.permit_id == intent.permit_id for row in self._rows.values()):
            raise Refused("permit-used", f"permit {intent.permit_id} opened another intent already; a permit is good for one")
        if self._halt is not None and (await self._halt.state()).engaged:
            raise Refused("halted", "the kill switch is engaged")
        spent = self._spent(intent.target_key, intent.service, intent.incident_id, intent.created_at)
        refuse_if_spent(spent, self._limits, intent)
        self._rows[intent.key] = as_stored(intent)
        return intent

    async def step(self, key: str, step: str, scratch: dict[str, Any]) -> Intent:
        """Append the step, merge scratch."""
        stored = self._open_row(key)
        return self._put(stored.model_copy(update={"steps": (*stored.steps, step), "scratch": {**stored.scratch, **scratch}}))

    async def close(self, key: str, state: IntentState, result: str) -> Intent:
        """Close the row for good."""
        if state is IntentState.INTENT:
            raise Permanent(f"Intent {key} cannot be closed as still open.")
        return self._put(self._open_row(key).model_copy(update={"state": state, "result": result, "closed_at": self._clock()}))

    async def find(self, key: str) -> Intent | None:
        """The row, if any."""
        return self._rows.get(key)

    async def unfinished(self, incident_id: str) -> tuple[Intent, ...]:
        """Open rows of an incident, oldest first."""
        chosen = [row for row in self._rows.values() if row.incident_id == incident_id and row.state is IntentState.INTENT]
        return tuple(sorted(chosen, key=lambda row: (row.created_at, row.key)))

    async def of(self, incident_id: str) -> tuple[Intent, ...]:
        """Every row of an incident, oldest first."""
        chosen = [row for row in self._rows.values() if row.incident_id == incident_id]
        return tuple(sorted(chosen, key=lambda row: (row.created_at, row.key)))

    async def since(self, moment: datetime) -> tuple[Intent, ...]:
        """Rows opened after `moment`, and all that are open, oldest first."""
        chosen = [row for row in self._rows.values() if row.created_at > moment or row.state is IntentState.INTENT]
        return tuple(sorted(chosen, key=lambda row: (row.created_at, row.key)))

    async def spent(self, target_key: str, service: str, incident_id: str, now: datetime) -> SpentBudget:
        """The counts at `now`."""
        return self._spent(target_key, service, incident_id, now)

    def _spent(self, target_key: str, service: str, incident_id: str, now: datetime) -> SpentBudget:
        rows = [row for row in self._rows.values() if row.state is not IntentState.NOT_DONE]
        open_rows = [row for row in rows if row.state is IntentState.INTENT]

        def within(seconds: int) -> list[Intent]:
            since = now - timedelta(seconds=seconds)
            return [row for row in rows if row.created_at > since or row.state is IntentState.INTENT]

        return SpentBudget(
            target_actions_30m=sum(row.target_key == target_key for row in within(TARGET_WINDOW_S)),
            service_actions_6h=sum(row.service == service for row in within(SERVICE_WINDOW_S)),
            global_actions_1h=len(within(GLOBAL_WINDOW_S)),
            global_actions_24h=len(within(DAY_WINDOW_S)),
            in_flight_target=sum(row.target_key == target_key for row in open_rows),
            in_flight_global=len(open_rows),
            incident_failovers=sum(row.incident_id == incident_id and row.action in FAILOVERS for row in rows),
        )

    def _open_row(self, key: str) -> Intent:
        if key not in self._rows:
            raise Permanent(f"The ledger has no intent {key}.")
        if self._rows[key].state is not IntentState.INTENT:
            raise Conflict(f"Intent {key} is closed as {self._rows[key].state.value} already.")
        return self._rows[key]

    def _put(self, row: Intent) -> Intent:
        self._rows[row.key] = as_stored(row)
        return row
