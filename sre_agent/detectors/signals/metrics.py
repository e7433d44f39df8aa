"""METRIC_SHIFTED: a metric changed its level near the onset. It says where to look, never why.

Pure. One finding per object, naming its strongest metrics; weaker than any typed cause by construction.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import Shift, levels, shift
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MIN_SCORE = 6.0
MIN_CHANGE = 0.3
MAX_OBJECTS = 8
MAX_NAMED = 3
# Buckets repeat their histogram; clocks and build marks move without meaning anything.
_IGNORED_SUFFIXES = ("_bucket", "_created", "_info", "_timestamp_seconds", "_time_seconds", "_uptime_seconds", "_uptime_in_seconds")
_BETTER_WHEN_MORE = re.compile(r"(^|_)(free|freeable|available|headroom|remaining)(_|$)")
_HARMLESS_BELOW = ((re.compile(r"replica(tion)?_lag(_seconds)?$"), 10.0), (re.compile(r"disk_queue_depth$"), 1.0))
"""Levels at which nobody waits, in the metric's unit (seconds, requests): three times as much of nearly nothing is no shift."""
_OBJECT_LABELS = (
    ("redis_master", "redis"),
    ("dbinstance_identifier", "postgres"),
    ("tool_name", "tool"),
    ("prompt", "prompt"),
    ("prompt_name", "prompt"),
    ("pod", "pod"),
    ("deployment", "deployment"),
    ("statefulset", "statefulset"),
    ("node", "node"),
    ("service", "service"),
    ("namespace", "namespace"),
    ("job", "app"),
)
_NAMESPACED = frozenset({"pod", "deployment", "statefulset", "service"})


@dataclass(frozen=True)
class _Moved:
    series: Series
    shift: Shift
    evidence_id: str


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One METRIC_SHIFTED per object whose series moved at least MIN_SCORE deviations and MIN_CHANGE of the level."""
    moved: dict[tuple[str, str | None], list[_Moved]] = defaultdict(list)
    for evidence_id, series in view.series():
        found = None if series.name.endswith(_IGNORED_SUFFIXES) else shift(levels(series), view.scope.onset)
        if found is None or abs(found.score) < MIN_SCORE:
            continue
        if found.before and abs(found.after - found.before) < MIN_CHANGE * abs(found.before):
            continue
        if found.after > found.before and _BETTER_WHEN_MORE.search(series.name):
            continue
        if any(name.search(series.name) and max(found.before, found.after) < most for name, most in _HARMLESS_BELOW):
            continue
        moved[subject(series, view)].append(_Moved(series, found, evidence_id))
    findings = [_finding(key, each) for key, each in moved.items()]
    return tuple(sorted(findings, key=lambda f: (-f.strength, f.object))[:MAX_OBJECTS])


def subject(series: Series, view: EvidenceView) -> tuple[str, str | None]:
    """("kind/name", namespace) of what a series is about, by its labels; the alerted service when they do not say."""
    for label, kind in _OBJECT_LABELS:
        if value := series.labels.get(label):
            return f"{kind}/{value.lower()}", series.labels.get("namespace") if kind in _NAMESPACED else None
    service = view.scope.incident.service
    return f"app/{(service.name or service.id).lower()}", None


def _finding(key: tuple[str, str | None], moved: list[_Moved]) -> Finding:
    moved.sort(key=lambda m: (-abs(m.shift.score), m.series.name, sorted(m.series.labels.items())))
    said = ", ".join(f"{m.series.name} {m.shift.before:.4g} -> {m.shift.after:.4g}" for m in moved[:MAX_NAMED])
    more = f" and {len(moved) - MAX_NAMED} more" if len(moved) > MAX_NAMED else ""
    return Finding(
        kind=FindingKind.METRIC_SHIFTED,
        object=key[0],
        namespace=key[1],
        cause=f"level changed near the onset: {said}{more}",
        onset=datetime.fromtimestamp(min(m.shift.at for m in moved), UTC),
        # Below every typed cause: a shift is where, not why.
        strength=round(min(0.4, 0.2 + abs(moved[0].shift.score) / 200), 3),
        evidence=tuple(sorted({m.evidence_id for m in moved})),
        refuted_by="the same change shows at this hour on other days, or the baseline was not quiet",
    )
