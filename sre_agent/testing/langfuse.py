"""A stand-in Langfuse on loopback: v2 prompts, v2 metrics and v3 scores over what a test recorded.

Checks basic auth, pages, answers numbers of metrics as strings here and there as the server does, and answers the
removed v1 routes (and every route after `retire()`) with 404 and `_deprecation`.
"""

import base64
import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PUBLIC_KEY = "pk-lf-stand-in"
SECRET_KEY = "sk-lf-stand-in"  # noqa: S105 (a stand-in's own key)
_REMOVED = ("/api/public/traces", "/api/public/observations", "/api/public/metrics", "/api/public/v2/scores")

Json = dict[str, Any]


@dataclass
class _Version:
    created: datetime
    updated: datetime
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Scored:
    name: str
    value: float
    at: datetime
    prompt: str | None
    version: int | None


class LangfuseStandIn:
    """Start with `with LangfuseStandIn() as langfuse:`; keys are PUBLIC_KEY and SECRET_KEY."""

    def __init__(self) -> None:
        self._prompts: dict[str, dict[int, _Version]] = defaultdict(dict)
        self._used: list[tuple[str, int, datetime]] = []
        self._scores: list[_Scored] = []
        self._retired = False
        self.failing: tuple[int, str, Mapping[str, str]] | None = None
        self.asked: list[str] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="langfuse-stand-in", daemon=True)

    @property
    def url(self) -> str:
        """http://127.0.0.1:<port>."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "LangfuseStandIn":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def create(self, prompt: str, version: int, at: datetime) -> None:
        """A new version, labelled latest only."""
        self._prompts[prompt][version] = _Version(at, at, ["latest"])

    def promote(self, prompt: str, version: int, at: datetime) -> None:
        """Move the label production; both versions' updatedAt move, createdAt does not."""
        for number, row in self._prompts[prompt].items():
            if "production" in row.labels and number != version:
                row.labels.remove("production")
                row.updated = at
        row = self._prompts[prompt][version]
        row.labels.append("production")
        row.updated = at

    def use(self, prompt: str, version: int, at: datetime) -> None:
        """One generation made with a prompt version."""
        self._used.append((prompt, version, at))

    def score(self, name: str, value: float, at: datetime, prompt: str | None = None, version: int | None = None) -> None:
        """One numeric score, on a generation of a prompt version where given."""
        self._scores.append(_Scored(name, value, at, prompt, version))

    def retire(self) -> None:
        """Answer as a server that has dropped these API versions."""
        self._retired = True

    def answer(self, path: str, query: Mapping[str, str]) -> tuple[int, Json]:
        """(status, body) of one authenticated GET."""
        if self._retired or path in _REMOVED:
            return 404, {"message": "Not found", "_deprecation": {"message": "removed", "replacement": "GET /api/public/v9"}}
        if path == "/api/public/v2/prompts":
            return 200, self._list(query)
        if path.startswith("/api/public/v2/prompts/"):
            return self._one(unquote(path.rsplit("/", 1)[1]), query)
        if path == "/api/public/v2/metrics":
            return self._metrics(json.loads(query["query"]))
        if path == "/api/public/v3/scores":
            return 200, self._score_page(query)
        return 404, {"message": "Not found"}

    def _list(self, query: Mapping[str, str]) -> Json:
        since, until = datetime.fromisoformat(query["fromUpdatedAt"]), datetime.fromisoformat(query["toUpdatedAt"])
        found = []
        for name, versions in sorted(self._prompts.items()):
            last = max(v.updated for v in versions.values())
            if since <= last <= until:
                found.append({"name": name, "type": "text", "versions": sorted(versions), "lastUpdatedAt": _iso(last)})
        page, limit = int(query.get("page", "1")), int(query.get("limit", "50"))
        pages = -(-len(found) // limit)
        return {"data": found[(page - 1) * limit : page * limit], "meta": {"page": page, "limit": limit, "totalPages": pages}}

    def _one(self, name: str, query: Mapping[str, str]) -> tuple[int, Json]:
        label = query.get("label", "production")
        for number, row in self._prompts.get(name, {}).items():
            if label in row.labels:
                dates = {"createdAt": _iso(row.created), "updatedAt": _iso(row.updated)}
                return 200, {"name": name, "version": number, "labels": row.labels, "config": {}, "prompt": "...", **dates}
        return 404, {"message": f"Prompt not found: '{name}' with label '{label}'", "error": "LangfuseNotFoundError"}

    def _metrics(self, query: Json) -> tuple[int, Json]:
        since, until = datetime.fromisoformat(query["fromTimestamp"]), datetime.fromisoformat(query["toTimestamp"])
        groups: dict[tuple[Any, ...], list[float]] = defaultdict(list)
        if query["view"] == "observations":
            for prompt, version, at in self._used:
                groups[(prompt, version, _hour(at))] += [1.0] * (since <= at < until)
            names: tuple[str, ...] = ("promptName", "promptVersion", "time_dimension")
        elif query["view"] == "scores-numeric":
            for s in self._scores:
                groups[(s.name, s.prompt, s.version, _hour(s.at))] += [s.value] * (since <= s.at < until)
            names = ("name", "observationPromptName", "observationPromptVersion", "time_dimension")
        else:
            return 400, {"message": f"Invalid request data: view {query['view']}"}
        asked = {f"{m['aggregation']}_{m['measure']}" for m in query["metrics"]}
        rows = []
        for key, values in groups.items():
            if values:
                measured = {"avg_value": sum(values) / len(values), "count_count": str(len(values))}
                rows.append({**dict(zip(names, key, strict=True)), **{k: v for k, v in measured.items() if k in asked}})
        return 200, {"data": rows[: query.get("config", {}).get("row_limit", 100)]}

    def _score_page(self, query: Mapping[str, str]) -> Json:
        since, until = datetime.fromisoformat(query["fromTimestamp"]), datetime.fromisoformat(query["toTimestamp"])
        found = [s for s in self._scores if since <= s.at < until]
        start, limit = int(query.get("cursor", "0")), min(int(query.get("limit", "50")), 100)
        rows = [
            {"id": f"s{start + i}", "name": s.name, "dataType": "NUMERIC", "value": s.value, "timestamp": _iso(s.at)}
            for i, s in enumerate(found[start : start + limit])
        ]
        meta = {"limit": limit, **({"cursor": str(start + limit)} if start + limit < len(found) else {})}
        return {"data": rows, "meta": meta}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: LangfuseStandIn) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    """GET only: the agent has no business writing here, so every other method is 501."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        owner, url = self.server.owner, urlsplit(self.path)
        owner.asked.append(self.path)
        expected = "Basic " + base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
        if owner.failing is not None:
            status, body, headers = owner.failing
            self._send(status, body.encode(), headers)
        elif self.headers.get("authorization") != expected:
            self._send(401, b'{"message":"Invalid credentials"}', {})
        else:
            status, answer = owner.answer(url.path, {k: v[-1] for k, v in parse_qs(url.query).items()})
            self._send(status, json.dumps(answer).encode(), {})

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent; `asked` holds what was asked."""

    def _send(self, status: int, raw: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


def _hour(at: datetime) -> str:
    return _iso(at.astimezone(UTC).replace(minute=0, second=0, microsecond=0))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
