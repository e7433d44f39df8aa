"""NETWORK_SLOW, SERVICE_SLOW: calls lose time on the way to a service, or in the service itself, not in what it calls.

Pure. Read are the service-graph counters of Grafana Tempo and of the OpenTelemetry Collector, by caller and callee:
traces_service_graph_request_client_seconds and ..._server_seconds, each with _sum and _count
(https://grafana.com/docs/tempo/latest/metrics-generator/service_graphs/). What the caller waited beyond what the callee
worked is the way between them; what the callee worked beyond what it waited for its own callees is its own time.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import quantiles

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import Samples, increases, shared_moments, split
from sre_agent.evidence.view import EvidenceView

MAX_FINDINGS = 3
MIN_CALLS = 3.0
MIN_BASELINE = 2
"""Growths before the onset: what lies between two samples of a counter is not lost with those in between."""
MIN_ADDED_S = 0.1
FACTOR = 5.0
MIN_WAYS = 8
"""Ways of which the usual loss is known, before it stands in for a way that nobody took before."""
_PREFIX = "traces_service_graph_request_"
_PARTS = ("client_seconds_sum", "client_seconds_count", "server_seconds_sum", "server_seconds_count")


@dataclass(frozen=True)
class _Calls:
    """Calls and seconds on both sides of one way, in one span of time."""

    waited: float
    asked: float
    worked: float
    answered: float

    @property
    def way(self) -> float:
        """Mean seconds of a call that the callee did not work; clocks of two hosts may make it a little less than nothing."""
        return max(self.waited / max(self.asked, 1.0) - self.worked / max(self.answered, 1.0), 0.0)


@dataclass(frozen=True)
class _Edge:
    """One way in the call graph, before and since the onset."""

    caller: str
    callee: str
    before: _Calls
    since: _Calls
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Lost:
    """Mean seconds of a call, before and since; and a word for whom."""

    said: str
    before: float
    since: float
    evidence: tuple[str, ...]

    @property
    def slow(self) -> bool:
        """It grew by what a person would feel, and by a multiple of itself."""
        return self.since - self.before >= MIN_ADDED_S and self.since >= FACTOR * self.before


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a callee, by the seconds that its callers lost on the way or that it lost itself."""
    edges = _edges(view)
    into: dict[str, list[_Lost]] = defaultdict(list)
    for callee, way in _ways(edges):
        if way.slow:
            into[callee].append(way)
    found = [_on_the_way(callee, ways) for callee, ways in into.items()]
    found += [_itself(service, own) for service, own in _own(edges) if own.slow and service not in into]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object))[:MAX_FINDINGS])


def _edges(view: EvidenceView) -> list[_Edge]:
    told: dict[tuple[str, str], dict[str, tuple[str, Samples]]] = defaultdict(dict)
    for evidence_id, series in view.series():
        part, labels = series.name.removeprefix(_PREFIX), series.labels
        if part in _PARTS and labels.get("client") and labels.get("server"):
            told[labels["client"], labels["server"]][part] = (evidence_id, series.finite())
    found = []
    for (caller, callee), parts in told.items():
        if len(parts) == len(_PARTS) and caller != callee:
            both = [split(increases(told), view.scope.onset, MIN_BASELINE) for told in _together(parts)]
            before, since = (_Calls(*(sum(v for _, v in each[i]) for each in both)) for i in (0, 1))
            ids = tuple(dict.fromkeys(i for i, _ in parts.values()))
            found.append(_Edge(caller, callee, before, since, ids))
    return found


def _together(parts: Mapping[str, tuple[str, Samples]]) -> list[Samples]:
    """The four counters at the same moments: a sample that one of them lost is told by its neighbours, or costs that moment."""
    return list(shared_moments([dict(parts[name][1]) for name in _PARTS]))


def _ways(edges: list[_Edge]) -> list[tuple[str, _Lost]]:
    """(callee, loss on the way to it). A way that was hardly taken before is held against the worst tenth of the others."""
    known = [e.before.way for e in edges if e.before.asked >= MIN_CALLS]
    usual = quantiles(known, n=10)[-1] if len(known) >= MIN_WAYS else None
    found = []
    for edge in (e for e in edges if e.since.asked >= MIN_CALLS):
        before = edge.before.way if edge.before.asked >= MIN_CALLS else usual
        if before is not None:
            found.append((edge.callee, _Lost(edge.caller, before, edge.since.way, edge.evidence)))
    return found


def _own(edges: list[_Edge]) -> list[tuple[str, _Lost]]:
    """(service, its own time): seconds that it worked a call, less those in which it waited for what it calls."""
    into: Mapping[str, list[_Edge]] = defaultdict(list)
    out: Mapping[str, list[_Edge]] = defaultdict(list)
    for edge in edges:
        into[edge.callee].append(edge)
        out[edge.caller].append(edge)
    found = []
    for service, calls in into.items():
        answered = [sum(span.answered for span in spans) for spans in zip(*((e.before, e.since) for e in calls), strict=True)]
        if min(answered) < MIN_CALLS:
            continue
        worked = [sum(span.worked for span in spans) for spans in zip(*((e.before, e.since) for e in calls), strict=True)]
        waited = [sum(e.before.waited for e in out[service]), sum(e.since.waited for e in out[service])]
        own = [max(w - o, 0.0) / n for w, o, n in zip(worked, waited, answered, strict=True)]
        found.append((service, _Lost("", own[0], own[1], tuple(dict.fromkeys(i for e in calls for i in e.evidence)))))
    return found


def _on_the_way(callee: str, ways: list[_Lost]) -> Finding:
    ways = sorted(ways, key=lambda w: (-w.since, w.said))
    said = ", ".join(f"{w.said} {w.before:.3f} s -> {w.since:.3f} s" for w in ways[:3])
    return Finding(
        kind=FindingKind.NETWORK_SLOW,
        object=f"service/{callee.lower()}",
        cause=f"calls to {callee} take longer on the way, while it answers as before: {said}",
        strength=round(0.5 + min(0.09, (ways[0].since - ways[0].before) / 20), 3),
        evidence=tuple(dict.fromkeys(i for w in ways for i in w.evidence)),
        refuted_by="its callers were short of CPU or threads themselves, and waited for those",
    )


def _itself(service: str, own: _Lost) -> Finding:
    return Finding(
        kind=FindingKind.SERVICE_SLOW,
        object=f"service/{service.lower()}",
        cause=f"{service} itself takes longer, not what it calls: {own.before:.3f} s -> {own.since:.3f} s a call",
        strength=round(0.45 + min(0.09, (own.since - own.before) / 20), 3),
        evidence=own.evidence,
        refuted_by="it waits for something that is not traced (a database, a queue), or is asked for more than before",
    )
