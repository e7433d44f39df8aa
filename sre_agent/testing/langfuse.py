"""A stand-in Langfuse on loopback: v2 prompts, v2 metrics, v2 observations and v3 scores over what a test recorded.

Checks basic auth, pages, cuts metrics at `row_limit` without a word, sends sums and counts as strings and what it does not
know as null, refuses dimensions and measures it does not have, and answers the removed v1 routes (and every route after
`retire()`) with 404 and `_deprecation` before it looks at the keys, as the server does.
"""

import base64
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
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
    author: str
    message: str | None = None
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """One generation. Seconds and USD; `error` is its status message and makes its level ERROR."""

    at: datetime
    model: str | None = "nw-large-2"
    prompt: str | None = None
    version: int | None = None
    latency_s: float = 1.0
    first_token_s: float | None = None
    tokens: int = 500
    cost_usd: float = 0.002
    error: str | None = None


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
        self._calls: list[Call] = []
        self._scores: list[_Scored] = []
        self._retired = False
        self.unknown_routes: set[str] = set()
        self.failing: tuple[int, str, Mapping[str, str]] | None = None
        self.failing_once: tuple[int, str, Mapping[str, str]] | None = None
        self.failing_route = ""
        self.project: str | None = "prj-1"
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

    def create(self, prompt: str, version: int, at: datetime, author: str = "user-1", message: str | None = None) -> None:
        """A new version, labelled latest only."""
        self._prompts[prompt][version] = _Version(at, at, author, message, ["latest"])

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
        self._calls.append(Call(at, prompt=prompt, version=version))

    def call(self, *calls: Call) -> None:
        """Generations with all that is known of them."""
        self._calls.extend(calls)

    def score(self, name: str, value: float, at: datetime, prompt: str | None = None, version: int | None = None) -> None:
        """One numeric score, on a generation of a prompt version where given."""
        self._scores.append(_Scored(name, value, at, prompt, version))

    def retire(self) -> None:
        """Answer as a server that has dropped these API versions."""
        self._retired = True

    def gone(self, path: str) -> bool:
        """Whether a route was removed from this server."""
        return self._retired or path in _REMOVED

    def answer(self, path: str, query: Mapping[str, str]) -> tuple[int, Json]:
        """(status, body) of one authenticated GET."""
        if path == "/api/public/v2/prompts":
            return 200, self._list(query)
        if path.startswith("/api/public/v2/prompts/"):
            return self._one(unquote(path.rsplit("/", 1)[1]), query)
        if path == "/api/public/v2/metrics":
            return self._metrics(json.loads(query["query"]))
        if path == "/api/public/v3/scores":
            return 200, self._score_page(query)
        if path == "/api/public/v2/observations":
            return 200, self._observations(query)
        return 404, {"message": "Not found"}

    def _list(self, query: Mapping[str, str]) -> Json:
        since = datetime.fromisoformat(query["fromUpdatedAt"])
        until = datetime.fromisoformat(query.get("toUpdatedAt", "9999-01-01T00:00:00Z"))
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
                dates = {"createdAt": _iso(row.created), "updatedAt": _iso(row.updated), "createdBy": row.author}
                said = {"commitMessage": row.message, "projectId": self.project, **dates}
                return 200, {"name": name, "version": number, "labels": row.labels, "config": {}, "prompt": "...", **said}
        return 404, {"message": f"Prompt not found: '{name}' with label '{label}'", "error": "LangfuseNotFoundError"}

    def _metrics(self, query: Json) -> tuple[int, Json]:
        since, until = datetime.fromisoformat(query["fromTimestamp"]), datetime.fromisoformat(query["toTimestamp"])
        view = _VIEWS.get(query["view"])
        asked = [(f"{m['aggregation']}_{m['measure']}", m["measure"]) for m in query["metrics"]]
        wanted = [d["field"] for d in query["dimensions"]]
        if view is None or not set(wanted) <= set(view[0]) or not {m for _, m in asked} <= set(view[1]) or query["filters"]:
            return 400, {"message": f"Invalid request data: {query['view']} {wanted} {asked}"}
        told: list[Any] = self._calls if query["view"] == "observations" else self._scores
        groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
        for row in told:
            if since <= row.at < until:
                groups[(*(view[0][d](row) for d in wanted), _hour(row.at))].append(row)
        rows = []
        for key, each in groups.items():
            measured = {name: _aggregate(name, [v for r in each if (v := view[1][m](r)) is not None]) for name, m in asked}
            rows.append({**dict(zip((*wanted, "time_dimension"), key, strict=True)), **measured})
        return 200, {"data": rows[: query.get("config", {}).get("row_limit", 100)]}

    def _observations(self, query: Mapping[str, str]) -> Json:
        since, until = datetime.fromisoformat(query["fromStartTime"]), datetime.fromisoformat(query["toStartTime"])
        found = [c for c in self._calls if since <= c.at < until and query.get("level") in (None, _level(c))]
        limit = min(int(query.get("limit", "50")), 1000)
        groups = query.get("fields", "core,basic").split(",")
        rows = []
        for i, c in enumerate(sorted(found, key=lambda c: c.at, reverse=True)[:limit]):
            row: Json = {"id": f"o{i}", "traceId": f"t{i}", "type": "GENERATION", "startTime": _iso(c.at)}
            row |= {"level": _level(c), "statusMessage": c.error} if "basic" in groups else {}
            row |= {"providedModelName": c.model} if "model" in groups else {}
            row |= {"promptName": c.prompt, "promptVersion": c.version} if "prompt" in groups else {}
            rows.append(row)
        return {"data": rows, "meta": {"cursor": "more"} if len(found) > limit else {}}

    def _score_page(self, query: Mapping[str, str]) -> Json:
        since, until = datetime.fromisoformat(query["fromTimestamp"]), datetime.fromisoformat(query["toTimestamp"])
        found = [s for s in self._scores if since <= s.at < until and query.get("name") in (None, s.name)]
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
        failing, owner.failing_once = owner.failing_once or owner.failing, None
        if failing is not None and owner.failing_route in url.path:
            status, body, headers = failing
            self._send(status, body.encode(), headers)
        elif url.path == "/api/public/health":  # asks for no keys
            self._send(200, b'{"status":"OK","version":"3.140.0"}', {})
        elif url.path in owner.unknown_routes:
            self._send(404, b"<!DOCTYPE html><title>404: This page could not be found</title>", {"Content-Type": "text/html"})
        elif owner.gone(url.path):
            self._send(404, b'{"message":"Not found","_deprecation":{"replacement":"GET /api/public/v9"}}', {})
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


def _level(call: Call) -> str:
    return "ERROR" if call.error is not None else "DEFAULT"


def _aggregate(name: str, values: list[float]) -> float | str | None:
    """What the server sends: counts and sums as strings, quantiles in milliseconds as numbers, null for nothing."""
    kind = name.partition("_")[0]
    if kind == "count":
        return str(len(values))
    if not values:
        return None
    if kind == "sum":
        return str(round(sum(values), 9))
    if kind == "avg":
        return sum(values) / len(values)
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(int(kind[1:]) / 100 * len(ordered)))]


_Read = Mapping[str, Callable[[Any], Any]]
_OBSERVED: _Read = {
    "providedModelName": lambda c: c.model,
    "promptName": lambda c: c.prompt,
    "promptVersion": lambda c: c.version,
    "level": _level,
    "environment": lambda _: "default",
}
_MEASURED: _Read = {
    "count": lambda _: 1,
    "latency": lambda c: c.latency_s * 1000,
    "timeToFirstToken": lambda c: None if c.first_token_s is None else c.first_token_s * 1000,
    "totalTokens": lambda c: c.tokens,
    "totalCost": lambda c: c.cost_usd,
}
_SCORED: _Read = {
    "name": lambda s: s.name,
    "observationPromptName": lambda s: s.prompt,
    "observationPromptVersion": lambda s: s.version,
}
_VIEWS: Mapping[str, tuple[_Read, _Read]] = {
    "observations": (_OBSERVED, _MEASURED),
    "scores-numeric": (_SCORED, {"value": lambda s: s.value, "count": lambda _: 1}),
}


def _hour(at: datetime) -> str:
    return _iso(at.astimezone(UTC).replace(minute=0, second=0, microsecond=0))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
