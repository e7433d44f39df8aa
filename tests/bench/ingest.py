"""Webhook ingest beside a bare FastAPI route that checks the same signature and inserts one row into the same PostgreSQL.

Both run in their own process; rounds alternate, so that a busy machine is busy for both. Targets: throughput >= 0.6 of
the bare route, p99 <= 2 times its own.
"""

import asyncio
import hashlib
import hmac
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from sre_agent.adapters.postgres.database import single_connection
from sre_agent.adapters.postgres.migrate import migrate
from tests.house.tree import ROOT

SECRET = "bench-secret"
ROUNDS = 9
REQUESTS = 500
CLIENTS = 16


@dataclass
class Measured:
    """What one side did: requests per second of each round, and every latency in seconds."""

    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The median round."""
        return statistics.median(self.rates)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of all requests."""
        return statistics.quantiles(self.latencies, n=100)[98] * 1000


def requests(port: int, start: int, count: int) -> list[bytes]:
    """Signed deliveries as bytes, each about another incident, as on a night with many."""
    made = []
    for number in range(start, start + count):
        data = {"id": f"Q{number:013}", "type": "incident", "status": "triggered", "title": "x" * 400}
        event = {"id": f"01{number:024}", "event_type": "incident.triggered", "occurred_at": "2026-11-23T03:11:09Z", "data": data}
        body = json.dumps({"event": event}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        head = (
            f"POST /webhooks/pagerduty HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-pagerduty-signature: v1={signature}\r\nx-webhook-subscription: PBENCH\r\n"
            f"x-webhook-id: delivery-{number}\r\nuser-agent: PagerDuty-Webhook/V3.0\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def one_client(port: int, waiting: Iterator[bytes], latencies: list[float]) -> None:
    """Send what waits, one after another, on one connection. Every answer must be 202."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in waiting:
        began = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        latencies.append(time.perf_counter() - began)
        if not answer.startswith(b"HTTP/1.1 202"):
            raise SystemExit(f"not accepted: {answer!r}")
    writer.close()


async def one_round(port: int, measured: Measured, start: int, count: int) -> None:
    """Send `count` deliveries over CLIENTS connections."""
    waiting = iter(requests(port, start, count))
    latencies: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(one_client(port, waiting, latencies) for _ in range(CLIENTS)))
    measured.rates.append(count / (time.perf_counter() - began))
    measured.latencies += latencies


async def compare(ports: dict[str, int]) -> dict[str, Measured]:
    """Both sides in alternating rounds, after one that does not count."""
    sides = {kind: Measured() for kind in ports}
    start = 0
    for turn in range(ROUNDS + 1):
        for kind, port in sorted(ports.items(), reverse=turn % 2 == 0):
            await one_round(port, sides[kind] if turn else Measured(), start, REQUESTS if turn else REQUESTS // 4)
            start += REQUESTS
    return sides


async def prepare(url: str) -> None:
    """Our tables, and the one of the bare route."""
    await migrate(url, halted=False)
    async with single_connection(url) as connection:
        await connection.execute("CREATE TABLE bare (id bigserial PRIMARY KEY, body bytea NOT NULL, at timestamptz DEFAULT now())")


def run(url: str) -> bool:
    """Measure, print, and say whether both targets hold."""
    asyncio.run(prepare(url))
    servers, ports = [], {}
    try:
        for kind in ("ours", "bare"):
            command = [sys.executable, "-m", "tests.bench.server", kind, url, SECRET]
            server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            servers.append(server)
            ports[kind] = int(server.stdout.readline())
        sides = asyncio.run(compare(ports))
    finally:
        for server in servers:
            server.stdin.close()
            server.wait(20)
            server.stdout.close()
    ours, plain = sides["ours"], sides["bare"]
    # Round by round: what else the machine was doing then, it did to both.
    rate = statistics.median(a / b for a, b in zip(ours.rates, plain.rates, strict=True))
    late = ours.p99_ms / plain.p99_ms
    print(
        f"ingest          ours {ours.rate:7.0f}/s  p99 {ours.p99_ms:6.1f} ms | bare {plain.rate:7.0f}/s  p99 {plain.p99_ms:6.1f} ms"
    )
    print(f"ingest          throughput {rate:.2f}x of the bare route (target >= 0.6), p99 {late:.2f}x (target <= 2)")
    return rate >= 0.6 and late <= 2
