"""How the agent's own database and its queue are: read for people, never for deciding anything."""

from dataclasses import dataclass
from datetime import datetime

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.queue import EPOCH

DEAD_AFTER_S = 30.0
"""A worker beats every 2 s and counts as dead to the others after 9 s; this is long after that."""

# The limit that counts is the narrowest: the server's, less what it keeps back, the database's, or the role's (-1: none).
_SERVER = """
SELECT current_setting('server_version'), clock_timestamp(), pg_is_in_recovery(),
  current_setting('transaction_read_only') = 'on', (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL),
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0),
  (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
  (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user)
"""
# A job's priority is minus its due time in seconds since EPOCH.
_QUEUE = """
SELECT count(*) FILTER (WHERE status = 'todo' AND due <= now()),
  coalesce(max(extract(epoch FROM now() - due)) FILTER (WHERE status = 'todo' AND due <= now()), 0)::float8,
  count(*) FILTER (WHERE status = 'doing'), count(*) FILTER (WHERE status = 'failed'),
  (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %(dead)s)),
  (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat <= now() - make_interval(secs => %(dead)s))
FROM (SELECT status, coalesce(scheduled_at, %(epoch)s::timestamptz - make_interval(secs => priority)) AS due
      FROM procrastinate_jobs) jobs
"""
_HEARD = """
SELECT max(received_at) FILTER (WHERE type_name = 'pagey.ping'), max(received_at), now() FROM inbox WHERE door = %(door)s
"""


@dataclass(frozen=True)
class Server:
    """What the server says of itself. `free` connections: how many more this role may open; `most` is the limit behind it."""

    version: str
    now: datetime
    standby: bool
    read_only: bool
    free: int
    most: int


@dataclass(frozen=True)
class Backlog:
    """The queue. `due` jobs wait for a worker, the oldest since `oldest_s` seconds; `workers` beat, `silent` ones stopped."""

    due: int
    oldest_s: float
    running: int
    failed: int
    workers: int
    silent: int


@dataclass(frozen=True)
class Heard:
    """When a door last heard a ping, and anything at all; None for never. `now` is the server's time."""

    ping: datetime | None
    anything: datetime | None
    now: datetime


async def server(database: Database) -> Server:
    """The server. Raises as Database does."""
    ((version, now, standby, read_only, used, most, role_limit, role_used),) = await database.rows(_SERVER)
    free, limit = most - used, most
    if role_limit is not None and role_limit >= 0 and role_limit - role_used < free:
        free, limit = role_limit - role_used, role_limit
    return Server(version, now, standby, read_only, free, limit)


async def backlog(database: Database) -> Backlog:
    """The queue of every role. Raises ConfigurationError before `migrate`."""
    ((due, oldest, running, failed, workers, silent),) = await database.rows(_QUEUE, {"dead": DEAD_AFTER_S, "epoch": EPOCH})
    return Backlog(due, oldest, running, failed, workers, silent)


async def heard(database: Database, door: str) -> Heard:
    """What came through a door. Raises ConfigurationError before `migrate`."""
    ((ping, anything, now),) = await database.rows(_HEARD, {"door": door})
    return Heard(ping, anything, now)
