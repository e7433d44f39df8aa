"""Nothing accepted is ever lost: finds incidents whose job went missing and gives them a new one.

A job can vanish only in a double accident (a worker paused past its lease wakes, marks the job done, and its heir
dies). Every job's body looks at the state first, so one job too many changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sre_agent.execution.ledger import IntentState, Ledger
from sre_agent.response.lifecycle import job
from sre_agent.response.record import IncidentRecord, Job, JobKind, State, Step
from sre_agent.response.walk import Walk

QUIET = timedelta(minutes=5)
"""No step for so long: longer than any job takes or waits between two tries."""

LEDGER_LOOKBACK = timedelta(hours=24)
AT_ONCE = 200
_JOB_OF = {State.INVESTIGATING: JobKind.INVESTIGATE, State.EXECUTING: JobKind.EXECUTE, State.VERIFYING: JobKind.VERIFY}
WATCHED = frozenset({*_JOB_OF, State.RECEIVED, State.AWAITING_APPROVAL})


def overdue(record: IncidentRecord, now: datetime) -> Job | None:
    """The job that a silent incident is missing; None when it is final or moved lately. Pure."""
    if record.state not in WATCHED or now - record.updated_at < QUIET:
        return None
    if record.state is State.AWAITING_APPROVAL:
        # Its timer is later than any approval's time to live, so silence this long means that the timer is gone.
        patient = now - record.updated_at < 3 * QUIET
        return None if patient or record.approval_id is None else _expiry(record)
    if record.state is State.RECEIVED:
        return job(JobKind.INVESTIGATE, record.id)
    return job(_JOB_OF[record.state], record.id)


def _expiry(record: IncidentRecord) -> Job:
    return job(JobKind.EXPIRE_APPROVAL, record.id, approval_id=record.approval_id)


@dataclass(frozen=True)
class Sweep:
    """Looks over all unfinished incidents and executions. Run every minute by any number of workers."""

    walk: Walk
    ledger: Ledger

    async def once(self) -> int:
        """Give every silent incident its job again; how many there were."""
        found = 0
        for record in await self.walk.store.listing(WATCHED, AT_ONCE):
            now = self.walk.clock.now()
            if overdue(record, now) is not None:
                found += 1
                await self.walk.advance(record.id, partial(_again, now=now))
        return found + await self._left_open()

    async def _left_open(self) -> int:
        """An intent stays open for ever when its process wakes so late that the walk has gone on; it would block every later
        action. The hands look at what became of it.
        """
        now, found = self.walk.clock.now(), 0
        for intent in await self.ledger.since(now - LEDGER_LOOKBACK):
            if intent.state is not IntentState.INTENT or now - intent.created_at < QUIET:
                continue
            record = await self.walk.store.load(intent.incident_id)
            # Once in QUIET, and not while the walk itself is at it.
            if record is not None and record.state is not State.EXECUTING and now - record.updated_at >= QUIET:
                found += 1
                await self.walk.advance(record.id, partial(_looked_after, now=now))
        return found


def _looked_after(record: IncidentRecord, now: datetime) -> Step:
    return Step(to=record.state, changes={"updated_at": now}, jobs=(job(JobKind.EXECUTE, record.id),))


def _again(record: IncidentRecord, now: datetime) -> Step | None:
    missing = overdue(record, now)
    if missing is None:
        return None
    to = State.INVESTIGATING if record.state is State.RECEIVED else record.state
    return Step(to=to, changes={"updated_at": now}, jobs=(missing,))
