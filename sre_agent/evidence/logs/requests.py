"""Requests that a log tells of, by path: which ones fail with 5xx, and which ones take far longer than the others. Pure.

Read are the common and combined log format (Apache, nginx, Envoy) and JSON records with a path and a status or a duration. Numbers
and ids in a path are masked, so that one route is one row. Attacker input: bounded in lines and routes.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

LEAST_FAILED, LEAST_SLOW = 2, 3
MOST_LINES, MOST_ROUTES = 5_000, 500
SLOW_MS, TIMES = 1_000.0, 10.0
"""A route is slow from a median of a second that is ten times the others' median."""
_LINE = re.compile(
    r"\"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S{1,300})(?: HTTP/[\d.]+)?\" (\d{3})\b(?: ([A-Z]{2,5}) ([a-z_]{3,40}))?"
)
_ID = re.compile(r"(?<=/)(?:\d+|[0-9a-f]{8,}(?:-[0-9a-f]{4,})*)(?=/|$)", re.IGNORECASE)
_MS = {"duration_ms": 1.0, "latency_ms": 1.0, "elapsed_ms": 1.0, "took_ms": 1.0, "responsetime": 1.0, "response_time_ms": 1.0,
       "duration_s": 1000.0, "request_time": 1000.0, "elapsed_seconds": 1000.0}  # fmt: skip


class Request(NamedTuple):
    """One request. `ms` None: not told. `flag`: what a proxy adds to the status ("NR route_not_found")."""

    route: str
    status: int
    ms: float | None
    flag: str


def failing(lines: Sequence[str]) -> list[str]:
    """ "12x POST /api/checkout answered 502 (12 of 12)" for each route that fails, the most often first."""
    seen = list(requests(lines))
    total = Counter(r.route for r in seen)
    failed = Counter((r.route, r.status, r.flag) for r in seen if r.status >= 500)
    return [
        f"{n}x {route} answered {status}{f' {flag}' if flag else ''} ({n} of {total[route]})"
        for (route, status, flag), n in failed.most_common()
        if n >= LEAST_FAILED
    ]


def slow(lines: Sequence[str]) -> list[str]:
    """ "GET /reports takes 12840 ms (median of 10; the others 16 ms)" for each route that stands out."""
    spent: dict[str, list[float]] = {}
    for request in requests(lines):
        if request.ms is not None:
            spent.setdefault(request.route, []).append(request.ms)
    found = []
    for route, own in spent.items():
        others = [ms for name, each in spent.items() if name != route for ms in each]
        if len(own) >= LEAST_SLOW and len(others) >= LEAST_SLOW and median(own) >= max(SLOW_MS, TIMES * median(others)):
            found.append(
                (median(own), f"{route} takes {median(own):.0f} ms (median of {len(own)}; the others {median(others):.0f} ms)")
            )
    return [words for _, words in sorted(found, reverse=True)]


def is_request(line: str) -> bool:
    """True for a line of an access log: words in its path are no errors."""
    return _LINE.search(line[:2_000]) is not None


def requests(lines: Sequence[str]) -> Iterator[Request]:
    """Every request that a line tells of."""
    routes: set[str] = set()
    for line in lines[-MOST_LINES:]:
        made = _json(line) if line.lstrip().startswith("{") else _plain(line)
        if made is not None and (made.route in routes or len(routes) < MOST_ROUTES):
            routes.add(made.route)
            yield made


def _plain(line: str) -> Request | None:
    found = _LINE.search(line[:2_000])
    if found is None:
        return None
    flag = f"{found[4]} {found[5]}" if found[4] else ""
    return Request(f"{found[1]} {_route(found[2])}", int(found[3]), None, flag)


def _json(line: str) -> Request | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    path = next((v for k in ("path", "route", "url", "uri", "request_path") if isinstance(v := record.get(k), str)), "")
    status = next((v for k in ("status", "status_code", "statusCode", "http_status") if isinstance(v := record.get(k), int)), 0)
    ms = next((v * unit for k, unit in _MS.items() if isinstance(v := record.get(k), int | float)), None)
    if not path or (not status and ms is None):
        return None
    return Request(f"{record.get('method') or ''} {_route(path)}".strip(), status, ms, "")


def _route(path: str) -> str:
    return _ID.sub("#", path.partition("?")[0])[:120]
