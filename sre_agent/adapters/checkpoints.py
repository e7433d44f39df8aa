"""LangGraph's checkpoints in PostgreSQL. The only import of langgraph.checkpoint.postgres, made when first used.

They save paid model calls across a crash; correctness never depends on them. Contents are JSON-like data only:
the serializer refuses to rebuild anything else.
"""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from sre_agent.investigation.graph import lock_down, thread_id

if TYPE_CHECKING:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver


async def migrate_checkpoints(dsn: str) -> None:
    """Create or update the tables. Run by `migrate`, once: it uses CREATE INDEX CONCURRENTLY, which deadlocks when
    replicas run it side by side under a blocking lock."""
    lock_down()
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    async with AsyncPostgresSaver.from_conn_string(dsn) as saver:
        await saver.setup()


class Checkpoints:
    """The checkpointer of one process, over a small pool that survives a restart of the database."""

    def __init__(self, dsn: str, connections: int = 4) -> None:
        self._dsn = dsn
        self._connections = connections
        self._stack = AsyncExitStack()
        self._saver: AsyncPostgresSaver | None = None

    async def open(self) -> "AsyncPostgresSaver":
        """The saver to hand to build_investigator; the tables must exist (migrate_checkpoints)."""
        if self._saver is None:
            lock_down()
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
            from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
            from psycopg import AsyncConnection
            from psycopg.rows import DictRow, dict_row
            from psycopg_pool import AsyncConnectionPool

            pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
                self._dsn,
                min_size=0,
                max_size=self._connections,
                kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
                check=AsyncConnectionPool.check_connection,
                open=False,
            )
            await self._stack.enter_async_context(pool)
            self._saver = AsyncPostgresSaver(pool, serde=JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None))
        return self._saver

    async def prune(self, thread: str) -> None:
        """Forget one investigation's checkpoints; called when its incident closes."""
        await (await self.open()).adelete_thread(thread_id(thread))

    async def close(self) -> None:
        """Close the pool."""
        self._saver = None
        await self._stack.aclose()
