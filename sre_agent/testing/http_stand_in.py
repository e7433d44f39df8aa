"""What stand-in HTTP services share: a server on loopback that answers GETs and forms, remembers them, and misbehaves when told."""

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit


class Reply(NamedTuple):
    """One answer; status 0 closes the connection without a word."""

    status: int
    body: str
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Asked:
    """One request: its path, its query parameters or form, its headers with names in lower case, and its body as sent."""

    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    method: str = "GET"
    body: str = ""

    def one(self, name: str, otherwise: str = "") -> str:
        """The first value of a parameter."""
        return self.query.get(name, [otherwise])[0]


@dataclass(frozen=True)
class Misbehaviour:
    """Instead of an answer, on paths that begin with `path`.

    After `delay_s` seconds: the connection is closed (`drop`), or `reply` is given, or the true answer, cut in the middle
    when `cut`.
    """

    path: str = "/"
    reply: Reply | None = None
    delay_s: float = 0.0
    drop: bool = False
    cut: bool = False


class HttpStandIn:
    """Start with `with`; `url` is its address on 127.0.0.1. A subclass answers. Thread-safe as far as `answer` is."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self._misbehaviour: Misbehaviour | None = None
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="http-stand-in", daemon=True)

    @property
    def url(self) -> str:
        """http://127.0.0.1:<port>."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, asked: Asked) -> Reply:
        """What the real service would answer."""
        raise NotImplementedError

    def misbehave(self, how: Misbehaviour | None) -> None:
        """From now on; None heals."""
        self._misbehaviour = how

    def fault(self, path: str) -> Misbehaviour:
        """What is in force for a path."""
        how = self._misbehaviour
        return how if how is not None and path.startswith(how.path) else Misbehaviour()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: HttpStandIn) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the stand-in."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: on a kept connection each answer would wait 40 ms

    def do_GET(self) -> None:
        self._serve("GET", urlsplit(self.path).query)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        self._serve("POST", body or urlsplit(self.path).query, body)

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        self._serve("PATCH", urlsplit(self.path).query, body)

    def _serve(self, method: str, query: str, body: str = "") -> None:
        owner, address = self.server.owner, urlsplit(self.path)
        headers = {k.lower(): v for k, v in self.headers.items()}
        asked = Asked(address.path, parse_qs(query, keep_blank_values=True), headers, method, body)
        owner.asked.append(asked)
        how = owner.fault(address.path)
        time.sleep(how.delay_s)
        if how.drop:
            self.close_connection = True
            return
        reply = how.reply or owner.answer(asked)
        if reply.status == 0:
            self.close_connection = True
            return
        self._send(reply._replace(body=reply.body[: len(reply.body) // 2]) if how.cut else reply)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent; `asked` holds what was asked."""

    def _send(self, reply: Reply) -> None:
        raw = reply.body.encode()
        with suppress(OSError):  # the client may have given up waiting
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.content_type, "Content-Length": str(len(raw)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)


def post_json(url: str, body: object, headers: Mapping[str, str], timeout_s: float) -> int | str:
    """Send a body as JSON, as a system of the outside sends a webhook; the status, or the name of what went wrong."""
    target = urlsplit(url)
    connection = HTTPConnection(target.hostname or "", target.port, timeout=timeout_s)
    try:
        connection.request("POST", target.path, json.dumps(body).encode(), {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException) as error:
        return type(error).__name__
    else:
        return answer.status
    finally:
        connection.close()
