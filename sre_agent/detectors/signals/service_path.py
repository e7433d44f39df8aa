"""SERVICE_SLOW, SERVICE_FAILING: which service behind the alerted one moved together with it, down the call graph.

Pure. The alert's own words say which metric to compare (latency or failures): all metrics of dozens of services together
name nobody. A service counts when it left its own baseline, moved at the same moments as the alerted service, and by a share
of it that matters; the deepest such service is named first, and those above it, which only wait for it, after it.

Source: the deepest anomalous node of the call graph, as in Wu et al., "MicroRCA" (NOMS 2020), and in the baselines of
Hardt et al., "The PetShop Dataset" (CLeaR 2024); that it moves with the alert is Pearson's correlation.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, median

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import aligned, levels, split
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MAX_FINDINGS = 5
TOGETHER = 0.7
SHARE = 0.1
QUANTILE = 0.99
MIN_SHARED = 3
CHANCE, FAR = 0.051, 2.0
"""One sample beyond the quantile is enough where so few are looked at that chance seldom gives one (1 of 20 times), or where
it is that many times as far as ever before; else there are two."""
MIN_BASELINE, MIN_RECENT, LEAD = 10, 2, 2
_LABELS = ("service", "service_name", "app")
_TYPICAL = ("average", "avg", "mean", "p50", "p90", "p95")
# What is seen from the caller's side alone, by the names that tracing systems give it.
_UNSEEN = re.compile(r"(^|[_:/.-])(remote|external|client|unknown)$", re.IGNORECASE)


@dataclass(frozen=True)
class _Family:
    """One thing to compare. `falls`: a metric by whose fall the service gets worse (availability)."""

    kind: FindingKind
    asked: re.Pattern[str]
    rises: re.Pattern[str]
    falls: re.Pattern[str]

    def sign(self, name: str) -> int:
        """1: worse when it rises; -1: worse when it falls; 0: another family."""
        return -1 if self.falls.search(name) else 1 if self.rises.search(name) else 0


_NEVER = re.compile(r"(?!)")
_FAMILIES = (
    _Family(
        FindingKind.SERVICE_SLOW,
        re.compile(r"latenc|slow|late\b|duration|response.?time", re.IGNORECASE),
        re.compile(r"latenc|duration|response_?time", re.IGNORECASE),
        _NEVER,
    ),
    _Family(
        FindingKind.SERVICE_FAILING,
        re.compile(r"availab|error|fail|5xx|success|down\b", re.IGNORECASE),
        re.compile(r"error|fail|5xx", re.IGNORECASE),
        re.compile(r"availab|success", re.IGNORECASE),
    ),
)


@dataclass(frozen=True)
class _Moved:
    """How far one service is worse than its usual level, sample by sample since the onset.

    `around`: and shortly before it; `since_usual`: and all since the baseline ended, for alerts that begin minutes late.
    """

    service: str
    evidence_id: str
    usual: float
    worse: Mapping[float, float]
    around: Mapping[float, float]
    since_usual: Mapping[float, float]
    odd: bool
    began: float

    @property
    def late(self) -> bool:
        """Whether it was worse already before the onset: half of its worst, in the last samples before."""
        return any(v >= self.peak / 2 for t, v in self.around.items() if t not in self.worse)

    @property
    def peak(self) -> float:
        """The worst sample, in the metric's unit."""
        return max(self.worse.values())


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """The deepest services that moved with the alerted one, then those between; () without a call graph or its series."""
    graph: dict[str, set[str]] = defaultdict(set)
    ids = set()
    for evidence_id, caller, callee in view.calls():
        graph[caller].add(callee)
        ids.add(evidence_id)
    incident = view.scope.incident
    said = " ".join([incident.title, *(w for a in incident.alerts for w in (a.name, *a.annotations.values()))])
    asked = [f for f in _FAMILIES if f.asked.search(said)] or list(_FAMILIES)
    wanted = {n.lower() for n in (*incident.label_values("service"), incident.service.name) if n}
    found = [f for family in asked if graph for f in _behind(family, view, graph, wanted, sorted(ids))]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.object))[:MAX_FINDINGS])


def _behind(
    family: _Family, view: EvidenceView, graph: Mapping[str, set[str]], wanted: set[str], graph_ids: list[str]
) -> list[Finding]:
    series = _one_metric(family, view, wanted)
    moved = {m.service: m for i, s, sign in series if (m := _moved(i, s, sign, view.scope.onset)) is not None}
    alerted = [m for m in moved.values() if m.service.lower() in wanted and m.peak > 0]
    if not alerted:
        return []
    top = alerted[0]
    plain = _below(top, graph, moved, TOGETHER)
    below = plain or _likeliest(top, graph, moved)
    if not below and not top.odd:
        return []
    depth = {top.service: 0} | {name: far for name, (far, _) in below.items()}
    waits = {caller for _, caller in below.values()} | {n for n in depth if any(c in depth for c in graph.get(n, ()))}
    # A leaf is often seen from its caller's side alone, whatever its name: then it may be the way to a sibling that is traced.
    order = sorted(depth, key=lambda n: (n in waits, bool(_UNSEEN.search(n)), n not in graph, -depth[n], -moved[n].peak, n))
    return [_finding(family, moved[n], top, (i, n not in waits), graph_ids, bool(plain) or not below) for i, n in enumerate(order)]


def _one_metric(family: _Family, view: EvidenceView, wanted: set[str]) -> list[tuple[str, Series, int]]:
    """(evidence id, series, sign): of all services, the metric that tells most plainly of the alerted one."""
    told = [(i, s, sign) for i, s in view.series() if (sign := family.sign(s.name)) and _service(s)]
    names = {s.name for _, s, _ in told if _service(s).lower() in wanted}
    best = min(names, key=lambda n: (next((i for i, w in enumerate(_TYPICAL) if w in n.lower()), len(_TYPICAL)), n), default=None)
    return [t for t in told if t[1].name == best]


def _service(series: Series) -> str:
    return next((series.labels[label] for label in _LABELS if series.labels.get(label)), "")


def _moved(evidence_id: str, series: Series, sign: int, onset: datetime) -> _Moved | None:
    samples = levels(series)
    baseline, recent = split(samples, onset)
    if len(baseline) < MIN_BASELINE or len(recent) < MIN_RECENT:
        return None
    usual = median(v for _, v in baseline)
    before = sorted(sign * (v - usual) for _, v in baseline)
    worse = {t: sign * (v - usual) for t, v in recent}
    peak = max(worse.values())
    rare = sum(bisect_left(before, v) >= QUANTILE * len(before) for v in worse.values())
    enough = 1 if (1 - QUANTILE) * len(worse) <= CHANCE else 2
    odd = rare >= enough or (rare > 0 and peak >= FAR * max(before[-1], 0.0))
    began = next((t for t, v in sorted(worse.items()) if v >= peak / 2), recent[0][0])
    lead = {t: sign * (v - usual) for t, v in samples[: -len(recent)][-LEAD:]}
    longer = {t: sign * (v - usual) for t, v in samples[max(0, len(baseline) - LEAD) : -len(recent)]}
    return _Moved(_service(series), evidence_id, usual, worse, lead | worse, longer | worse, peak > 0 and odd, began)


def _below(top: _Moved, graph: Mapping[str, set[str]], moved: Mapping[str, _Moved], together: float) -> dict[str, tuple[int, str]]:
    """Services that moved with `top` and are reached from it: how far down, and who waits for them.

    Services that nobody measures are walked through; those that were measured and did not move are not.
    """
    found: dict[str, tuple[int, str]] = {}
    frontier = [(top.service, 0, top.service)]
    passed = {(top.service, top.service)}
    while frontier:
        at, far, waiting = frontier.pop()
        for callee in sorted(graph.get(at, ())):
            seen = moved.get(callee)
            if callee == top.service or far > len(graph) or (seen is None and (callee, waiting) in passed):
                continue
            passed.add((callee, waiting))
            if seen is None:
                frontier.append((callee, far, waiting))
            elif found.get(callee, (0, ""))[0] <= far and _moved_with(top, seen) >= together:
                found[callee] = far + 1, waiting
                frontier.append((callee, far + 1, callee))
    return found


def _likeliest(top: _Moved, graph: Mapping[str, set[str]], moved: Mapping[str, _Moved]) -> dict[str, tuple[int, str]]:
    """Where nobody below moved quite at the same moments: the one that did so most of all, by correlation above 0."""
    some = _below(top, graph, moved, 0.0)
    best = max(some, key=lambda n: (_moved_with(top, moved[n]), n), default=None)
    return {best: some[best]} if best is not None and _moved_with(top, moved[best]) > 0 else {}


def _moved_with(top: _Moved, seen: _Moved) -> float:
    """The correlation with `top` of a service that left its baseline by a share that matters; -1 for any other."""
    if not seen.odd or seen.peak < SHARE * top.peak:
        return -1.0
    # A rule with a `for:` fires minutes after the step, which then lies before the short lead, and nothing moves within it.
    return _together(top.since_usual, seen.since_usual) if top.late else _together(top.around, seen.around)


def _together(a: Mapping[float, float], b: Mapping[float, float]) -> float:
    """Pearson's correlation over the moments both have; 1 for one that never varies or when too few are shared."""
    shared = aligned(a, b)
    if len(shared) < MIN_SHARED:
        return 0.0
    x, y = [p for p, _ in shared], [q for _, q in shared]
    mx, my = fmean(x), fmean(y)
    over = sum((p - mx) * (q - my) for p, q in zip(x, y, strict=True))
    under = (sum((p - mx) ** 2 for p in x) * sum((q - my) ** 2 for q in y)) ** 0.5
    return over / under if under else 0.0


def _finding(family: _Family, seen: _Moved, top: _Moved, rank: tuple[int, bool], graph_ids: list[str], plain: bool) -> Finding:
    place, deepest = rank
    how = "slower" if family.kind is FindingKind.SERVICE_SLOW else "failing more"
    when = "at the same moments as" if plain else "roughly, not exactly, when it was worse at"
    why = "and nothing it calls did" if deepest else "as did something that it calls"
    return Finding(
        kind=family.kind,
        object=f"service/{seen.service.lower()}",
        cause=f"{seen.service} is {how} since the onset (usually {seen.usual:.4g}, worse by up to {seen.peak:.4g}), "
        f"{when} {top.service}, {why}",
        onset=datetime.fromtimestamp(seen.began, UTC),
        strength=max(0.2, ((0.5 if plain else 0.45) if deepest else 0.4) - 0.03 * place),
        evidence=tuple(dict.fromkeys((seen.evidence_id, top.evidence_id, *graph_ids))),
        refuted_by="it is as slow or fails as much at other times without the alert, or its callers changed what they ask of it",
    )
