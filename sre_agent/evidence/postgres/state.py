"""What one PostgreSQL says about itself: the same shape live and recorded, total over partial rows.

Payload of the evidence that source `postgres` gives: {"name", "error", "sqlstate", "primary": {...}, "replication": [...],
"activity": [...], "locks": [...], "slots": [...], "settings": {...}}. All parts are optional. Field names are those of
pg_stat_activity, pg_stat_replication and pg_replication_slots (PostgreSQL documentation, chapters 27.2 and 53). Ages and
lags are seconds (`xact_seconds`, ...), or the views' own times and intervals, which are turned into seconds here.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.window import instant

SOURCE = "postgres"
"""The name of the source: what tells this evidence from Patroni's, which is of the same kind."""

LABELS = (
    "postgres",
    "postgresql",
    "postgres_instance",
    "dbinstance_identifier",
    "dbinstance",
    "db_instance",
    "datname",
    "database",
)
"""Alert labels that may name an instance, or the database in it, the plainest first."""

STATEMENT = 200
"""Characters kept of a statement: it is data that somebody wrote."""

_INTERVAL = re.compile(r"^(-)?(?:(\d+) days? ?)?(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?$")
_BACKGROUND = re.compile(r"autovacuum|walsender|walreceiver|walwriter|checkpointer|launcher|writer|startup|archiver|slotsync")
Row = Mapping[str, Any]


class Session(BaseModel):
    """One row of pg_stat_activity. Ages in seconds, None when the row does not tell; `state` "" likewise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int = 0
    database: str = ""
    user: str = ""
    application: str = ""
    state: str = ""
    wait_type: str = ""
    wait: str = ""
    transaction_s: float | None = None
    statement_s: float | None = None
    state_s: float | None = None
    client: bool = True
    statement: str = ""
    blocked_by: tuple[int, ...] = ()

    @property
    def idle_in_transaction(self) -> bool:
        """It holds a transaction open and does nothing in it."""
        return self.state.startswith("idle in transaction")


class Waiting(BaseModel):
    """One session that waits for a lock: for which, on what, behind whom, since how many seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    blocked_by: tuple[int, ...]
    relation: str = ""
    mode: str = ""
    waiting_s: float | None = None


class Replica(BaseModel):
    """One row of pg_stat_replication. `lag_bytes` and `lag_s` (replay) None when unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: str = ""
    sync_state: str = ""
    lag_bytes: float | None = None
    lag_s: float | None = None


class Slot(BaseModel):
    """One row of pg_replication_slots. `active` None when the row does not tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str = ""
    active: bool | None = None
    retained_bytes: float = 0.0
    wal_status: str = ""


class Ceiling(BaseModel):
    """A limit of connections and how many are in use: the server's, a role's or a database's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    used: int
    most: int


class PostgresState(BaseModel):
    """One instance at one instant. `error` and `sqlstate` say why it let nobody in; the rest is empty then.

    `loads` are average active sessions by what they wait for ("Lock:tuple"), where statements come with their load instead of
    sessions (Amazon RDS Performance Insights).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    error: str = ""
    sqlstate: str = ""
    version: str = ""
    in_recovery: bool = False
    receiving: bool | None = None
    replay_age_s: float | None = None
    max_connections: int = 0
    states: dict[str, int] = {}
    ceilings: tuple[Ceiling, ...] = ()
    sessions: tuple[Session, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    replicas: tuple[Replica, ...] = ()
    slots: tuple[Slot, ...] = ()
    settings: dict[str, str] = {}
    loads: dict[str, float] = {}

    def session(self, pid: int) -> Session | None:
        """The session of a process id."""
        return next((s for s in self.sessions if s.pid == pid), None)


def postgres_state(payload: object, name: str, at: datetime) -> PostgresState:
    """The state that a payload holds; what has an odd shape is left out. `at`: when it was seen, for times of the views."""
    told = _mapping(payload)
    own = _mapping(told.get("primary"))
    settings = {str(k): str(v) for k, v in _mapping(told.get("settings")).items()}
    sessions = tuple(_session(r, at) for r in _rows(told.get("activity")))
    most = number(_first(own, "max_connections"), number(settings.get("max_connections"), 0.0)) or 0.0
    states = {str(k): int(n) for k, v in _mapping(own.get("connections")).items() if (n := number(v)) is not None}
    known = states or _counted(sessions)
    return PostgresState(
        name=str(told.get("name") or own.get("name") or name).lower(),
        error=str(told.get("error") or ""),
        sqlstate=str(told.get("sqlstate") or ""),
        version=str(_first(own, "version", "server_version") or ""),
        in_recovery=_true(_first(own, "in_recovery", "pg_is_in_recovery", "is_in_recovery")),
        receiving=_maybe(own.get("receiving")),
        replay_age_s=seconds(own.get("replay_age_seconds")),
        max_connections=int(most),
        states=known,
        ceilings=tuple(_ceilings(own, int(most), known)),
        sessions=sessions,
        waiting=tuple(_waiting(told, sessions)),
        replicas=tuple(_replica(r, own) for r in _rows(told.get("replication"))),
        slots=tuple(_slot(r, own) for r in _rows(told.get("slots"))),
        settings=settings,
        loads=_loads(_rows(told.get("activity"))),
    )


def number(value: object, default: float | None = None) -> float | None:
    """A finite number, whatever it was told as; `default` when it is none."""
    try:
        found = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return default
    return found if math.isfinite(found) else default


def seconds(value: object) -> float | None:
    """Seconds told as a number or as an interval ("1 day 02:03:04.5"); None when it is neither."""
    plain = number(value)
    found = _INTERVAL.match(value.strip()) if plain is None and isinstance(value, str) else None
    if found is None or not (found[2] or found[3]):
        return plain
    days, hours, minutes, rest = (float(found[i] or 0) for i in (2, 3, 4, 5))
    return (-1 if found[1] else 1) * (days * 86_400 + hours * 3600 + minutes * 60 + rest)


def since(value: object, at: datetime) -> float | None:
    """Seconds from the time that something began until `at`, never below 0; None when it is no time."""
    began = instant(value)
    return max((at - began).total_seconds(), 0.0) if began is not None else None


def lsn(value: object) -> int | None:
    """A write-ahead log position ("16/B374D848") as bytes since the beginning of the log; None when it is none."""
    high, slash, low = value.partition("/") if isinstance(value, str) else ("", "", "")
    try:
        return (int(high, 16) << 32) + int(low, 16) if slash else None
    except ValueError:
        return None


def _session(row: Row, at: datetime) -> Session:
    kind = str(_first(row, "backend_type") or "client backend")
    return Session(
        pid=int(number(row.get("pid"), 0.0) or 0),
        database=str(_first(row, "datname", "database") or ""),
        user=str(_first(row, "usename", "user") or ""),
        application=str(_first(row, "application_name", "application") or "")[:80],
        state=str(row.get("state") or ""),
        wait_type=str(row.get("wait_event_type") or ""),
        wait=str(row.get("wait_event") or ""),
        transaction_s=_age(row, "xact", at),
        statement_s=_age(row, "query", at),
        state_s=_age(row, "state", at, "state_change"),
        client=_BACKGROUND.search(kind) is None,
        statement=str(_first(row, "query", "statement") or "")[:STATEMENT],
        blocked_by=_pids(row.get("blocked_by")),
    )


def _age(row: Row, of: str, at: datetime, column: str = "") -> float | None:
    told = seconds(_first(row, f"{of}_seconds", f"{of}_age", f"{of}_duration"))
    return told if told is not None else since(row.get(column or f"{of}_start"), at)


def _waiting(told: Row, sessions: tuple[Session, ...]) -> Iterator[Waiting]:
    """Those that the locks tell of; else those whose own row says behind whom they wait."""
    rows, seen = _rows(told.get("locks")), set()
    for row in rows:
        pid, behind = (
            int(number(_first(row, "pid", "blocked_pid"), 0.0) or 0),
            _pids(_first(row, "blocked_by", "blocking_pids", "blocking_pid")),
        )
        if pid and behind and pid not in seen:
            seen.add(pid)
            waits = number(_first(row, "waiting_seconds", "wait_seconds"))
            relation, mode = str(_first(row, "relation", "table") or ""), str(row.get("mode") or "")
            yield Waiting(pid=pid, blocked_by=behind, relation=relation[:120], mode=mode[:40], waiting_s=waits)
    for session in sessions:
        if session.blocked_by and session.pid not in seen:
            yield Waiting(pid=session.pid, blocked_by=session.blocked_by, waiting_s=session.state_s or session.statement_s)


def _replica(row: Row, own: Row) -> Replica:
    behind = number(_first(row, "lag_bytes", "replay_lag_bytes"))
    sent, replayed = lsn(_first(own, "lsn", "current_wal_lsn") or row.get("sent_lsn")), lsn(row.get("replay_lsn"))
    if behind is None and sent is not None and replayed is not None:
        behind = float(max(sent - replayed, 0))
    lags = (seconds(row.get(k)) for k in ("lag_seconds", "replay_lag", "flush_lag", "write_lag"))
    late = next((lag for lag in lags if lag is not None), None)
    return Replica(
        name=str(_first(row, "application_name", "name", "client_addr") or "-")[:80],
        state=str(row.get("state") or ""),
        sync_state=str(row.get("sync_state") or ""),
        lag_bytes=behind,
        lag_s=late,
    )


def _slot(row: Row, own: Row) -> Slot:
    kept, from_lsn, now_lsn = (
        number(_first(row, "retained_bytes", "lag_bytes")),
        lsn(row.get("restart_lsn")),
        lsn(_first(own, "lsn", "current_wal_lsn")),
    )
    if kept is None and from_lsn is not None and now_lsn is not None:
        kept = float(max(now_lsn - from_lsn, 0))
    return Slot(
        name=str(_first(row, "slot_name", "name") or "-")[:80],
        kind=str(_first(row, "slot_type", "kind") or ""),
        active=_maybe(row.get("active")),
        retained_bytes=kept or 0.0,
        wal_status=str(row.get("wal_status") or ""),
    )


def _ceilings(own: Row, most: int, states: Mapping[str, int]) -> Iterator[Ceiling]:
    reserved = int(number(own.get("reserved_connections"), 0.0) or 0)
    if most > reserved and states:
        yield Ceiling(what="max_connections", used=sum(states.values()), most=most - reserved)
    for row in _rows(own.get("limits")):
        used, limit = number(row.get("used")), number(row.get("limit"))
        if used is not None and limit is not None and limit > 0:
            yield Ceiling(what=f"the limit of {row.get('what', 'a role')}"[:120], used=int(used), most=int(limit))


def _counted(sessions: tuple[Session, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for session in (s for s in sessions if s.client and s.state):
        found[session.state] = found.get(session.state, 0) + 1
    return found


def _loads(rows: list[Row]) -> dict[str, float]:
    found: dict[str, float] = {}
    for wait in (w for r in rows for w in _rows(r.get("wait_events"))):
        found[str(wait.get("name") or "")] = found.get(str(wait.get("name") or ""), 0.0) + (number(wait.get("db_load_avg")) or 0.0)
    return {name: load for name, load in found.items() if name and load > 0}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[Row]:
    return [r for r in value if isinstance(r, Mapping)] if isinstance(value, list | tuple) else []


def _first(row: Row, *names: str) -> Any:
    return next((row[n] for n in names if row.get(n) is not None), None)


def _true(value: object) -> bool:
    return value is True or str(value).lower() in ("t", "true", "on", "yes", "1")


def _maybe(value: object) -> bool | None:
    return None if value is None else _true(value)


def _pids(value: object) -> tuple[int, ...]:
    told = value if isinstance(value, list | tuple) else re.findall(r"\d+", value) if isinstance(value, str) else [value]
    return tuple(int(n) for v in told if (n := number(v)) is not None and n > 0)
