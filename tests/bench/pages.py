"""The page of an incident with 200 timeline rows and 6 charts: how long the server takes for it, and how large it is.

Asked of the running product (`sre-agent serve --role web`) on a database of its own, by a signed-in person, over HTTP: from the
request's first byte to the answer's last.
"""

import asyncio
import math
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.response.record import IncidentRecord, Step
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.night.stage import readable_temp
from sre_agent.wiring.state import migrate_database
from tests.bench.verdict import Row, percentile, spread
from tests.web.shown import investigated

ROWS, CHARTS, SERIES = 200, 6, 200
ROUNDS = 100
SLUG = "redis-slow-primary"


def rows(rounds: int = ROUNDS) -> list[Row]:
    """Server time and size of the page, and the time of a list of 50. Every round does the same work, so the quietest is judged."""
    folder = readable_temp("sre-agent-bench-")
    try:
        with _served(folder) as (client, page):
            took, html = _asked(client, page, rounds)
            listed, _ = _asked(client, "/", rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    middle = statistics.median(took)
    shown = f"{html.count('</figure>')} charts of {SERIES + 6} series; p50 {middle:.0f} ms, {spread(took, ' ms')}"
    if html.count("</figure>") != CHARTS or html.count("line of the story") < ROWS - 5:
        raise SystemExit(f"the page does not show what is to be measured: {shown}")
    late = f"p50 {statistics.median(listed):.0f} ms, p95 {percentile(listed, 95):.0f} ms"
    return [
        Row("page of an incident, 200 rows and 6 charts: quietest", min(took), " ms", 100.0, seen=shown),
        Row("page of an incident: size", len(html.encode()) / 1000, " kB", 250.0),
        Row("list of 50 incidents: quietest", min(listed), " ms", seen=late),
    ]


def _asked(client: httpx.Client, path: str, rounds: int) -> tuple[list[float], str]:
    """Milliseconds of each round, and the page."""
    for _ in range(3):
        html = client.get(path).raise_for_status().text
    took = []
    for _ in range(max(2, rounds)):
        began = time.perf_counter()
        html = client.get(path).raise_for_status().text
        took.append((time.perf_counter() - began) * 1000)
    return took, html


@contextmanager
def _served(folder: Path) -> Iterator[tuple[httpx.Client, str]]:
    """The product with the incident and 60 more in its database; a client of somebody signed in, and the page's path."""
    with EmbeddedPostgres.start(folder / "data", at_end=AtEnd.DELETE, spare=folder / "spare") as server:
        url = server.database_url("bench")
        page = asyncio.run(_prepare(url))
        settings = {"DATABASE_URL": url, "PAGERDUTY_WEBHOOK_SECRET": "s", "SRE_AGENT_TRUSTED_PROXIES": "127.0.0.0/8"}
        settings["SRE_AGENT_PUBLIC_URL"] = "http://127.0.0.1"
        agent = AgentProcess({**settings, "SRE_AGENT_DATA_DIR": str(folder / "agent")}, folder / "agent.log", role="web")
        agent.start()
        try:
            agent.wait_ready()
            with httpx.Client(base_url=agent.url, headers={"X-Forwarded-Email": "ana@example.com"}, timeout=30) as client:
                yield client, page
        finally:
            agent.stop()


async def _prepare(url: str) -> str:
    await migrate_database(url)
    record, question = heavy()
    async with Database(url) as pool:
        store = PostgresStore(pool)
        stored = await store.create(record, ())
        await store.advance(stored, Step(to=record.state, approval=question))
        for n in range(60):
            other = record.model_copy(
                update={"id": f"Q{n:04}", "approval_id": None, "received_at": record.received_at - timedelta(n)}
            )
            await store.create(other, ())
    return f"/incidents/{record.id}"


def heavy() -> tuple[IncidentRecord, object]:
    """A waiting incident with a long story and many series, six of which moved enough to be drawn."""
    record, question = investigated(SLUG)
    began = record.received_at
    story = tuple(
        TimelineEntry(
            at=began + timedelta(seconds=n), kind="approval_given", text=f"line of the story {n}, " + "with words in it " * 5
        )
        for n in range(ROWS)
    )
    diagnosis = record.diagnosis
    (metrics,) = (e for e in diagnosis.evidence if e.id == "e1")
    payload = [*metrics.payload, *(_series(n, record.updated_at) for n in range(SERIES))]
    evidence = tuple(e.model_copy(update={"payload": payload}) if e.id == "e1" else e for e in diagnosis.evidence)
    return record.model_copy(update={"timeline": story, "diagnosis": diagnosis.model_copy(update={"evidence": evidence})}), question


def _series(n: int, until: datetime) -> dict[str, object]:
    """Forty minutes of one metric, as Prometheus tells it; every other one steps up near the end."""
    end = until.astimezone(UTC).timestamp()
    samples = [[end - 30 * k, 5 + math.sin(n + k) + (40 if n % 2 and k < 10 else 0)] for k in range(80, -1, -1)]
    return {
        "labels": {"__name__": f"service_{n}_latency_seconds", "redis_master": "cache", "instance": f"10.0.0.{n}"},
        "samples": samples,
    }
