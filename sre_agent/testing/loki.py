"""A stand-in Loki on loopback: labels, index/stats and query_range over lines that a test writes.

As https://grafana.com/docs/loki/latest/reference/loki-http-api/ says: `start` inclusive and `end` exclusive, nanoseconds as
text, newest first unless told otherwise, at most 5,000 lines, a selector needs a matcher that does not match the empty text,
errors are plain text, and with `tenants` every request needs an X-Scope-OrgID. Of LogQL it knows stream selectors only.
"""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply
from sre_agent.testing.selector import BadQuery, Predicate, parse_selector

MAX_ENTRIES = 5_000
Labels = tuple[tuple[str, str], ...]
Row = tuple[Labels, int, str]


class LokiStandIn(HttpStandIn):
    """Start with `with LokiStandIn() as loki:`. Without `tenants` it is single-tenant."""

    def __init__(self, tenants: Collection[str] = (), port: int = 0) -> None:
        super().__init__(port)
        self._tenants = frozenset(tenants)
        self._rows: list[Row] = []
        self.without_stats = False

    def write(self, labels: Mapping[str, str], at: datetime | int, line: str) -> None:
        """One line of one stream, at a time or at nanoseconds."""
        self._rows.append((tuple(sorted(labels.items())), at if isinstance(at, int) else nanoseconds(at), line))

    def answer(self, asked: Asked) -> Reply:
        """As the real API answers."""
        if asked.method != "GET":
            return _plain(405, "the stand-in is read-only")
        if self._tenants and asked.headers.get("x-scope-orgid") not in self._tenants:
            return _plain(401, "no org id")
        try:
            start, end = int(asked.one("start", "0")), int(asked.one("end", "0"))
        except ValueError:
            return _plain(400, "could not parse 'start' or 'end' parameter")
        if end <= start:
            return _plain(400, "end timestamp must not be before or equal to start time")
        rows = [r for r in self._rows if start <= r[1] < end]
        if asked.path == "/loki/api/v1/labels":
            return _json({"status": "success", "data": sorted({name for labels, _, _ in rows for name, _ in labels})})
        if asked.path not in ("/loki/api/v1/query_range", "/loki/api/v1/index/stats"):
            return _plain(404, "404 page not found")
        if asked.path.endswith("stats") and self.without_stats:
            return _plain(404, "404 page not found")
        try:
            wanted = parse_selector(asked.one("query"))
        except BadQuery as error:
            return _plain(400, f"parse error at line 1, col 2: {error.text}")
        rows = [r for r in rows if _holds(wanted, dict(r[0]))]
        return self._stats(rows) if asked.path.endswith("stats") else self._lines(asked, rows)

    def _stats(self, rows: list[Row]) -> Reply:
        streams = {labels for labels, _, _ in rows}
        return _json({"streams": len(streams), "chunks": len(streams), "entries": len(rows), "bytes": sum(len(r[2]) for r in rows)})

    def _lines(self, asked: Asked, rows: list[Row]) -> Reply:
        limit, direction = asked.one("limit", "100"), asked.one("direction", "backward")
        if not limit.isdigit() or int(limit) < 1:
            return _plain(400, "limit must be a positive value")
        if int(limit) > MAX_ENTRIES:
            return _plain(
                400, f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {MAX_ENTRIES})"
            )
        streams: dict[Labels, list[list[str]]] = {}
        for labels, at, line in sorted(rows, key=lambda r: r[1], reverse=direction == "backward")[: int(limit)]:
            streams.setdefault(labels, []).append([str(at), line])
        result = [{"stream": dict(labels), "values": values} for labels, values in streams.items()]
        return _json({"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}})


def nanoseconds(at: datetime) -> int:
    """Since 1970, as Loki counts."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _holds(wanted: list[tuple[str, Predicate]], labels: Mapping[str, str]) -> bool:
    return all(holds(labels.get(name, "")) for name, holds in wanted)


def _json(body: Any) -> Reply:
    return Reply(200, json.dumps(body))


def _plain(status: int, text: str) -> Reply:
    return Reply(status, text, "text/plain; charset=utf-8")
