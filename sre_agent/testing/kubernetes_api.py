"""A stand-in Kubernetes API server on loopback, to be driven by the real `kubernetes` client through a real kubeconfig.

with KubernetesApi() as api:
    api.node("node-1")
    api.deploy(Workload("api", "voice", states=(PodScript(PodState.CRASH_LOOP),)))
    kubeconfig = api.kubeconfig(folder / "config")

Plain HTTP, one thread per connection, one lock. `start` freezes the server's clock, so that `advance` alone lets time
pass. What it does and does not do is in `testing/kubernetes/`.
"""

import json
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qsl, unquote, urlsplit

from sre_agent.testing.kubernetes import objects
from sre_agent.testing.kubernetes.access import READ, WRITE_PODS, Identity, Right
from sre_agent.testing.kubernetes.controllers import Controllers
from sre_agent.testing.kubernetes.faults import Fault, FaultKind
from sre_agent.testing.kubernetes.objects import PodScript, PodState, Workload
from sre_agent.testing.kubernetes.routes import Request, Routes
from sre_agent.testing.kubernetes.status import ApiError, Json
from sre_agent.testing.kubernetes.store import Store, VirtualClock
from sre_agent.testing.kubernetes.writes import AdmissionPolicy, Writes

__all__ = ["AdmissionPolicy", "Fault", "FaultKind", "KubernetesApi", "PodScript", "PodState", "Seen", "Workload"]


@dataclass(frozen=True)
class Seen:
    """One request that arrived, for assertions."""

    method: str
    path: str
    query: dict[str, str]
    identity: str


class KubernetesApi:
    """The server and its script. Knows the identities "reader" (reads everything) and "hands" (pods/eviction, pods/log)."""

    def __init__(self, start: datetime | None = None) -> None:
        self.clock = VirtualClock(start)
        self.store = Store(self.clock)
        self.controllers = Controllers(self.store)
        self.writes = Writes(self.store, self.controllers)
        self.routes = Routes(self.store, self.controllers, self.writes)
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self._identities: dict[str, Identity] = {}
        self.grant("reader", READ)
        self.grant("hands", WRITE_PODS)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "KubernetesApi":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free loopback port."""
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; slow answers under way are cut off."""
        self.stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        """http://127.0.0.1:port; only while started."""
        if self._server is None:
            raise RuntimeError("the stand-in API server is not started")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def grant(self, name: str, rights: Iterable[Right], namespaces: Iterable[str] = ()) -> None:
        """Create or replace an identity; its token is its name."""
        self._identities[name] = Identity(f"system:serviceaccount:sre-agent:{name}", name, frozenset(rights), frozenset(namespaces))

    def identity(self, token: str) -> Identity | None:
        """Who a bearer token belongs to."""
        return self._identities.get(token)

    def kubeconfig(self, path: Path, identity: str = "reader") -> Path:
        """Write a kubeconfig that talks to this server as `identity`; mode 0600. JSON is YAML."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": {"server": self.url}}],
            "users": [{"name": identity, "user": {"token": identity}}],
            "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": identity}}],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))
        return path

    def deploy(self, workload: Workload) -> list[Json]:
        """Create a controller with its pods; returns the pods as stored now (live objects: change them under `edit`)."""
        with self.lock:
            return self.controllers.deploy(workload)

    def node(self, name: str, *, ready: bool = True, pressure: str = "", since: timedelta = timedelta(minutes=10)) -> Json:
        """Add or replace a node."""
        with self.lock:
            if (old := self.store.find("Node", "", name)) is not None:
                self.store.remove(old)
            return self.store.add(objects.node_object(name, self.clock.now(), ready=ready, pressure=pressure, since=since))

    def add(self, item: Json) -> Json:
        """Add any API object as it is."""
        with self.lock:
            made = self.store.add(item)
            self.controllers.refresh()
            return made

    def edit(self, item: Json, *, status: Json | None = None, spec: Json | None = None) -> None:
        """Overwrite parts of a stored object's status or spec (top-level keys) and bump its version."""
        with self.lock:
            item.setdefault("status", {}).update(status or {})
            item.setdefault("spec", {}).update(spec or {})
            self.store.touch(item)

    def set_pod(self, pod: Json, script: PodScript) -> None:
        """Put a live pod into another scripted state."""
        with self.lock:
            objects.set_state(pod, script, self.clock.now())
            self.store.touch(pod)
            self.controllers.refresh()

    def log(self, pod: Json, text: str, *, container: str = "app", previous: bool = False) -> None:
        """What pods/log answers for a container."""
        meta = pod["metadata"]
        with self.lock:
            self.routes.logs[(meta["namespace"], meta["name"], container, previous)] = text

    def fail(self, fault: Fault) -> None:
        """Script a fault for requests to come."""
        with self.lock:
            self.faults.append(fault)

    def advance(self, seconds: float) -> None:
        """Let the server's time pass at once and do what is due."""
        with self.lock:
            self.clock.advance(seconds)
            self.controllers.settle()

    @property
    def evictions(self) -> list[str]:
        """uids of pods really evicted, in order."""
        with self.lock:
            return list(self.routes.evictions)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # somebody who asks many things at once is not turned away


class _Handler(BaseHTTPRequestHandler):
    """One connection. `api` is set on a subclass made per server."""

    api: KubernetesApi
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: requests are in `api.requests`."""

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        content_type = (self.headers.get("Content-Type") or "application/json").split(";")[0].strip()
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        identity = self.api.identity(token)
        seen = Seen(self.command, unquote(split.path), query, token)
        try:
            body, operations = _json_body(raw)
            accept = self.headers.get("Accept") or ""
            request = Request(self.command, seen.path, query, content_type, body, operations, accept)
            code, answer = self._answer(request, identity, seen)
        except ApiError as error:
            code, answer = error.code, error.status()
        if code:
            self._send(code, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _answer(self, request: Request, identity: Identity | None, seen: Seen) -> tuple[int, Json | str]:
        with self.api.lock:
            self.api.requests.append(seen)
            fault = next((f for f in self.api.faults if f.strikes(request)), None)
        match fault.kind if fault else None:
            case FaultKind.SLOW if fault is not None:
                self.api.stopping.wait(fault.seconds)
            case FaultKind.ERROR_500:
                raise ApiError(500, "etcdserver: request timed out")
            case FaultKind.UNAUTHORIZED:
                raise ApiError(401, "Unauthorized")
            case FaultKind.TOO_MANY_REQUESTS:
                raise ApiError(429, "Too many requests, please try again later.", {"retryAfterSeconds": 1})
            case FaultKind.ADMISSION:
                raise ApiError(403, 'admission webhook "pods.example" denied the request: not now')
            case FaultKind.DROP_BEFORE:
                self.close_connection = True
                return 0, ""
            case FaultKind.HTML:
                return 200, "<html><body><h1>Sign in to continue</h1></body></html>"
        if identity is None:
            raise ApiError(401, "Unauthorized")
        with self.api.lock:
            self.api.controllers.settle()
            code, answer = self.api.routes.answer(request, identity)
        if fault is not None and fault.kind is FaultKind.DROP_AFTER:
            self.close_connection = True
            return 0, ""
        return code, answer

    def _send(self, code: int, answer: Json | str) -> None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        kind = "application/json" if not isinstance(answer, str) else "text/html" if text.startswith("<html") else "text/plain"
        data = text.encode()
        # A client that gave up waiting is no error of ours.
        with suppress(ConnectionError):
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if code == 429 and isinstance(answer, dict) and "retryAfterSeconds" in answer.get("details", {}):
                self.send_header("Retry-After", str(answer["details"]["retryAfterSeconds"]))
            self.end_headers()
            self.wfile.write(data)


def _json_body(raw: bytes) -> tuple[Json, tuple[Json, ...]]:
    """(an object, ()), or ({}, the operations of a JSON patch)."""
    if not raw:
        return {}, ()
    try:
        body = json.loads(raw)
    except ValueError:
        raise ApiError(400, "the request body is not JSON (the stand-in reads no other encoding)") from None
    if isinstance(body, list) and all(isinstance(o, dict) for o in body):
        return {}, tuple(body)
    if not isinstance(body, dict):
        raise ApiError(400, "the request body is neither an object nor a JSON patch")
    return body, ()
