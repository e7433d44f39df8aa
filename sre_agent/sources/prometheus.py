"""Metrics from a Prometheus HTTP API (Prometheus, Mimir, Thanos). Read-only: only the paths in PATHS are ever asked.

No metric name needs to be known: what identifies the incident's subject is in the alert's labels, so every series that
carries the same identity is fetched by a bare selector and left to the detectors.
Source of the protocol: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import Permanent, SreAgentError, Transient
from sre_agent.sources.promql import selectors_of

if TYPE_CHECKING:
    import ssl

    import httpx

# SAFETY: admin and lifecycle endpoints (/-/reload, delete_series, ...) must stay out of the agent's reach.
PATHS = frozenset({"/api/v1/query", "/api/v1/query_range"})
MAX_POINTS = 600

# `data` of the envelope and the server's warnings (a partial answer of Thanos or Mimir has some).
Answer = tuple[Mapping[str, Any], tuple[str, ...]]


@dataclass(frozen=True)
class PrometheusEndpoint:
    """Where and how much to ask. Seconds and bytes; `tenant` becomes X-Scope-OrgID, `token` a bearer token.

    `min_step_s` is the finest resolution; `baseline_s` how much quiet time before the onset is always fetched.
    """

    url: str
    token: str = ""
    tenant: str = ""
    timeout_s: float = 10.0
    min_step_s: float = 15.0
    baseline_s: float = 1800.0
    max_payload_bytes: int = 1_000_000
    max_body_bytes: int = 32_000_000


class PrometheusSource:
    """EvidenceSource for metrics, and the instant query that verification probes use."""

    name = "prometheus"
    kind = EvidenceKind.METRICS

    def __init__(self, endpoint: PrometheusEndpoint) -> None:
        self._endpoint = endpoint
        self._url = endpoint.url.rstrip("/")
        self._tls: ssl.SSLContext | None = None

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One METRICS evidence per identity of the incident's alerts; () when no alert names a subject.

        One failed selector of several is ERROR evidence; when all fail the first error is raised.
        """
        selectors = selectors_of(scope.incident)
        async with self._client() as client:
            answers = await asyncio.gather(*(self._range(client, s, scope) for s in selectors), return_exceptions=True)
        evidence: list[Evidence] = []
        failures: list[SreAgentError] = []
        for selector, answer in zip(selectors, answers, strict=True):
            if isinstance(answer, Evidence):
                evidence.append(answer)
            elif isinstance(answer, SreAgentError):
                failures.append(answer)
                evidence.append(_evidence(selector, scope, EvidenceStatus.ERROR).model_copy(update={"error": str(answer)}))
            else:
                raise answer
        if failures and len(failures) == len(selectors):
            raise failures[0]
        return tuple(evidence)

    async def instant(self, query: str, at: datetime) -> tuple[Series, ...]:
        """The value of any PromQL expression at one instant: one sample a series. Raises Transient or Permanent.

        A value may be up to five minutes old (Prometheus' lookback); () means no such series now.
        """
        async with self._client() as client:
            data, _ = await self._ask(client, "/api/v1/query", {"query": query, "time": f"{at.timestamp():.3f}"})
        return _series(data, self._url)

    async def _range(self, client: "httpx.AsyncClient", selector: str, scope: Scope) -> Evidence:
        """One range query, shaped so that its last point lies exactly on the window's end."""
        end = scope.window.end
        start = min(scope.window.start, scope.onset - timedelta(seconds=self._endpoint.baseline_s))
        step = max(self._endpoint.min_step_s, (end - start).total_seconds() / MAX_POINTS)
        steps = int((end - start).total_seconds() / step)
        first = end - timedelta(seconds=steps * step)
        form = {"query": selector, "start": f"{first.timestamp():.3f}", "end": f"{end.timestamp():.3f}", "step": f"{step:.3f}"}
        data, warnings = await self._ask(client, "/api/v1/query_range", form)
        series = _series(data, self._url)
        kept, size = _fit(series, self._endpoint.max_payload_bytes)
        newest = max((s.samples[-1][0] for s in kept if s.samples), default=end.timestamp())
        return _evidence(selector, scope, EvidenceStatus.OK if kept else EvidenceStatus.NO_DATA).model_copy(
            update={
                "observed_at": min(scope.now, datetime.fromtimestamp(newest, UTC)),
                "window": Window(start=first, end=end),
                "link": f"{self._url}/graph?g0.expr={quote(selector, safe='')}",
                "payload": [s.model_dump(mode="json") for s in kept],
                "size_bytes": size,
                "truncated": len(kept) < len(series) or bool(warnings),
                "error": "; ".join(warnings),
            }
        )

    def _client(self) -> "httpx.AsyncClient":
        import httpx

        headers = {"Accept": "application/json"}
        if self._endpoint.token:
            headers["Authorization"] = f"Bearer {self._endpoint.token}"
        if self._endpoint.tenant:
            headers["X-Scope-OrgID"] = self._endpoint.tenant
        self._tls = self._tls or httpx.create_ssl_context()  # reading the trust store costs more than the query
        # Redirects are not followed: the configured address is the only one that may see the token.
        return httpx.AsyncClient(headers=headers, timeout=self._endpoint.timeout_s, verify=self._tls, follow_redirects=False)

    async def _ask(self, client: "httpx.AsyncClient", path: str, form: Mapping[str, str]) -> Answer:
        """(data, warnings) of one allow-listed path; every failure as Transient or Permanent with its text."""
        import httpx

        if path not in PATHS:
            raise Permanent(f"{path} is not a path the agent may ask of Prometheus")
        try:
            async with client.stream("POST", self._url + path, data=dict(form)) as response:
                body = await _read(response, self._endpoint.max_body_bytes, self._url)
                status, retry_after = response.status_code, response.headers.get("retry-after", "")
        except httpx.TimeoutException as error:
            raise Transient(f"Prometheus at {self._url} did not answer within {self._endpoint.timeout_s:g} s") from error
        except httpx.InvalidURL as error:
            raise Permanent(f"PROMETHEUS_URL {self._url!r} is not an address: {error}") from error
        except httpx.HTTPError as error:
            raise Transient(f"Prometheus at {self._url} cannot be reached: {error or type(error).__name__}") from error
        return _envelope(status, retry_after, body, self._url)


async def _read(response: "httpx.Response", limit: int, url: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise Permanent(f"Prometheus at {url} sent more than {limit} bytes for one selector; the labels name too many series")
    return bytes(body)


def _envelope(status: int, retry_after: str, body: bytes, url: str) -> Answer:
    """Unwrap {status, data, errorType, error, warnings}. A proxy's HTML or plain text is quoted, never parsed."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and status == 200 and answer.get("status") == "success" and isinstance(answer.get("data"), dict):
        return answer["data"], tuple(str(w) for w in answer.get("warnings") or ())
    if isinstance(answer, dict) and answer.get("error"):
        text = f"{answer.get('errorType', 'error')}: {answer['error']}"
    else:
        text = body[:200].decode("utf-8", "replace").strip() or "empty answer"
    said = f"Prometheus at {url} answered {status}: {text[:300]}"
    if status == 429 or status >= 500:
        raise Transient(said, retry_after=float(retry_after) if retry_after.isdigit() else None)
    if status == 200:
        raise Permanent(f"{said} (this is not the Prometheus API; check PROMETHEUS_URL for a login page or a missing path prefix)")
    raise Permanent(said)


def _series(data: Mapping[str, Any], url: str) -> tuple[Series, ...]:
    """Vector, matrix and scalar results as Series. Native histograms (no plain value) are left out."""
    result = data.get("result")
    try:
        if data.get("resultType") == "scalar":
            return (Series.model_validate({"labels": {}, "samples": [result]}),)
        if data.get("resultType") not in ("vector", "matrix") or not isinstance(result, list):
            raise Permanent(f"Prometheus at {url} answered with result type {data.get('resultType')!r}; numbers are needed")
        return tuple(
            Series.model_validate({"labels": row["metric"], "samples": row["values"] if "values" in row else [row["value"]]})
            for row in result
            if "values" in row or "value" in row
        )
    except (ValidationError, KeyError, TypeError) as error:
        raise Permanent(f"Prometheus at {url} sent a malformed result: {type(error).__name__}") from error


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


def _evidence(selector: str, scope: Scope, status: EvidenceStatus) -> Evidence:
    return Evidence(
        id="",
        source="prometheus",
        kind=EvidenceKind.METRICS,
        query=selector,
        status=status,
        observed_at=scope.now,
        window=scope.window,
    )
