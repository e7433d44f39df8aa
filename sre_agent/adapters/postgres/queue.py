"""Puts jobs on the queue from inside our own transaction.

The queue is procrastinate's (adapters/jobs.py runs it); its SQL function is its documented interface to
other languages, and calling it on our connection is what makes "the state moved" and "its job exists"
one fact. Laws of the queue:

- `work` and `hands`; what has an effect runs on `hands` only;
- jobs of one incident run one after another (`lock`); hands have a lock of their own, so that news about
  the incident is heard while an action runs; so have telling the board and recording, whose slowness holds up nothing else,
  and paging, which nothing may hold up;
- priority is minus the due time in seconds: whoever is due earlier goes first. Without that a timer in
  half an hour would hold up every later job of its incident, since a lock is handed out in queue order.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from sre_agent.adapters.postgres.database import Connection
from sre_agent.response.document import json_text
from sre_agent.response.record import Job, JobKind

WORK, HANDS = "work", "hands"
BOARD = "board"
"""The lock of ANNOUNCE jobs, which run on the queue `work`."""
RECORDER = "recorder"
"""The lock of RECORD jobs, which run there too: nothing of an incident waits for its recording."""
PAGER = "pager"
"""The lock of PAGE jobs, which run there too: people are woken while an investigation is under way."""
_OWN_LOCK = {JobKind.ANNOUNCE: BOARD, JobKind.RECORD: RECORDER, JobKind.PAGE: PAGER}
INBOX = "inbox"
"""The task that takes one inbox row through intake: argument `row`."""

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
"""Priorities count from here (so does SQL's job_priority), to fit 32 bits until 2088."""

AHEAD_S = 3600
"""Seconds by which news (the inbox) and pages that are due go ahead: in a storm nobody waits for the investigations of others to be
heard, or to be woken. Only what is due at once: a timer that went ahead would hold up what shares its lock.
"""

DEFER = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(%(queue)s::varchar, %(task)s::varchar,
        job_priority(coalesce(%(at)s::timestamptz, clock_timestamp())) + %(ahead)s::integer, %(lock)s::text, NULL,
        %(arguments)s::jsonb,
        %(at)s::timestamptz)::procrastinate_job_to_defer_v1])
"""


def priority(due: datetime) -> int:
    """The priority of a job due at `due`: the same rule as the SQL function job_priority."""
    return -int((due - EPOCH).total_seconds())


def queue_of(kind: JobKind) -> str:
    """The queue a job runs in."""
    return HANDS if kind is JobKind.EXECUTE else WORK


def lock_of(kind: str, incident_id: str) -> str:
    """The lock that jobs of one incident share: one for each queue, and one for the board."""
    return f"{kind}:{incident_id}"


async def defer(connection: Connection, jobs: Iterable[Job]) -> None:
    """Put the jobs on the queue in the connection's transaction. Arguments must be JSON values."""
    for job in jobs:
        queue = queue_of(job.kind)
        await connection.execute(
            DEFER,
            {
                "queue": queue,
                "task": job.kind.value,
                "lock": lock_of(_OWN_LOCK.get(job.kind, queue), job.incident_id),
                "arguments": json_text({**job.arguments, "incident_id": job.incident_id}),
                "at": job.at,
                "ahead": AHEAD_S if job.kind is JobKind.PAGE and job.at is None else 0,
            },
        )
