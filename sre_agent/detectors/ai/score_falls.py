"""SCORE_FELL: a quality score fell near the onset and is still low, and no change of a prompt or model explains it.

Pure. It says that answers got worse, not why: a symptom as often as a cause, so it stays weaker than what explains it.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sre_agent.evidence.ai.quality import Score
from sre_agent.evidence.ai.score_fall import MIN_SCORES, Fall, count, direction, fall, mean
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.view import EvidenceView

# Seven beginnings are tried, so one of them is low by chance more often than a single one.
MIN_T = 4.5
# How long before the onset the fall may have begun: an alert on an hourly mean is late by so much.
_BACK = tuple(timedelta(minutes=m) for m in (0, 15, 30, 60, 90, 120, 180))


def fallen(view: EvidenceView, scores: Sequence[tuple[str, Score]], explained: Collection[str]) -> tuple[Finding, ...]:
    """One finding per object, its steepest score. `explained`: objects ("prompt/x") whose fall has a cause already."""
    if explained and any(s.prompt is None for _, s in scores):
        scores = [p for p in scores if p[1].prompt is not None]  # without a prompt it may be the explained one's
    # Within one version: between two of them it would be the change of version that fell.
    grouped: dict[tuple[str, str, str], list[tuple[str, Score]]] = defaultdict(list)
    for evidence_id, score in scores:
        if score.timestamp <= view.scope.now:
            grouped[_object(view, score), score.name, score.version or ""].append((evidence_id, score))
    best: dict[str, Finding] = {}
    for (name, _, _), each in sorted(grouped.items()):
        found = None if name in explained else _near(view, [s for _, s in each])
        if found is None:
            continue
        finding = _finding(name, found[0], found[1], tuple(sorted({e for e, _ in each})))
        if name not in best or best[name].strength < finding.strength:
            best[name] = finding
    return tuple(best[name] for name in sorted(best))


def _object(view: EvidenceView, score: Score) -> str:
    service = view.scope.incident.service
    return f"prompt/{score.prompt.lower()}" if score.prompt else f"app/{(service.name or service.id).lower()}"


def _near(view: EvidenceView, scores: Sequence[Score]) -> tuple[Fall, datetime] | None:
    """The steepest fall that begins near the onset and lasts, with its beginning."""
    found = []
    for back in _BACK:
        at = view.scope.onset - back
        new = [s for s in scores if s.timestamp >= at]
        steep = fall(scores[0].name, [s for s in scores if s.timestamp < at], new)
        if steep is not None and steep.t >= MIN_T and not _over(new, steep):
            found.append((steep, at))
    return max(found, key=lambda f: (f[0].t, f[1]), default=None)


def _over(new: Sequence[Score], steep: Fall) -> bool:
    """True when the newest scores are back on the former level."""
    ordered = sorted(new, key=lambda s: s.timestamp)
    newest: list[Score] = []
    while ordered and (len(newest) < len(new) // 4 or count(newest) < MIN_SCORES / 2):
        newest.append(ordered.pop())
    halfway = (steep.old + steep.new) / 2
    return direction(steep.score) * (mean(newest) - halfway) >= 0


def _finding(name: str, steep: Fall, at: datetime, evidence: tuple[str, ...]) -> Finding:
    return Finding(
        kind=FindingKind.SCORE_FELL,
        object=name,
        cause=f"{steep.score} went from {steep.old:.3g} to {steep.new:.3g}, without a change of prompt or model that explains it",
        onset=at,
        strength=round(0.45 + min(0.1, steep.t / 200), 3),
        evidence=evidence,
        refuted_by="the score falls at this hour on other days too, or who or what is scored changed at the onset",
    )
