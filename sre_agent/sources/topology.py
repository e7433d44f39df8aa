"""Who calls whom: as declared in a file (SRE_AGENT_TOPOLOGY), and as traces and the mesh counted it into Prometheus.

Read-only. The queries are fixed texts that group counters by their two ends: the service graphs of Grafana Tempo and of the
OpenTelemetry Collector, and Istio's request counter. Payload: {"calls": [[caller, callee], ...]}, nearest to the incident
first. A call graph says where to look; it is no observation of health.
Sources: https://grafana.com/docs/tempo/latest/metrics-generator/service_graphs/,
https://istio.io/latest/docs/reference/config/metrics/
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import MetricsReader, Scope
from sre_agent.incident.errors import ConfigurationError, SreAgentError
from sre_agent.incident.incident import Incident

MAX_CALLS = 1_000
LONGEST_NAME = 253
# (metric, caller's label, callee's label). An hour back, because what broke may have stopped calling.
GRAPHS = (
    ("traces_service_graph_request_total", "client", "server"),
    ("istio_requests_total", "source_workload", "destination_workload"),
)
_NOBODY = frozenset({"", "unknown"})
Call = tuple[str, str]


class TopologyFile(BaseModel):
    """The file's shape: {"calls": [[caller, callee], ...]}."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    calls: list[list[str]]


def load_calls(path: Path) -> tuple[Call, ...]:
    """The declared calls of a YAML or JSON file. Raises ConfigurationError that names the file and what is wrong in it."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        pairs = TopologyFile.model_validate(raw).calls
    except OSError as error:
        raise ConfigurationError(f"SRE_AGENT_TOPOLOGY: {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"SRE_AGENT_TOPOLOGY: {path} is neither YAML nor JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigurationError(
            f"SRE_AGENT_TOPOLOGY: {path}: {where}: {first['msg']}; it holds calls: [[caller, callee], ...]"
        ) from error
    for n, pair in enumerate(pairs):
        if len(pair) != 2 or not all(name.strip() and len(name) <= LONGEST_NAME for name in pair):
            raise ConfigurationError(f"SRE_AGENT_TOPOLOGY: {path}: calls.{n}: is not a pair of names: [caller, callee]")
    return tuple(dict.fromkeys((a.strip(), b.strip()) for a, b in pairs))


class TopologySource:
    """EvidenceSource over declared calls and a MetricsReader, either of which may be missing."""

    name = "topology"
    kind = EvidenceKind.TOPOLOGY

    def __init__(self, declared: tuple[Call, ...] = (), metrics: MetricsReader | None = None) -> None:
        self._declared = declared
        self._metrics = metrics

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """TOPOLOGY evidence of what is declared and of each graph that was measured; one NO_DATA when nobody knows anything.

        Metrics that cannot be read are ERROR evidence beside a declaration; without one the error is raised.
        """
        evidence = [_said("declared calls", self._declared, scope)] if self._declared else []
        if self._metrics is not None:
            answers = await asyncio.gather(
                *(self._measured(self._metrics, graph, scope) for graph in GRAPHS), return_exceptions=True
            )
            for (name, _, _), answer in zip(GRAPHS, answers, strict=True):
                if isinstance(answer, SreAgentError):
                    if not self._declared:
                        raise answer
                    problem = {"status": EvidenceStatus.ERROR, "error": str(answer)[:500]}
                    evidence.append(_said(name, (), scope).model_copy(update=problem))
                elif isinstance(answer, BaseException):
                    raise answer
                elif answer.status is EvidenceStatus.OK:
                    evidence.append(answer)
        return tuple(evidence) or (_said("declared and measured calls", (), scope),)

    async def _measured(self, metrics: MetricsReader, graph: tuple[str, str, str], scope: Scope) -> Evidence:
        metric, caller, callee = graph
        query = f"group by ({caller}, {callee}) (last_over_time({metric}[1h]))"
        series = await metrics.instant(query, min(scope.now, scope.window.end))
        pairs = ((s.labels.get(caller, ""), s.labels.get(callee, "")) for s in series)
        return _said(query, tuple(p for p in pairs if not _NOBODY.intersection(p) and max(map(len, p)) <= LONGEST_NAME), scope)


def _said(query: str, calls: tuple[Call, ...], scope: Scope) -> Evidence:
    ordered = _nearest(dict.fromkeys(calls), scope.incident)
    payload = {"calls": [list(c) for c in ordered[:MAX_CALLS]]} if ordered else None
    return Evidence(
        id="",
        source=TopologySource.name,
        kind=TopologySource.kind,
        query=query,
        status=EvidenceStatus.OK if ordered else EvidenceStatus.NO_DATA,
        observed_at=scope.now,
        payload=payload,
        size_bytes=len(str(payload or "")),
        truncated=len(ordered) > MAX_CALLS,
    )


def _nearest(calls: Iterable[Call], incident: Incident) -> list[Call]:
    """By how many calls away from the incident's services they are, either way; the rest last; by name within each."""
    names = {v.lower() for n in ("service", "service_name", "app", "deployment") for v in incident.label_values(n)}
    reached = {n for n in (*names, incident.service.name.lower()) if n}
    left, found = sorted(set(calls)), []
    while near := [c for c in left if reached & {c[0].lower(), c[1].lower()}]:
        found += near
        reached |= {end.lower() for call in near for end in call}
        left = [c for c in left if c not in set(near)]
    return [*found, *left]
