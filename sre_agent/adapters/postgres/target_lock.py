"""One worker per target at a time: a session advisory lock on a connection of its own.

The lock goes with its connection, so with its process. It does not protect the target (a paused holder
wakes up and goes on): the precondition sent to the target does. Needs a direct connection or a pooler in
session mode.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sre_agent.adapters.postgres.database import Connection, DriverError, lock_number, single_connection
from sre_agent.incident.errors import Conflict


class TargetLock:
    """A lock that was taken; `confirm` tells whether it still is."""

    def __init__(self, connection: Connection, target_key: str) -> None:
        self._connection = connection
        self._target_key = target_key

    async def confirm(self) -> None:
        """Raise Conflict when the connection, and with it the lock, is gone. To be asked right before an effect."""
        try:
            await self._connection.execute("SELECT 1")
        except DriverError as error:
            raise Conflict(
                f"The lock on {self._target_key} was lost ({type(error).__name__}); another worker may hold it."
            ) from error


class TargetLocks:
    """Hands out the locks of one database."""

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def target_lock(self, target_key: str) -> AsyncIterator[TargetLock]:
        """Hold the lock of one target (Target.key). Conflict at once when somebody holds it; Transient: no server."""
        async with single_connection(self._url) as connection:
            row = await (
                await connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_number(f"target:{target_key}"),))
            ).fetchone()
            if row is None or not row[0]:
                raise Conflict(f"Another worker is busy with {target_key}.")
            try:
                yield TargetLock(connection, target_key)
            finally:
                with suppress(DriverError):  # closing frees it too, but only some time after this returns
                    await connection.execute("SELECT pg_advisory_unlock_all()")
