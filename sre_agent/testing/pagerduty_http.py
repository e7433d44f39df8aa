"""HTTP of the stand-in PagerDuty's REST side: authentication and scripted faults around a backend."""

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from sre_agent.testing.pagerduty_account import Json
from sre_agent.testing.pagerduty_faults import Drop, Faults
from sre_agent.testing.pagerduty_limit import TURNED_AWAY, RateLimit
from sre_agent.testing.pagerduty_routes import Call


class Backend(Protocol):
    """What stands behind the HTTP. Thread-safe."""

    token: str
    faults: Faults
    limit: RateLimit | None

    def handle(self, call: Call) -> tuple[int, Json | None]:
        """Answer one authenticated request."""
        ...

    def record(self, call: Call, status: int) -> None:
        """Remember a request; status 0: the connection was dropped."""
        ...


class RestServer(ThreadingHTTPServer):
    """Answers on 127.0.0.1; port 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, backend: Backend, port: int) -> None:
        self.backend = backend
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the stand-in."""


class _Handler(BaseHTTPRequestHandler):
    server: RestServer

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: requests are in `calls`."""

    def _serve(self) -> None:
        backend = self.server.backend
        call = self._call()
        fault = backend.faults.take(call.method, call.path)
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault is not None and fault.drop is Drop.BEFORE:
            backend.record(call, 0)
            return self._hang_up()
        if fault is not None and fault.status is not None:
            backend.record(call, fault.status)
            return self._reply(fault.status, fault.body, fault.headers)
        if self.headers.get("Authorization") not in (f"Token token={backend.token}", f"Bearer {backend.token}"):
            backend.record(call, 401)
            return self._reply(401, {"error": {"message": "Unauthorized", "code": 2006}}, {})
        allowed, told = (True, {}) if backend.limit is None else backend.limit.take()
        if not allowed:
            backend.record(call, 429)
            return self._reply(429, TURNED_AWAY, told)
        status, body = backend.handle(call)
        dropped = fault is not None and fault.drop is Drop.AFTER
        backend.record(call, 0 if dropped else status)
        return self._hang_up() if dropped else self._reply(status, body, told)

    def _call(self) -> Call:
        address = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = {}
        query = parse_qs(address.query, keep_blank_values=True)
        return Call(self.command, address.path, query, body if isinstance(body, dict) else {}, self.headers.get("From"))

    def _reply(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        content = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        with suppress(OSError):  # the client may have given up waiting
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    def _hang_up(self) -> None:
        """Close without a word."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
