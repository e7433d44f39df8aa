"""Webhook ingest of the running product (`sre-agent serve --role web`) beside a bare FastAPI route.

Both have a process of their own and the same PostgreSQL, configured as it ships. Rounds are short and come in pairs whose
order alternates, so that whatever else the machine does meets both sides. Throughput is judged by the median of the pairs'
ratios, p99 over all requests of each side.
"""

import asyncio
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import single_connection
from sre_agent.testing.night.agent import AgentProcess, free_port
from sre_agent.testing.night.stage import readable_temp
from sre_agent.wiring.state import migrate_database
from tests.bench import bare_route
from tests.bench.load import Round, deliveries, play
from tests.bench.verdict import Row, percentile, spread
from tests.house.tree import ROOT

SECRET = "the-secret-of-one-subscription"
PAIRS = 24
REQUESTS = 300
WARM_UP = 400


def rows(pairs: int = PAIRS, requests: int = REQUESTS) -> list[Row]:
    """Throughput and p99 as ratios to the bare route's."""
    folder = readable_temp("sre-agent-bench-")
    try:
        ours, bare = _measured(folder, pairs, requests)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratios = [a.rate / b.rate for a, b in zip(ours, bare, strict=True)]
    rates = [statistics.median(r.rate for r in side) for side in (ours, bare)]
    p99s = [percentile([t for r in side for t in r.latencies], 99) * 1000 for side in (ours, bare)]
    beside = f"{rates[0]:.0f}/s beside {rates[1]:.0f}/s; pairs {spread(ratios, 'x')}"
    late = f"{p99s[0]:.0f} ms beside {p99s[1]:.0f} ms; p50 {_p50_ms(ours):.0f} ms beside {_p50_ms(bare):.0f} ms"
    return [
        Row("ingest: throughput, ours / bare route", statistics.median(ratios), "x", 0.6, at_least=True, seen=beside),
        Row("ingest: p99 latency, ours / bare route", p99s[0] / p99s[1], "x", 2.0, seen=late),
    ]


def _p50_ms(side: list[Round]) -> float:
    return statistics.median(t for r in side for t in r.latencies) * 1000


def _measured(folder: Path, pairs: int, requests: int) -> tuple[list[Round], list[Round]]:
    """The rounds of ours and of the bare route, on a database of their own."""
    with EmbeddedPostgres.start(folder / "data", at_end=AtEnd.DELETE, spare=folder / "spare") as server:
        url = server.database_url("bench")
        asyncio.run(_prepare(url))
        with _servers(url, folder) as ports:
            found = _paired(ports, pairs, requests)
        asyncio.run(_all_kept(url, WARM_UP + pairs * requests))
    return found


def _paired(ports: tuple[int, int], pairs: int, requests: int) -> tuple[list[Round], list[Round]]:
    """The rounds of both sides; every delivery is sent once, to one of them."""
    sides: tuple[list[Round], list[Round]] = ([], [])
    for side in (0, 1):
        play(ports[side], deliveries(side * WARM_UP, WARM_UP, SECRET))
    start = 2 * WARM_UP
    for turn in range(pairs):
        for side in ((0, 1), (1, 0))[turn % 2]:
            sides[side].append(play(ports[side], deliveries(start, requests, SECRET)))
            start += requests
    return sides


async def _prepare(url: str) -> None:
    await migrate_database(url)
    async with single_connection(url) as connection:
        await connection.execute(bare_route.TABLE)


async def _all_kept(url: str, sent: int) -> None:
    """SystemExit unless each side kept every delivery, and ours also its job: a fast loss is no speed."""
    async with single_connection(url) as connection:
        for table in ("inbox", "procrastinate_jobs", "bare_delivery"):
            row = await (await connection.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
            if row is None or row[0] != sent:
                raise SystemExit(f"{sent} deliveries were answered with 202, but {table} holds {row}")


@contextmanager
def _servers(url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Both servers, ready: the product as it is started by its users, and the bare route. Their ports."""
    settings = {"DATABASE_URL": url, "PAGERDUTY_WEBHOOK_SECRET": SECRET, "SRE_AGENT_DATA_DIR": str(folder / "agent")}
    agent = AgentProcess(settings, folder / "agent.log", role="web")
    port = free_port()
    agent.start()
    bare = subprocess.Popen([sys.executable, "-m", "tests.bench.bare_route", url, SECRET, str(port)], cwd=ROOT)
    try:
        agent.wait_ready()
        _wait_for(f"http://127.0.0.1:{port}/openapi.json")
        yield agent.port, port
    finally:
        agent.stop()
        bare.terminate()
        bare.wait(20)


def _wait_for(url: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=2).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing answers at {url}")
