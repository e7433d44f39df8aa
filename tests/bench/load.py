"""A client that costs little: signed deliveries over keep-alive connections, from one thread without a framework.

It shares the machine with what it measures, and time it takes for itself would be the same on both sides of the ratio,
which would flatter the slower one.
"""

import hashlib
import hmac
import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

CONNECTIONS = 16
PATH = "/webhooks/pagerduty"


@dataclass(frozen=True)
class Round:
    """What one round measured: requests a second, and each request's latency in seconds."""

    rate: float
    latencies: list[float]


def deliveries(start: int, count: int, secret: str) -> list[bytes]:
    """HTTP requests as bytes, made before the clock runs: each a fresh event, three to an incident, about 2 KB."""
    return [_delivery(number, secret) for number in range(start, start + count)]


def _delivery(number: int, secret: str) -> bytes:
    incident = f"Q0BENCH{number // 3:08d}"
    team = {
        "id": "PTEAM01",
        "type": "team_reference",
        "summary": "Platform",
        "html_url": "https://example.pagerduty.com/teams/PTEAM01",
    }
    data = {
        "id": incident,
        "type": "incident",
        "self": f"https://api.pagerduty.com/incidents/{incident}",
        "html_url": f"https://example.pagerduty.com/incidents/{incident}",
        "number": number,
        "status": "triggered",
        "incident_key": f"{number:032x}",
        "created_at": "2026-03-04T03:11:09Z",
        "title": "redis p99 latency above 250 ms on cache, " * 4,
        "service": {**team, "id": "PSVC001", "type": "service_reference", "summary": "checkout"},
        "assignees": [{**team, "id": f"PUSER{i:02d}", "type": "user_reference"} for i in range(3)],
        "escalation_policy": {**team, "id": "PESC001", "type": "escalation_policy_reference"},
        "teams": [team],
        "urgency": "high",
        "conference_bridge": None,
        "resolve_reason": None,
    }
    kind = ("incident.triggered", "incident.acknowledged", "incident.annotated")[number % 3]
    event = {
        "id": f"01BENCH{number:019d}",
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": "2026-03-04T03:11:09.123Z",
        "agent": {"id": "PSVC001", "type": "service_reference"},
        "client": None,
        "data": data,
    }
    body = json.dumps({"event": event})
    signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\n"
        f"user-agent: PagerDuty-Webhook/V3.0\r\ncontent-length: {len(body)}\r\nx-pagerduty-signature: v1={signature}\r\n"
        f"x-webhook-subscription: PBENCH1\r\nx-webhook-id: 00000000-0000-4000-8000-{number:012d}\r\n\r\n"
    )
    return (head + body).encode()


class _Line:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sent_at = 0.0
        self._answer = b""

    def send(self, request: bytes) -> None:
        """Send one request; its clock starts."""
        self._answer = b""
        self._sent_at = time.perf_counter()
        self._connection.sendall(request)

    def receive(self) -> float | None:
        """Seconds the answer took, None while it is incomplete. SystemExit unless it says 202: that is no measurement."""
        more = self._connection.recv(65536)
        self._answer += more
        if more and not self._answer.endswith(b"\r\n\r\n"):
            return None
        took = time.perf_counter() - self._sent_at
        if not self._answer.startswith(b"HTTP/1.1 202 "):
            raise SystemExit(f"a delivery was not accepted: {self._answer[:300]!r}")
        return took


def play(port: int, requests: Sequence[bytes]) -> Round:
    """Send them all, CONNECTIONS at a time, each connection one after another."""
    waiting: Iterator[bytes] = iter(requests)
    latencies: list[float] = []
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(connection, selectors.EVENT_READ, _Line(connection))
        began = time.perf_counter()
        for key in list(ready.get_map().values()):
            key.data.send(next(waiting))
        while len(latencies) < len(requests):
            for key, _ in ready.select():
                took = key.data.receive()
                if took is None:
                    continue
                latencies.append(took)
                following = next(waiting, None)
                if following is not None:
                    key.data.send(following)
        spent = time.perf_counter() - began
    return Round(len(requests) / spent, latencies)


IDLE_S = 2.0
"""A connection that was idle for longer is opened anew: the server closes it after five seconds."""


def play_when_due(port: int, requests: Sequence[tuple[float, bytes]]) -> list[float]:
    """Send each request (seconds after the beginning, bytes) when it is due, whatever has been answered, over as many connections
    as that takes. Seconds from when each was due to its answer, so that what falls behind cannot hide it.
    """
    latencies: list[float] = []
    free: list[tuple[float, socket.socket]] = []
    coming = 0
    began = time.perf_counter()
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        while len(latencies) < len(requests):
            now = time.perf_counter() - began
            while coming < len(requests) and requests[coming][0] <= now:
                while free and now - free[-1][0] > IDLE_S:
                    free.pop()[1].close()
                connection = free.pop()[1] if free else stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line = _Line(connection)
                line.send(requests[coming][1])
                ready.register(connection, selectors.EVENT_READ, (line, requests[coming][0]))
                coming += 1
            pause = max(0.0, requests[coming][0] - now) if coming < len(requests) else None
            for key, _ in ready.select(pause):
                line, due = key.data
                if line.receive() is None:
                    continue
                latencies.append(time.perf_counter() - began - due)
                ready.unregister(key.fileobj)
                assert isinstance(key.fileobj, socket.socket)
                free.append((time.perf_counter() - began, key.fileobj))
    return latencies
