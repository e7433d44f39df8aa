"""Log lines from a Loki HTTP API. Read-only: only the paths in PATHS are ever asked.

What is asked for comes from the alert's labels alone, as exact matchers: which of Loki's label names hold a namespace, a pod,
a workload or a container is read from Loki first, because every collector names them in its own way. Before lines are
fetched, the index is asked what that would cost. Lines before the onset and since are fetched apart, so that a flood after
it does not hide how the log looked before.
Source of the protocol: https://grafana.com/docs/loki/latest/reference/loki-http-api/
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.errors import Permanent
from sre_agent.incident.incident import Incident
from sre_agent.sources.http_api import Fields, HttpSession, api_of
from sre_agent.sources.loki_lines import Line, bounded, lines_of

QUERY_RANGE, LABELS, STATS = "/loki/api/v1/query_range", "/loki/api/v1/labels", "/loki/api/v1/index/stats"
# SAFETY: push, delete and rule endpoints stay out of the agent's reach.
PATHS = frozenset({QUERY_RANGE, LABELS, STATS})
MAX_SUBJECTS = 4
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# How collectors name the same thing, the most usual first (Promtail and Alloy, OpenTelemetry, Fluent Bit).
NAMESPACES = ("namespace", "k8s_namespace_name", "kubernetes_namespace_name", "namespace_name")
PODS = ("pod", "k8s_pod_name", "kubernetes_pod_name", "pod_name")
CONTAINERS = ("container", "k8s_container_name", "kubernetes_container_name", "container_name")
WORKLOADS = ("app", "service_name", "app_kubernetes_io_name", "service", "deployment", "k8s_deployment_name", "statefulset")
_NAMED = (("pod", PODS), ("container", CONTAINERS))
_WORKLOAD_LABELS = ("deployment", "statefulset", "daemonset", "app", "service", "service_name", "job_name")


@dataclass(frozen=True)
class LokiEndpoint:
    """Where and how much to ask. `tenant` becomes X-Scope-OrgID, `token` a bearer token. Seconds, lines and bytes.

    `max_scan_bytes` is what one query may make Loki read, by its own index; beyond it the time since the onset is all that
    is asked for, and beyond it still, nothing.
    """

    url: str
    token: str = field(default="", repr=False)
    tenant: str = ""
    timeout_s: float = 8.0
    limit: int = 1_000
    max_scan_bytes: int = 1_000_000_000
    max_payload_bytes: int = 400_000
    max_body_bytes: int = 16_000_000


class LokiSource:
    """EvidenceSource for logs of what the alerts name."""

    name = "loki"
    kind = EvidenceKind.LOGS

    def __init__(self, endpoint: LokiEndpoint) -> None:
        self._endpoint = endpoint
        self._http = api_of("Loki", "LOKI_URL", endpoint, PATHS)

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """LOGS evidence per pod and container that wrote something; () when the alerts name nothing that could write.

        Raises Transient or Permanent with Loki's own words.
        """
        asks = [dict(t) for t in dict.fromkeys(tuple(sorted(a.items())) for a in _asks(scope.incident))][:MAX_SUBJECTS]
        if not asks:
            return ()
        async with self._http.session() as session:
            names = await self._names(session, scope.window)
            subjects = [found for ask in asks if (found := selectors(ask, names))]
            if not subjects:
                return (self._said("labels", scope, EvidenceStatus.NO_DATA, "no label of this Loki holds what the alerts name"),)
            answers = await asyncio.gather(*(self._first(session, each, scope) for each in subjects))
        told: dict[tuple[str, ...], Evidence] = {}
        for e in (e for answer in answers for e in answer):
            owner = tuple(e.payload[k] for k in ("namespace", "pod", "container")) if e.payload else (e.query,)
            told.setdefault(owner, e)
        return tuple(told.values())

    async def labels(self, window: Window) -> frozenset[str]:
        """The label names that streams carried in the window: empty when nothing was written. Raises as `gather`."""
        async with self._http.session() as session:
            return await self._names(session, window)

    async def _first(self, session: HttpSession, alternatives: tuple[str, ...], scope: Scope) -> tuple[Evidence, ...]:
        """The logs under the first of these selectors that has any."""
        answer: tuple[Evidence, ...] = ()
        for selector in alternatives:
            answer = await self._logs(session, selector, scope)
            if answer[0].status is EvidenceStatus.OK or answer[0].error:
                break
        return answer

    async def _names(self, session: HttpSession, window: Window) -> frozenset[str]:
        """The label names that streams carried in the window."""
        body = await self._json(session, LABELS, _span(window.start, window.end))
        listed = body.get("data")
        return (
            frozenset(n for n in listed if isinstance(n, str) and _NAME.fullmatch(n)) if isinstance(listed, list) else frozenset()
        )

    async def _logs(self, session: HttpSession, selector: str, scope: Scope) -> tuple[Evidence, ...]:
        """Both sides of the onset, where the index says that they can be afforded."""
        window = Window(start=min(scope.window.start, scope.onset), end=scope.window.end)
        onset = min(max(scope.onset, window.start), window.end)
        spans = [_span(window.start, onset), _span(onset, window.end + timedelta(microseconds=1))]
        costs = [await self._cost(session, selector, span) for span in spans]
        lines: list[Line] = []
        cut = False
        for cost, span in zip(costs, spans, strict=True):
            if cost is not None and cost > self._endpoint.max_scan_bytes:
                cut = True
            else:
                read = lines_of(await self._streams(session, selector, span), NAMESPACES, PODS, CONTAINERS)
                lines += read
                cut |= len(read) >= self._endpoint.limit
        if not lines and cut:
            too_much = f"Loki would have to read {sum(c or 0 for c in costs)} bytes; not asked"
            return (self._said(selector, scope, EvidenceStatus.ERROR, too_much),)
        if not lines:
            return (self._said(selector, scope, EvidenceStatus.NO_DATA),)
        told = bounded(lines, self._endpoint.max_payload_bytes)
        return tuple(self._evidence(selector, window, payload, cut or short, scope) for payload, short in told)

    async def _cost(self, session: HttpSession, selector: str, span: Fields) -> int | None:
        """Bytes that Loki would have to read; None when this Loki cannot tell (older than 2.8, or not allowed)."""
        answer = await session.get(STATS, {"query": selector, **span})
        body = answer.json()
        if answer.status in (403, 404):
            return None
        if answer.status != 200 or not isinstance(body, dict):
            raise self._http.failure(answer)
        told = body.get("bytes")
        return told if isinstance(told, int) else None

    async def _streams(self, session: HttpSession, selector: str, span: Fields) -> list[Any]:
        """The newest lines of the selector in the span, by stream."""
        limit = {"limit": str(self._endpoint.limit), "direction": "backward"}
        body = await self._json(session, QUERY_RANGE, {"query": selector, **span, **limit})
        data = body.get("data")
        result = data.get("result") if isinstance(data, dict) else None
        if not isinstance(data, dict) or data.get("resultType") != "streams" or not isinstance(result, list):
            raise Permanent(f"{self._http.name} answered without streams; log lines are needed")
        return result

    async def _json(self, session: HttpSession, path: str, query: Fields) -> dict[str, Any]:
        """The envelope of an answer that is a success. Errors are plain text mostly, and JSON sometimes."""
        answer = await session.get(path, query)
        body = answer.json()
        if answer.status != 200 or not isinstance(body, dict) or body.get("status") != "success":
            said = body.get("message") or body.get("error") if isinstance(body, dict) else None
            raise self._http.failure(answer, str(said or ""))
        return body

    def _evidence(self, selector: str, window: Window, payload: dict[str, Any], truncated: bool, scope: Scope) -> Evidence:
        return self._said(selector, scope, EvidenceStatus.OK).model_copy(
            update={
                "window": window,
                "payload": payload,
                "size_bytes": sum(len(line) for line in payload["lines"]),
                "truncated": truncated,
            }
        )

    def _said(self, query: str, scope: Scope, status: EvidenceStatus, error: str = "") -> Evidence:
        return Evidence(
            id="",
            source=self.name,
            kind=self.kind,
            query=query,
            status=status,
            observed_at=scope.now,
            window=scope.window,
            link=f"{self._http.url}{QUERY_RANGE}?query={quote(query, safe='')}",
            error=error,
        )


def _asks(incident: Incident) -> Iterator[dict[str, str]]:
    """What each alert names that can write logs: {"namespace", "pod", "container", "workload"} as far as it does."""
    for alert in incident.alerts:
        labels = alert.labels
        asked = {n: labels[n] for n in ("namespace", "pod", "container") if labels.get(n)}
        workload = next((labels[n] for n in _WORKLOAD_LABELS if labels.get(n)), "")
        if "pod" not in asked and workload:
            asked["workload"] = workload
        if asked.keys() - {"container"}:
            yield asked


def selectors(asked: Mapping[str, str], names: frozenset[str]) -> tuple[str, ...]:
    """Exact selectors for one subject in this Loki's label names, of one alternative name for a workload each; () for none."""
    fixed: dict[str, str] = {}
    namespace = next((n for n in NAMESPACES if n in names), None)
    if "namespace" in asked:
        if namespace is None:
            return ()
        fixed[namespace] = asked["namespace"]
    for what, alternatives in _NAMED:
        name = next((n for n in alternatives if n in names), None)
        if what in asked and name is not None:
            fixed[name] = asked[what]
        elif what == "pod" and "pod" in asked:
            return ()  # the namespace alone would be everybody's log
    if "workload" not in asked:
        return (_selector(fixed),) if fixed else ()
    return tuple(_selector({**fixed, n: asked["workload"]}) for n in WORKLOADS if n in names)[:2]


def _selector(labels: Mapping[str, str]) -> str:
    """Equality matchers only. Text from an alert can never end the string it is in, and names are Loki's own."""
    return "{" + ",".join(f'{n}="{_escape(v)}"' for n, v in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _span(start: datetime, end: datetime) -> Fields:
    """[start, end) in nanoseconds, as Loki takes it; an empty span is one nanosecond long, because Loki refuses none."""
    return {"start": _nanoseconds(start), "end": str(max(int(_nanoseconds(end)), int(_nanoseconds(start)) + 1))}


def _nanoseconds(at: datetime) -> str:
    return str((at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000)
