"""Budget reservations under many workers at once: how many a second, and that no interleaving spends more than there is.

A private PostgreSQL configured as it ships (every commit is on disk), and one connection for each worker.
"""

import asyncio
import shutil
import time
from datetime import UTC, datetime

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.execution.budget import Limits
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import Refused
from sre_agent.testing.night.stage import readable_temp
from tests.bench.verdict import Row
from tests.conftest import resumed

WORKERS = 16
TRIES = 2_000
PLENTY = Limits(per_target_30m=10**6, per_service_6h=10**6, global_1h=10**6, global_24h=10**6, in_flight_global=3)
SHIPPED = Limits(in_flight_global=3)


def rows(workers: int = WORKERS, tries: int = TRIES) -> list[Row]:
    """Reservations granted a second with room for all, and how many too many were granted where there is room for few."""
    folder = readable_temp("sre-agent-bench-")
    try:
        with EmbeddedPostgres.start(folder / "data", at_end=AtEnd.DELETE, spare=folder / "spare") as server:
            return asyncio.run(_rows(server.database_url("bench"), workers, tries))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _rows(url: str, workers: int, tries: int) -> list[Row]:
    await resumed(url)
    async with Database(url, max_size=workers) as pool:
        began = time.monotonic()
        granted = await _contend(PostgresLedger(pool, PLENTY), workers, tries)
        rate = granted / (time.monotonic() - began)
        async with pool.connection() as connection:
            await connection.execute("TRUNCATE intent CASCADE")
        few = await _contend(PostgresLedger(pool, SHIPPED), workers, tries)
    seen = f"{granted} granted, each closed again, {workers} workers, at most 3 in flight"
    spent = f"{few} of {tries} granted, {SHIPPED.global_1h} there were"
    return [
        Row("budget: reservations", rate, "/s", 100, at_least=True, seen=seen),
        Row("budget: granted beyond the budget", max(0, few - SHIPPED.global_1h), "", 0, seen=spent),
    ]


async def _contend(ledger: PostgresLedger, workers: int, tries: int) -> int:
    """`tries` distinct intents, worked off by `workers` at once; how many were granted."""
    waiting = iter(range(tries))

    async def work() -> int:
        return sum([await _reserved(ledger, n) for n in waiting])

    return sum(await asyncio.gather(*(work() for _ in range(workers))))


async def _reserved(ledger: PostgresLedger, number: int) -> int:
    intent = _intent(number)
    while True:
        try:
            await ledger.open(intent)
        except Refused as no:
            if no.rule != "budget-in-flight":
                return 0
            await asyncio.sleep(0.001)
        else:
            await ledger.close(intent.key, IntentState.DONE, "done")
            return 1


def _intent(number: int) -> Intent:
    return Intent(
        key=f"key-{number}",
        incident_id=f"Q{number}",
        action="restart_pod",
        target_key=f"Pod/voice/pod-{number}",
        service=f"service-{number}",
        plan_hash="p",
        permit_id=f"permit-{number}",
        created_at=datetime.now(UTC),
    )
