"""The inbox: what the doors heard, each event once, and its job. The webhook's hot path.

Every commit that wakes the workers (NOTIFY) holds a lock of the whole server until it is on disk, so
commits of single events queue up behind each other. Events that arrive while a statement is under way
therefore share the next one: a lone event waits for nothing, and under load one commit serves many. An
event is answered only after its own row is committed.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sre_agent.adapters.postgres import queue
from sre_agent.adapters.postgres.database import Database
from sre_agent.incident.errors import Permanent, SreAgentError, Transient
from sre_agent.incident.event import IncidentEvent
from sre_agent.response.document import document, text

MOST = 64
"""Events in one statement, at most."""

MOST_BYTES = 32 * 1024 * 1024
"""Of bodies in one statement; a body larger than that has one of its own."""

LONGEST_KEY = 200

# Ids are drawn first, so that what was inserted can be told by place. `jobs` is read at the end because a
# SELECT in WITH runs only if somebody reads it.
ACCEPT = """
    WITH given AS MATERIALIZED (
        SELECT nextval(pg_get_serial_sequence('inbox', 'id')) AS id, heard.*
        FROM unnest(%(door)s::text[], %(delivery_id)s::text[], %(event_id)s::text[], %(incident_id)s::text[], %(type_name)s::text[],
                    %(occurred_at)s::timestamptz[], %(received_at)s::timestamptz[], %(event)b::text[], %(body)b::bytea[],
                    %(lock)s::text[])
             WITH ORDINALITY AS heard (door, delivery_id, event_id, incident_id, type_name, occurred_at, received_at, event, body,
                                       lock, place)
    ), fresh AS (
        INSERT INTO inbox (id, door, delivery_id, event_id, incident_id, type_name, occurred_at, received_at, event, body)
        OVERRIDING SYSTEM VALUE
        SELECT id, door, delivery_id, event_id, incident_id, type_name, occurred_at, received_at, event::jsonb, body
        FROM given ORDER BY place
        ON CONFLICT DO NOTHING
        RETURNING id
    ), jobs AS (
        SELECT procrastinate_defer_jobs_v1(array_agg(ROW(%(queue)s, %(task)s,
            job_priority(clock_timestamp()) + %(ahead)s::integer, lock, NULL,
            jsonb_build_object('row', id), NULL)::procrastinate_job_to_defer_v1 ORDER BY id))
        FROM given JOIN fresh USING (id)
    )
    SELECT place FROM given JOIN fresh USING (id) CROSS JOIN jobs
"""
"""`%b`: events and bodies go in binary. In an array written as text every quote of a JSON text and every byte would be escaped."""


@dataclass(frozen=True)
class Arrival:
    """One event on its way into the inbox; `accepted` is resolved after the commit."""

    event: IncidentEvent
    body: bytes
    received_at: datetime
    accepted: "asyncio.Future[bool]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def row(self) -> dict[str, object]:
        """The columns, with text that PostgreSQL can hold."""
        event = self.event
        incident = None if event.incident_id is None else _key(event.incident_id)
        return {
            "door": _key(event.door),
            "delivery_id": _key(event.delivery_id),
            "event_id": _key(event.event_id),
            "incident_id": incident,
            "type_name": _key(event.type_name),
            "occurred_at": event.occurred_at if event.occurred_at.tzinfo else event.occurred_at.replace(tzinfo=UTC),
            "received_at": self.received_at,
            "event": document(event),
            "body": self.body,
            "lock": None if incident is None else queue.lock_of(queue.WORK, incident),
        }


class Inbox:
    """Takes events in. For one event loop; any number of processes may have one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Arrival] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def accept(self, event: IncidentEvent, body: bytes, received_at: datetime) -> bool:
        """Row and job, committed; False when this delivery, event or occurrence was here before."""
        arrival = Arrival(event, body, received_at)
        self._waiting.append(arrival)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await arrival.accepted

    async def event(self, row: int) -> IncidentEvent:
        """The event of one row. Permanent when there is no such row."""
        found = await self._database.row("SELECT event::text FROM inbox WHERE id = %(row)s", {"row": row})
        if found is None:
            raise Permanent(f"There is no inbox row {row}.")
        return IncidentEvent.model_validate_json(found[0])

    async def heard(self, since: datetime, limit: int) -> tuple[IncidentEvent, ...]:
        """Events about incidents received after `since`, newest first, `limit` at most."""
        rows = await self._database.rows(
            "SELECT event::text FROM inbox WHERE received_at > %(since)s AND incident_id IS NOT NULL"
            " ORDER BY received_at DESC, id DESC LIMIT %(limit)s",
            {"since": since, "limit": limit},
        )
        return tuple(IncidentEvent.model_validate_json(row[0]) for row in rows)

    async def newest(self) -> int:
        """The number of the newest row; 0 when there is none."""
        found = await self._database.row("SELECT coalesce(max(id), 0) FROM inbox")
        return int(found[0]) if found else 0

    async def pinged(self, subscription: str, after: int) -> bool:
        """Whether a test delivery of this subscription was kept in a row after that one."""
        found = await self._database.row(
            "SELECT 1 FROM inbox WHERE id > %(after)s AND door = 'pagerduty'"
            " AND event ->> 'kind' = 'ping' AND event ->> 'subscription_id' = %(subscription)s LIMIT 1",
            {"after": after, "subscription": subscription},
        )
        return found is not None

    async def _write(self) -> None:
        """Write until nobody waits."""
        while self._waiting:
            batch = self._batch()
            # Two processes that insert the same events in different orders would deadlock.
            batch.sort(key=lambda arrival: (arrival.event.door, arrival.event.event_id, arrival.event.delivery_id))
            try:
                await self._insert(batch)
            except SreAgentError as error:
                _fail(batch, error)
            finally:  # whatever else happens (a defect, a shutdown), nobody waits for ever
                _fail(batch, Transient("The event was not written; send it again."))

    def _batch(self) -> list[Arrival]:
        """The next events, as many as one statement takes."""
        batch = [self._waiting.popleft()]
        size = len(batch[0].body)
        while self._waiting and len(batch) < MOST and size + len(self._waiting[0].body) <= MOST_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1].body)
        return batch

    async def _insert(self, batch: Sequence[Arrival]) -> None:
        """One statement, one transaction, one round trip."""
        rows = [arrival.row() for arrival in batch]
        columns: dict[str, object] = {name: [row[name] for row in rows] for name in rows[0]}
        asked = {**columns, "queue": queue.WORK, "task": queue.INBOX, "ahead": queue.AHEAD_S}
        fresh = {place for (place,) in await self._database.rows(ACCEPT, asked)}
        for place, arrival in enumerate(batch, start=1):
            if not arrival.accepted.done():  # its caller may have gone
                arrival.accepted.set_result(place in fresh)


def _key(value: str) -> str:
    """The value as an index can hold it: a hostile sender's very long id becomes its hash."""
    stored = text(value)
    return stored if len(stored) <= LONGEST_KEY else hashlib.sha256(stored.encode()).hexdigest()


def _fail(batch: Sequence[Arrival], error: SreAgentError) -> None:
    for arrival in batch:
        if not arrival.accepted.done():
            arrival.accepted.set_exception(error)
