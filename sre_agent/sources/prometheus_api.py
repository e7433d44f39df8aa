"""The Prometheus HTTP API as the agent reads it (Prometheus, Mimir, Thanos): envelopes, results, and what fits.

Source of the protocol: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import math
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import Permanent
from sre_agent.sources.http_api import HttpAnswer, HttpApi, HttpSession, api_of

# SAFETY: admin and lifecycle endpoints (/-/reload, delete_series, ...) must stay out of the agent's reach.
BUILD = "/api/v1/status/buildinfo"
PATHS = frozenset({"/api/v1/query", "/api/v1/query_range", "/api/v1/alerts", "/api/v1/rules", BUILD})
MAX_POINTS = 600
"""Points a series is sampled at; the server itself refuses more than 11,000."""


@dataclass(frozen=True)
class PrometheusEndpoint:
    """Where and how much to ask. Seconds and bytes; `tenant` becomes X-Scope-OrgID, `token` a bearer token.

    `min_step_s` is the finest resolution; `baseline_s` how much quiet time before the onset is always fetched.
    `rules_s` is the time that alerts, rules and the alerted metrics get: they never cost the metrics their place.
    `past`: what is asked about is over, so that nothing is asked that only tells of the present.
    """

    url: str
    token: str = field(default="", repr=False)
    tenant: str = ""
    timeout_s: float = 10.0
    rules_s: float = 4.0
    min_step_s: float = 15.0
    baseline_s: float = 1800.0
    max_payload_bytes: int = 1_000_000
    max_body_bytes: int = 32_000_000
    past: bool = False


@dataclass(frozen=True)
class Told:
    """`data` of one envelope. `warnings`: the answer is partial (Thanos, Mimir); `infos` are the server's remarks."""

    data: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


class PrometheusApi:
    """Asks one server; every failure comes as Transient or Permanent with the server's own text."""

    def __init__(self, endpoint: PrometheusEndpoint) -> None:
        self._endpoint = endpoint
        self._http = api_of("Prometheus", "PROMETHEUS_URL", endpoint, PATHS)

    def session(self) -> AbstractAsyncContextManager[HttpSession]:
        """Connections for some requests."""
        return self._http.session()

    async def query(self, session: HttpSession, path: str, form: Mapping[str, str]) -> Told:
        """`data` of a query, which is sent as a form."""
        return _envelope(await session.post(path, form), self._http)

    async def listed(self, session: HttpSession, path: str, query: Mapping[str, str | list[str]]) -> Told | None:
        """`data` of a list (alerts, rules); None where this server keeps none (404: a store that evaluates no rules)."""
        answer = await session.get(path, query)
        return None if answer.status == 404 else _envelope(answer, self._http)

    async def instant(self, session: HttpSession, query: str, at: datetime) -> tuple[Series, ...]:
        """One sample a series at one instant."""
        told = await self.query(session, "/api/v1/query", {"query": query, "time": f"{at.timestamp():.3f}"})
        return self._series(told.data)[0]

    async def version(self, session: HttpSession) -> str:
        """What the server says it is; "" where it does not say (404: some stores that only speak the query API)."""
        told = await self.listed(session, BUILD, {})
        return "" if told is None else str(told.data.get("version", ""))[:60]

    async def number(self, session: HttpSession, query: str, at: datetime) -> float | None:
        """The one number a query gives; None for nothing, and for what is no number (NaN, an infinity)."""
        series = await self.instant(session, query, at)
        value = series[0].samples[-1][1] if series and series[0].samples else math.nan
        return value if math.isfinite(value) else None

    async def clock(self, session: HttpSession) -> datetime:
        """The server's own time."""
        told = await self.query(session, "/api/v1/query", {"query": "time()"})
        (series, *_), _ = self._series(told.data)
        try:
            return datetime.fromtimestamp(series.samples[-1][1], UTC)
        except (IndexError, OverflowError, ValueError, OSError) as error:
            raise Permanent(f"{self._http.name} has no time of its own: {type(error).__name__}") from error

    async def range(self, session: HttpSession, selector: str, scope: Scope) -> Evidence:
        """One range query, shaped so that its last point lies exactly on the window's end."""
        end = scope.window.end
        start = min(scope.window.start, scope.onset - timedelta(seconds=self._endpoint.baseline_s))
        step = max(self._endpoint.min_step_s, (end - start).total_seconds() / MAX_POINTS)
        steps = int((end - start).total_seconds() / step)
        first = end - timedelta(seconds=steps * step)
        form = {"query": selector, "start": f"{first.timestamp():.3f}", "end": f"{end.timestamp():.3f}", "step": f"{step:.3f}"}
        told = await self.query(session, "/api/v1/query_range", form)
        series, histograms = self._series(told.data)
        kept, size = _fit(series, self._endpoint.max_payload_bytes)
        newest = max((s.samples[-1][0] for s in kept if s.samples), default=end.timestamp())
        left_out = (f"{histograms} native histograms are left out",) if histograms else ()
        return self.said(selector, EvidenceStatus.OK if kept else EvidenceStatus.NO_DATA, scope).model_copy(
            update={
                "observed_at": min(scope.now, datetime.fromtimestamp(newest, UTC)),
                "window": Window(start=first, end=end),
                "payload": [s.model_dump(mode="json") for s in kept],
                "size_bytes": size,
                "truncated": len(kept) < len(series) or bool(told.warnings) or bool(histograms),
                "error": "; ".join((*told.warnings, *left_out, *told.infos))[:500],
            }
        )

    def said(self, selector: str, status: EvidenceStatus, scope: Scope) -> Evidence:
        """METRICS evidence without a payload, with the graph of the selector as its link."""
        return Evidence(
            id="",
            source="prometheus",
            kind=EvidenceKind.METRICS,
            query=selector,
            status=status,
            observed_at=scope.now,
            window=scope.window,
            link=f"{self._http.url}/graph?g0.expr={quote(selector, safe='')}",
        )

    def link(self, page: str) -> str:
        """The address of one of the server's own pages."""
        return f"{self._http.url}/{page}"

    def _series(self, data: Mapping[str, Any]) -> tuple[tuple[Series, ...], int]:
        """Vector, matrix and scalar results as Series, and how many rows are native histograms (no plain value)."""
        result = data.get("result")
        try:
            if data.get("resultType") == "scalar":
                return (Series.model_validate({"labels": {}, "samples": [result]}),), 0
            if data.get("resultType") not in ("vector", "matrix") or not isinstance(result, list):
                raise Permanent(f"{self._http.name} answered with result type {data.get('resultType')!r}; numbers are needed")
            plain = [row for row in result if "values" in row or "value" in row]
            series = (
                Series.model_validate({"labels": row["metric"], "samples": row["values"] if "values" in row else [row["value"]]})
                for row in plain
            )
            return tuple(series), sum("histogram" in row or "histograms" in row for row in result)
        except (ValidationError, KeyError, TypeError) as error:
            raise Permanent(f"{self._http.name} sent a malformed result: {type(error).__name__}") from error


def _envelope(answer: HttpAnswer, http: HttpApi) -> Told:
    """Unwrap {status, data, errorType, error, warnings, infos}. A proxy's HTML or plain text is quoted, never parsed."""
    body = answer.json()
    if isinstance(body, dict) and answer.status == 200 and body.get("status") == "success" and isinstance(body.get("data"), dict):
        return Told(body["data"], _texts(body.get("warnings")), _texts(body.get("infos")))
    if isinstance(body, dict) and body.get("error"):
        raise http.failure(answer, f"{body.get('errorType', 'error')}: {body['error']}")
    raise http.failure(answer)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(v)[:200] for v in value[:10]) if isinstance(value, list) else ()


def _fit(series: tuple[Series, ...], limit: int) -> tuple[tuple[Series, ...], int]:
    """As many series as fit into `limit` bytes: histogram buckets and flat lines go first, they say the least."""

    def worth(s: Series) -> tuple[bool, bool, tuple[tuple[str, str], ...]]:
        return s.name.endswith("_bucket"), len({v for _, v in s.samples}) < 2, tuple(sorted(s.labels.items()))

    kept: list[Series] = []
    size = 0
    for s in sorted(series, key=worth):
        size += (cost := len(s.model_dump_json()))
        if size > limit:
            return tuple(kept), size - cost
        kept.append(s)
    return tuple(kept), size
