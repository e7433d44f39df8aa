"""NETWORK_SLOW: calls to a service take long between the two, while the service itself answers as fast as before.

Pure. Read are the service-graph counters of Grafana Tempo and of the OpenTelemetry Collector, by caller and callee:
traces_service_graph_request_client_seconds and ..._server_seconds, each with _sum and _count
(https://grafana.com/docs/tempo/latest/metrics-generator/service_graphs/). What the caller waited beyond what the callee
worked is the way between them.
"""

from collections import defaultdict
from dataclasses import dataclass

from sre_agent.detectors.rates import Samples, increases, split
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView

MAX_FINDINGS = 3
MIN_CALLS = 3.0
MIN_ADDED_S = 0.1
FACTOR = 5.0
_PREFIX = "traces_service_graph_request_"
_PARTS = ("client_seconds_sum", "client_seconds_count", "server_seconds_sum", "server_seconds_count")


@dataclass(frozen=True)
class _Way:
    """Seconds a call spends between caller and callee, before and since the onset, and how many calls there were since."""

    caller: str
    callee: str
    before: float
    since: float
    calls: float
    evidence: tuple[str, ...]

    @property
    def slow(self) -> bool:
        """It grew by what a person would feel, and by a multiple of itself."""
        return self.since - self.before >= MIN_ADDED_S and self.since >= FACTOR * self.before


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a callee, by the seconds that its callers lost on the way."""
    told: dict[tuple[str, str], dict[str, tuple[str, Samples]]] = defaultdict(dict)
    for evidence_id, series in view.series():
        part, labels = series.name.removeprefix(_PREFIX), series.labels
        if part in _PARTS and labels.get("client") and labels.get("server"):
            told[labels["client"], labels["server"]][part] = (evidence_id, series.finite())
    into: dict[str, list[_Way]] = defaultdict(list)
    for (caller, callee), parts in told.items():
        way = _way(caller, callee, parts, view) if len(parts) == len(_PARTS) else None
        if way is not None:
            into[callee].append(way)
    found = [_finding(callee, slow) for callee, ways in into.items() if (slow := [w for w in ways if w.slow])]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object))[:MAX_FINDINGS])


def _way(caller: str, callee: str, parts: dict[str, tuple[str, Samples]], view: EvidenceView) -> _Way | None:
    grown = {name: split(increases(samples), view.scope.onset) for name, (_, samples) in parts.items()}
    before, since = ({name: sum(v for _, v in both[i]) for name, both in grown.items()} for i in (0, 1))
    if min(before["client_seconds_count"], since["client_seconds_count"]) < MIN_CALLS:
        return None
    ids = tuple(dict.fromkeys(i for i, _ in parts.values()))
    return _Way(caller, callee, max(_between(before), 0.0), _between(since), since["client_seconds_count"], ids)


def _between(part: dict[str, float]) -> float:
    """Mean seconds of a call that the callee did not work."""
    served = part["server_seconds_sum"] / max(part["server_seconds_count"], 1.0)
    return part["client_seconds_sum"] / max(part["client_seconds_count"], 1.0) - served


def _finding(callee: str, ways: list[_Way]) -> Finding:
    ways = sorted(ways, key=lambda w: (-w.since, w.caller))
    said = ", ".join(f"{w.caller} {w.before:.3f} s -> {w.since:.3f} s" for w in ways[:3])
    return Finding(
        kind=FindingKind.NETWORK_SLOW,
        object=f"service/{callee.lower()}",
        cause=f"calls to {callee} take longer on the way, while it answers as before: {said}",
        strength=round(0.5 + min(0.09, (ways[0].since - ways[0].before) / 20), 3),
        evidence=tuple(dict.fromkeys(i for w in ways for i in w.evidence)),
        refuted_by="its callers were short of CPU or threads themselves, and waited for those",
    )
