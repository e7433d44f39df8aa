"""A storm at the running product (`sre-agent serve --role web`): 10,000 alerts in 60 s through Alertmanager's door.

The agent has a process of its own and a PostgreSQL as it ships. Deliveries are sent when they are due, whatever has been answered;
latency runs from that moment, so a door that falls behind cannot hide it.
"""

import asyncio
import shutil
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import single_connection
from sre_agent.testing.alertmanager_webhooks import storm
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.night.stage import readable_temp
from sre_agent.wiring.state import migrate_database
from tests.bench.load import play_when_due
from tests.bench.verdict import Row, percentile

TOKEN = "token of the bench"
ALERTS, GROUPS, SECONDS = 10_000, 200, 60.0


def rows(alerts: int = ALERTS, groups: int = GROUPS, seconds: float = SECONDS) -> list[Row]:
    """p99 of the answers while the storm lasts: in groups, and each alert alone. SystemExit when a delivery was not kept."""
    return [_row(alerts, groups, seconds), _row(alerts, alerts, seconds)]


def _row(alerts: int, groups: int, seconds: float) -> Row:
    folder = readable_temp("sre-agent-bench-")
    try:
        latencies, largest = _measured(folder, alerts, groups, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ms = [t * 1000 for t in latencies]
    sent = f"{alerts} alerts in {seconds:g} s, {len(ms)} deliveries of up to {(largest + 1023) // 1024} KiB"
    seen = f"p50 {statistics.median(ms):.0f} ms, most {max(ms):.0f} ms; {sent}"
    return Row(f"storm at Alertmanager's door, {groups} groups: p99 of the answer", percentile(ms, 99), " ms", 100.0, seen=seen)


def _measured(folder: Path, alerts: int, groups: int, seconds: float) -> tuple[list[float], int]:
    """Seconds that each answer took, and the bytes of the largest body."""
    with EmbeddedPostgres.start(folder / "data", at_end=AtEnd.DELETE, spare=folder / "spare") as server:
        url = server.database_url("bench")
        asyncio.run(migrate_database(url))
        settings = {"DATABASE_URL": url, "SRE_AGENT_ALERTMANAGER_TOKEN": TOKEN, "SRE_AGENT_DATA_DIR": str(folder / "agent")}
        agent = AgentProcess(settings, folder / "agent.log", role="web")
        agent.start()
        try:
            agent.wait_ready()
            deliveries = list(storm(alerts, groups, datetime.now(UTC), timedelta(seconds=seconds)))
            latencies = play_when_due(agent.port, [(since.total_seconds(), _request(body)) for since, body in deliveries])
        finally:
            agent.stop()
        asyncio.run(_all_kept(url, len(deliveries)))
    return latencies, max(len(body) for _, body in deliveries)


def _request(body: bytes) -> bytes:
    headers = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "authorization": f"Bearer {TOKEN}",
        "content-length": len(body),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /webhooks/alertmanager HTTP/1.1\r\n{head}\r\n".encode() + body


async def _all_kept(url: str, sent: int) -> None:
    async with single_connection(url) as connection:
        for table in ("inbox", "procrastinate_jobs"):
            row = await (await connection.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
            if row is None or row[0] != sent:
                raise SystemExit(f"{sent} deliveries were answered with 202, but {table} holds {row}")
