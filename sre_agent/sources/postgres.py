"""One snapshot of a PostgreSQL, read only: sessions, locks, replication, slots and the settings that matter.

Law: every transaction is BEGIN READ ONLY; nothing is written, cancelled or terminated; no superuser is needed (pg_monitor shows
all sessions, without it only counts are seen). `default_transaction_read_only` is not set on the session: its value is one
of the things to see. A bound on every statement and on the whole; no retry. Views: PostgreSQL documentation, chapters 27 and 53.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.postgres.state import LABELS, SOURCE
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import Transient

MOST_ROWS = 100
"""Rows kept of each view: the oldest transactions, the first waiting sessions."""
STATEMENT_MS = 2000
FAILURES = (psycopg.Error, OSError, TimeoutError, ValueError)

# It answered, and lets nobody in; or nothing listens there: that is an observation of it, not a failure to ask.
_REFUSES = (
    ("53300", re.compile(r"too many clients|too many connections|remaining connection slots", re.IGNORECASE)),
    ("57P03", re.compile(r"starting up|shutting down|in recovery mode|not (yet )?accepting connections", re.IGNORECASE)),
    ("refused", re.compile(r"connection refused|server closed the connection", re.IGNORECASE)),
    ("timeout", re.compile(r"timeout expired|timed out", re.IGNORECASE)),
)
_OWN: LiteralString = """
SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS in_recovery,
  current_setting('max_connections')::int AS max_connections,
  (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text AS lsn,
  current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0)
    AS reserved_connections,
  CASE WHEN pg_is_in_recovery() THEN EXISTS (SELECT FROM pg_stat_wal_receiver) END AS receiving,
  CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
    THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 END AS replay_age_seconds"""
# Without pg_monitor neither state nor backend_type of others is told; who has a database is a client all the same.
_STATES: LiteralString = """
SELECT coalesce(state, 'unknown') AS state, count(*)::int AS n FROM pg_stat_activity
WHERE coalesce(backend_type, 'client backend') = 'client backend' AND datid IS NOT NULL AND pid <> pg_backend_pid() GROUP BY 1"""
_LIMITS: LiteralString = """
SELECT 'role ' || r.rolname AS what, r.rolconnlimit AS limit, count(a.pid)::int AS used FROM pg_roles r
LEFT JOIN pg_stat_activity a ON a.usesysid = r.oid AND a.pid <> pg_backend_pid() WHERE r.rolconnlimit > 0 GROUP BY 1, 2
UNION ALL
SELECT 'database ' || d.datname, d.datconnlimit, count(a.pid)::int FROM pg_database d
LEFT JOIN pg_stat_activity a ON a.datid = d.oid AND a.pid <> pg_backend_pid() WHERE d.datconnlimit > 0 GROUP BY 1, 2
ORDER BY 3 DESC LIMIT 20"""
_ACTIVITY: LiteralString = """
SELECT pid, datname, usename, application_name, backend_type, state, wait_event_type, wait_event, left(query, 200) AS query,
  extract(epoch FROM clock_timestamp() - xact_start)::float8 AS xact_seconds,
  extract(epoch FROM clock_timestamp() - query_start)::float8 AS query_seconds,
  extract(epoch FROM clock_timestamp() - state_change)::float8 AS state_seconds
FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state IS NOT NULL
ORDER BY xact_start NULLS LAST, query_start NULLS LAST LIMIT %(most)s"""
# A row lock is waited for as a lock on its holder's transaction; the table is told by what the waiting session holds besides.
# waitstart is there since PostgreSQL 14; through JSON an older server simply has none.
_LOCKS: LiteralString = """
WITH w AS (
  SELECT l.pid, l.mode, l.locktype, l.relation, l.database, (to_jsonb(l) ->> 'waitstart')::timestamptz AS began
  FROM pg_locks l WHERE NOT l.granted LIMIT %(most)s)
SELECT w.pid, pg_blocking_pids(w.pid) AS blocked_by, w.mode, w.locktype,
  extract(epoch FROM clock_timestamp() - coalesce(w.began, a.query_start))::float8 AS waiting_seconds,
  (SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.oid = coalesce(w.relation, (
     SELECT h.relation FROM pg_locks h WHERE h.pid = w.pid AND h.granted AND h.relation IS NOT NULL
       AND h.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (h.locktype = 'tuple' OR h.mode IN ('RowExclusiveLock', 'RowShareLock'))
     ORDER BY h.locktype = 'tuple' DESC, h.relation LIMIT 1))) AS relation
FROM w LEFT JOIN pg_stat_activity a ON a.pid = w.pid ORDER BY 5 DESC NULLS LAST"""
_REPLICATION: LiteralString = """
SELECT application_name, client_addr::text AS client_addr, state, sync_state,
  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
    replay_lsn)::float8 AS lag_bytes, extract(epoch FROM replay_lag)::float8 AS lag_seconds
FROM pg_stat_replication LIMIT %(most)s"""
_SLOTS: LiteralString = """
SELECT slot_name, slot_type, active, to_jsonb(s) ->> 'wal_status' AS wal_status,
  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
    restart_lsn)::float8 AS retained_bytes FROM pg_replication_slots s LIMIT %(most)s"""
_SETTINGS: LiteralString = """
SELECT name, setting FROM pg_settings WHERE name IN ('default_transaction_read_only', 'max_connections',
  'synchronous_standby_names', 'max_slot_wal_keep_size', 'idle_in_transaction_session_timeout')"""
_DATABASES: LiteralString = """
SELECT d.datname, s.deadlocks::int AS deadlocks, s.conflicts::int AS conflicts, s.xact_rollback::float8 AS rollbacks,
  CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid)::float8 END AS size_bytes
FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid WHERE NOT d.datistemplate LIMIT 20"""


# pg_database_owner, pg_write_all_data and ownership count too: has_table_privilege knows them all.
_ROLE: LiteralString = r"""
SELECT current_setting('server_version') AS version, current_user::text AS name, r.rolsuper AS superuser,
  pg_has_role(current_user, 'pg_monitor', 'USAGE') AS monitor,
  (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%%'
     AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))::int AS writable
FROM pg_roles r WHERE r.rolname = current_user"""


@dataclass(frozen=True)
class WatchingRole:
    """The role we watch as. `monitor`: it sees all sessions. `writable`: how many tables of its database it may change."""

    version: str
    name: str
    superuser: bool
    monitor: bool
    writable: int


@dataclass(frozen=True)
class Limits:
    """Seconds to connect (libpq waits no less than 2) and for a whole snapshot."""

    connect_s: int = 3
    whole_s: float = 8.0


class PostgresSource:
    """EvidenceSource over the PostgreSQL instances that are watched: name -> URL. The agent's own is not one of them."""

    name = SOURCE
    kind = EvidenceKind.POSTGRES

    def __init__(self, urls: Mapping[str, str], limits: Limits | None = None) -> None:
        self._urls = {name.lower(): url for name, url in urls.items()}
        self._limits = limits or Limits()

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One Evidence per instance that an alert names by LABELS, by its name or its database; () when none is named."""
        named = {v.lower() for label in LABELS for v in scope.incident.label_values(label)}
        asked = [n for n in sorted(self._urls) if n in named or _database(self._urls[n]) in named]
        return tuple(await asyncio.gather(*(self._evidence(n, scope) for n in asked)))

    async def read(self, name: str) -> dict[str, Any]:
        """The snapshot, in the shape of evidence/postgres_state.py. Raises what psycopg raises, OSError or TimeoutError."""
        async with asyncio.timeout(self._limits.whole_s), self._open(name) as connection:
            return {"name": name, **await _snapshot(connection)}

    async def role(self, name: str) -> WatchingRole:
        """Who we are there, and what we could do. Raises Transient with the server's words."""
        try:
            async with asyncio.timeout(self._limits.whole_s), self._open(name) as connection:
                row = await (await connection.execute(_ROLE)).fetchone()
        except FAILURES as failure:
            raise Transient(_why(failure)) from failure
        if row is None:
            raise Transient("the server does not know our role")
        return WatchingRole(**row)

    @contextlib.asynccontextmanager
    async def _open(self, name: str) -> "AsyncIterator[AsyncConnection[dict[str, Any]]]":
        connection = await AsyncConnection.connect(
            self._urls[name],
            row_factory=dict_row,
            connect_timeout=self._limits.connect_s,
            application_name="sre-agent",
            options=f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={STATEMENT_MS}",
        )
        async with connection:
            await connection.set_read_only(True)
            yield connection

    async def _evidence(self, name: str, scope: Scope) -> Evidence:
        payload: dict[str, Any] = {}
        error = ""
        try:
            payload = await self.read(name)
        except FAILURES as failure:
            error = _why(failure)
            state = _refusal(failure)
            payload = {"name": name, "error": error, "sqlstate": state} if state else {}
        return Evidence(
            id="",
            source=self.name,
            kind=self.kind,
            query=f"pg_stat_activity, pg_locks, pg_stat_replication, pg_replication_slots, pg_settings of {name}",
            status=EvidenceStatus.OK if payload else EvidenceStatus.ERROR,
            observed_at=scope.now,
            payload=payload or None,
            size_bytes=len(str(payload)),
            truncated=any(len(v) >= MOST_ROWS for v in payload.values() if isinstance(v, list)),
            error="" if payload else error,
        )


async def _snapshot(connection: "AsyncConnection[dict[str, Any]]") -> dict[str, Any]:
    """Every part; one that this server or user does not allow is missing, and `missing` names it."""
    missing: list[str] = []

    async def ask(part: str, query: LiteralString) -> list[dict[str, Any]]:
        try:
            async with connection.transaction():
                return await (await connection.execute(query, {"most": MOST_ROWS})).fetchall()
        except (errors.InsufficientPrivilege, errors.QueryCanceled, errors.UndefinedColumn, errors.UndefinedFunction):
            missing.append(part)
            return []

    own = next(iter(await ask("primary", _OWN)), {})
    own["connections"] = {r["state"]: r["n"] for r in await ask("connections", _STATES)}
    own["limits"] = await ask("limits", _LIMITS)
    told = {
        "activity": await ask("activity", _ACTIVITY),
        "locks": await ask("locks", _LOCKS),
        "replication": await ask("replication", _REPLICATION),
        "slots": await ask("slots", _SLOTS),
        "settings": {r["name"]: r["setting"] for r in await ask("settings", _SETTINGS)},
    }
    own["databases"] = await ask("databases", _DATABASES)
    return {"primary": own, **told, "missing": missing}


def _database(url: str) -> str:
    return str(conninfo_to_dict(url).get("dbname") or "").lower()


def _refusal(failure: BaseException) -> str:
    """Which of _REFUSES it is, by the server's code or else its words; "" when it only could not be asked."""
    if isinstance(failure, TimeoutError):
        return "timeout"
    state = getattr(failure, "sqlstate", None)
    if state in ("53300", "57P03"):
        return str(state)
    return next((code for code, words in _REFUSES if words.search(str(failure))), "")


def _why(failure: BaseException) -> str:
    return " ".join(str(failure).split())[:200] or type(failure).__name__
