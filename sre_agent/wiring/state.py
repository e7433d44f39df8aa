"""What remembers: the database (embedded or given), and everything that lives in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sre_agent.adapters.checkpoints import Checkpoints, migrate_checkpoints
from sre_agent.adapters.log import log_audited
from sre_agent.adapters.observed_store import ObservedStore, Observer
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.halt import PostgresHalt
from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.adapters.postgres.migrate import migrate
from sre_agent.adapters.postgres.recordings import PostgresRecordings
from sre_agent.adapters.postgres.status_drafts import PostgresStatusDrafts
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.adapters.postgres.target_lock import TargetLock, TargetLocks
from sre_agent.adapters.postgres.told_alerts import PostgresToldAlerts
from sre_agent.adapters.postgres.track_record import PostgresTrackRecord
from sre_agent.execution.budget import Limits
from sre_agent.incident.errors import Conflict, Transient
from sre_agent.response.store import Store
from sre_agent.settings import Settings

MB = 1_000_000


@dataclass(frozen=True)
class State:
    """Everything durable, open. `store` tells its observers; `plain_store` is what is under it."""

    url: str
    database: Database
    store: Store
    plain_store: PostgresStore
    ledger: PostgresLedger
    halt: PostgresHalt
    track_record: PostgresTrackRecord
    checkpoints: Checkpoints
    recordings: PostgresRecordings
    told: PostgresToldAlerts
    status_drafts: PostgresStatusDrafts

    @asynccontextmanager
    async def target_lock(self, key: str) -> AsyncIterator[TargetLock]:
        """The target's lock; Transient when somebody is busy with it, so that the job comes back later."""
        manager = TargetLocks(self.url).target_lock(key)
        try:
            lock = await manager.__aenter__()
        except Conflict as busy:
            raise Transient(str(busy), retry_after=3.0) from busy
        try:
            yield lock
        finally:
            await manager.__aexit__(None, None, None)


class StateOpener(Protocol):
    """How `opened_state` is called."""

    def __call__(
        self, settings: Settings, observers: tuple[Observer, ...] = (), *, migrated: bool = False
    ) -> AbstractAsyncContextManager[State]:
        """The database and everything in it, for as long as the context is open."""
        ...


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncIterator[str]:
    """DATABASE_URL, or the URL of the embedded server, started or joined for as long as this is open."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    # Imported here: a deployment with its own PostgreSQL needs no embedded one.
    from sre_agent.adapters.embedded_postgres import EmbeddedPostgres

    server = await asyncio.to_thread(EmbeddedPostgres.start, settings.data_dir)
    try:
        yield await asyncio.to_thread(server.database_url)
    finally:
        await asyncio.to_thread(server.close)


async def migrate_database(url: str) -> tuple[str, ...]:
    """Bring a database to this version; the names of what was applied."""
    return await migrate(url, setups=(migrate_checkpoints,))


@asynccontextmanager
async def opened_state(settings: Settings, observers: tuple[Observer, ...] = (), *, migrated: bool = False) -> AsyncIterator[State]:
    """The database and everything in it. `migrated`: bring an embedded one to this version first, as `serve` does.

    A database given by DATABASE_URL is only ever migrated by `sre-agent migrate`.
    """
    async with database_url(settings) as url:
        if migrated and settings.database_url is None:
            await migrate_database(url)
        database = Database(url)
        await database.open()
        store, checkpoints = PostgresStore(database), Checkpoints(url)
        try:
            yield State(
                url=url,
                database=database,
                store=ObservedStore(store, (log_audited, *observers)),
                plain_store=store,
                ledger=PostgresLedger(database, Limits()),
                halt=PostgresHalt(database),
                track_record=PostgresTrackRecord(database),
                checkpoints=checkpoints,
                told=PostgresToldAlerts(database),
                status_drafts=PostgresStatusDrafts(database),
                recordings=PostgresRecordings(
                    database, settings.recordings_max_mb * MB, timedelta(days=settings.recordings_keep_days)
                ),
            )
        finally:
            await checkpoints.close()
            await database.close()
