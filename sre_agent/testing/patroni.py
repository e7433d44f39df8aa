"""A Patroni cluster's REST API: a stand-in with one real HTTP server per member, for the agent's source and hands.

GET /cluster and /patroni, POST /switchover with Patroni's own codes, and POST /failover, which is there to be seen untouched:
`calls` holds every POST. Nothing of PostgreSQL is behind it; a switchover moves names, roles and timelines.
"""

import base64
import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

USER, PASSWORD = "sre-write", "write-only"


@dataclass
class StandInMember:
    """One member as it may be spoiled. `slow_s`: how late GET /patroni answers; `silent`: it takes no connection in time."""

    name: str
    lag: int | str = 0
    state: str = "streaming"
    role: str = "replica"
    slow_s: float = 0.0
    tags: dict[str, Any] = field(default_factory=dict)
    watchdog_failed: bool = False
    timeline: int | None = None


class Patroni:
    """Three members; `leader` names who leads. `answer`: the next switchover's code, None: it is carried out (200).

    `lost`: carry it out and hang up without an answer. `cluster` adds to /cluster ("pause", "scheduled_switchover").
    """

    def __init__(self, scope: str = "orders") -> None:
        self.scope = scope
        self.timeline = 7
        self.leader = "pg-1"
        self.members = {name: StandInMember(name) for name in ("pg-1", "pg-2", "pg-3")}
        self.answer: int | None = None
        self.lost = False
        self.cluster: dict[str, Any] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self._servers: dict[str, ThreadingHTTPServer] = {}

    @property
    def urls(self) -> tuple[str, ...]:
        """REST address of every member, the leader's first."""
        return tuple(f"http://127.0.0.1:{s.server_address[1]}" for s in self._servers.values())

    def __enter__(self) -> Self:
        for name in self.members:
            server = _MemberServer(self, name)
            self._servers[name] = server
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._servers):
            self.stop(name)

    def stop(self, name: str) -> None:
        """The member's host is gone: nobody listens any more."""
        server = self._servers[name]
        server.shutdown()
        server.server_close()

    def topology(self) -> dict[str, Any]:
        """GET /cluster."""
        rows = []
        for m in self.members.values():
            own = m.timeline or self.timeline
            leads = m.name == self.leader
            row = {"name": m.name, "role": "leader" if leads else m.role, "state": "running" if leads else m.state, "timeline": own}
            rows.append(row | ({} if leads else {"lag": m.lag}) | ({"tags": m.tags} if m.tags else {}))
        return {"members": rows, "scope": self.scope} | self.cluster

    def status(self, name: str) -> dict[str, Any]:
        """GET /patroni of one member."""
        member = self.members[name]
        time.sleep(member.slow_s)
        found: dict[str, Any] = {
            "state": "running",
            "role": "primary" if name == self.leader else "replica",
            "timeline": member.timeline or self.timeline,
            "database_system_identifier": "7392847193847192834",
            "patroni": {"version": "4.0.4", "scope": self.scope, "name": name},
        }
        return found | ({"watchdog_failed": True} if member.watchdog_failed else {})

    def switchover(self, body: dict[str, Any]) -> tuple[int, str]:
        """POST /switchover: Patroni's checks of leader and candidate, then the move."""
        if self.answer is not None:
            return self.answer, {202: "Switchover scheduled", 503: "Switchover failed"}.get(self.answer, "said so")
        leader, candidate = body.get("leader"), body.get("candidate")
        if not leader or not candidate or leader == candidate:
            return 400, "Switchover could be performed only from a specific leader"
        if leader != self.leader or candidate not in self.members:
            return 412, "leader name does not match"
        self.leader, self.timeline = str(candidate), self.timeline + 1
        return 200, f"Successfully switched over to {candidate!r}"


class _MemberServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, patroni: Patroni, name: str) -> None:
        self.patroni, self.name = patroni, name
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the stand-in."""


class _Handler(BaseHTTPRequestHandler):
    server: _MemberServer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: requests are in `calls`."""

    def do_GET(self) -> None:
        patroni = self.server.patroni
        if self.path == "/cluster":
            self._reply(200, json.dumps(patroni.topology()))
        elif self.path == "/patroni":
            self._reply(200, json.dumps(patroni.status(self.server.name)))
        else:
            self._reply(404, "")

    def do_POST(self) -> None:
        patroni = self.server.patroni
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        patroni.calls.append((self.server.name, self.path, body))
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            return self._reply(401, "no auth header received")
        status, text = patroni.switchover(body) if self.path == "/switchover" else (501, "not by us")
        if patroni.lost:
            self.close_connection = True
            return None
        return self._reply(status, text)

    def _reply(self, status: int, text: str) -> None:
        content = text.encode()
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
