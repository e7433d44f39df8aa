"""Connections to PostgreSQL, and the translation of everything they raise.

- cannot be reached, restarted, deadlocked, read-only after a failover: Transient, naming host and database;
- a unique key or another constraint said no: Conflict;
- the tables are missing: ConfigurationError (run `sre-agent migrate`);
- anything else (a value that does not fit): Permanent.
No message holds a password: the address is rebuilt from host, port and database name.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from sre_agent.incident.errors import ConfigurationError, Conflict, Permanent, SreAgentError, Transient

TRUST_S = 0.5
"""A pooled connection used so recently is taken to be alive without asking, unless another one broke since."""

STALL_S = 8.0
"""How long a transaction may be open and silent. A process that was stopped inside one would hold its rows, the audit
chain's head or the takeover's lock for as long as it stays stopped, and nobody else could go on."""


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection that remembers when it last proved to be alive (monotonic seconds)."""

    alive_at: float = 0.0


DriverError = psycopg.Error
"""For callers that read failure as an answer (the halt: unreadable means halted)."""

Row = tuple[Any, ...]
Values = Mapping[str, object]


class Database:
    """A pool of autocommitting connections. Open before use; safe for any number of tasks of one event loop.

    `wait_s` is how long a caller waits for a connection (pool full, or server away) before Transient; `stall_s` how long a
    transaction may be silent before the server ends it.
    """

    def __init__(self, url: str, *, max_size: int = 10, wait_s: float = 10.0, stall_s: float = STALL_S) -> None:
        self.url = url
        self.address = address_of(url)
        self._broke_at = 0.0
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            connection_class=Connection,
            kwargs={"autocommit": True, "application_name": "sre-agent", "connect_timeout": 5},
            min_size=1,
            max_size=max_size,
            timeout=wait_s,
            check=self._alive,
            configure=partial(never_stall, stall_s=stall_s),
            open=False,
            name="sre-agent",
        )

    async def open(self) -> None:
        """Open the pool; it connects in the background, so a server that is down now fails the first call, not this."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A pooled connection in autocommit mode: each statement is its own transaction."""
        async with translated(self.address), self._pool.connection() as connection:
            try:
                yield connection
            finally:
                if connection.broken:
                    self._broke_at = time.monotonic()
            connection.alive_at = time.monotonic()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A pooled connection inside one transaction: committed at the end, rolled back by any exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def _alive(self, connection: Connection) -> None:
        """The pool's check at hand-out: one empty query, skipped right after a use (the hot path).

        A server that restarts takes all connections with it: once one broke, none is trusted for what it did before.
        """
        if time.monotonic() - connection.alive_at > TRUST_S or connection.alive_at <= self._broke_at:
            await AsyncConnectionPool.check_connection(connection)

    async def row(self, statement: LiteralString, values: Values | None = None) -> Row | None:
        """The first row of one statement, run in a transaction of its own."""
        async with self.connection() as connection:
            return await (await connection.execute(statement, values)).fetchone()

    async def rows(self, statement: LiteralString, values: Values | None = None) -> list[Row]:
        """All rows of one statement, run in a transaction of its own."""
        async with self.connection() as connection:
            return await (await connection.execute(statement, values)).fetchall()


async def never_stall(connection: psycopg.AsyncConnection[Any], stall_s: float = STALL_S) -> None:
    """For a new connection of a pool: have the server end it when it leaves a transaction open and silent."""
    setting = ("idle_in_transaction_session_timeout", f"{stall_s * 1000:.0f}")
    await connection.execute("SELECT set_config(%s, %s, false)", setting)
    await connection.commit()


@asynccontextmanager
async def single_connection(url: str) -> AsyncIterator[Connection]:
    """A connection of one's own, outside any pool: for locks that live and die with their connection."""
    async with translated(address_of(url)):
        connection = await Connection.connect(
            url, autocommit=True, connect_timeout=5, application_name="sre-agent lock", keepalives_idle=10, keepalives_interval=5
        )
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def translated(address: str) -> AsyncIterator[None]:
    """Turn what the driver raises into this product's errors."""
    try:
        yield
    except psycopg.Error as error:
        raise translation(address, error) from error


def translation(address: str, error: psycopg.Error) -> SreAgentError:
    """This product's error for a driver's error."""
    said = str(error).strip().split("\n", 1)[0] or type(error).__name__
    match error:
        case errors.IntegrityError():
            return Conflict(f"PostgreSQL {address} refused a change: {said}")
        case errors.UndefinedTable() | errors.UndefinedFunction() | errors.UndefinedObject() | errors.UndefinedColumn():
            return ConfigurationError(f"PostgreSQL {address} lacks the tables of this version ({said}). Run: sre-agent migrate")
        case errors.InvalidPassword() | errors.InvalidAuthorizationSpecification() | errors.InvalidCatalogName():
            return ConfigurationError(f"PostgreSQL {address} does not let us in ({said}). Check DATABASE_URL.")
        case errors.ProgramLimitExceeded():  # an operational error by its class, but it will not pass
            return Permanent(f"PostgreSQL {address} refused a value as too large: {said}")
        case psycopg.OperationalError() | psycopg.InterfaceError() | errors.ReadOnlySqlTransaction():
            return Transient(f"PostgreSQL {address} cannot be used now: {said}")
        case _:
            return Permanent(f"PostgreSQL {address} refused a statement: {said}")


def address_of(url: str) -> str:
    """host:port/database of a connection URL, without user and password. ConfigurationError when it is no URL."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigurationError("DATABASE_URL is not a PostgreSQL URL (postgresql://user:password@host:port/database).") from None
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


def lock_number(name: str) -> int:
    """The advisory lock's number for a name: 64 bits, signed, the same in every process."""
    return int.from_bytes(hashlib.sha256(f"sre-agent:{name}".encode()).digest()[:8], signed=True)
