"""One worker per target at a time: a session advisory lock on a connection of its own, held as a lease.

The lock goes with its connection, so with its process; and with a process that lives but does not run (stopped, swapped
out, its machine paused): the server ends a session that was idle for LEASE_S, and only a running holder keeps it busy.
Without that a paused holder would keep everybody else from finishing what it left half done.

It does not protect the target (a paused holder wakes up and goes on): the precondition sent to the target does.
Needs PostgreSQL 14 or later (idle_session_timeout), and a direct connection or a pooler in session mode.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sre_agent.adapters.postgres.database import Connection, DriverError, lock_number, single_connection
from sre_agent.incident.errors import Conflict

LEASE_S = 9.0
"""How long a holder may be silent before the lock is taken from it: no longer than its jobs are left to it."""


class TargetLock:
    """A lock that was taken; `confirm` tells whether it still is. `lease_s`: how long the server waits for a sign of life."""

    def __init__(self, connection: Connection, target_key: str, lease_s: float) -> None:
        self._connection = connection
        self._target_key = target_key
        self._lease_s = lease_s

    async def confirm(self) -> None:
        """Raise Conflict when the connection, and with it the lock, is gone. To be asked right before an effect."""
        try:
            await self._connection.execute("SELECT 1")
        except DriverError as error:
            raise Conflict(
                f"The lock on {self._target_key} was lost ({type(error).__name__}); another worker may hold it."
            ) from error

    async def keep(self, released: asyncio.Event) -> None:
        """Keep the lease until `released`. Ends early when it was lost, which `confirm` will tell."""
        while not released.is_set():
            try:
                await asyncio.wait_for(released.wait(), self._lease_s / 4)
            except TimeoutError:
                try:
                    await self.confirm()
                except Conflict:
                    return


class TargetLocks:
    """Hands out the locks of one database."""

    def __init__(self, url: str, lease_s: float = LEASE_S) -> None:
        self._url = url
        self._lease_s = lease_s

    @asynccontextmanager
    async def target_lock(self, target_key: str) -> AsyncIterator[TargetLock]:
        """Hold the lock of one target (Target.key). Conflict at once when somebody holds it; Transient: no server."""
        async with single_connection(self._url) as connection:
            lease = f"{self._lease_s * 1000:.0f}"
            await connection.execute("SELECT set_config('idle_session_timeout', %s, false)", (lease,))
            row = await (
                await connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_number(f"target:{target_key}"),))
            ).fetchone()
            if row is None or not row[0]:
                raise Conflict(f"Another worker is busy with {target_key}.")
            lock, released = TargetLock(connection, target_key, self._lease_s), asyncio.Event()
            kept = asyncio.create_task(lock.keep(released))
            try:
                yield lock
            finally:
                released.set()
                await kept
                with suppress(DriverError):  # closing frees it too, but only some time after this returns
                    await connection.execute("SELECT pg_advisory_unlock_all()")
