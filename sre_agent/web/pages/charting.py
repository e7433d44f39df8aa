"""Which series an incident's page draws, and what is marked on them. Pure.

First what the alert compares, then the suspects: the series that the ranked causes are about and that changed most at the
onset. Data is what the investigation kept; nothing is asked anew.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.rates import is_counter, levels, shift
from sre_agent.evidence.redact import redact
from sre_agent.evidence.series import Series
from sre_agent.evidence.visible import one_line
from sre_agent.evidence.window import instant
from sre_agent.replay.charts import Mark, Point
from sre_agent.response.record import IncidentRecord
from sre_agent.runbook.runbook import Runbook
from sre_agent.web.pages.drawing import Drawn, Line, drawn
from sre_agent.web.pages.moments import listed, marks_of, onset_of

MOST_CHARTS = 6
MOST_CANDIDATES = 120
"""Series that are compared before and after the onset for one page: a bound on its cost."""
MOVED = 3.0
"""Deviations (see evidence.rates) from which a series that the alert does not compare is worth a chart."""

_IGNORED = ("_bucket", "_created", "_info", "_timestamp_seconds")
_UNITS = (("_seconds", "s"), ("_milliseconds", "ms"), ("_ms", "ms"), ("_bytes", "B"), ("_percent", "%"), ("_pct", "%"))
_COMPARISON = re.compile(r"[<>]=?\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*$")


@dataclass(frozen=True)
class _Candidate:
    series: Series
    evidence_id: str
    alerted: bool
    near: int
    """Rank of the cause that it is about; the smaller the nearer."""
    points: tuple[Point, ...] = ()
    score: float = 0.0

    @property
    def order(self) -> tuple[bool, int, float, str]:
        return not self.alerted, self.near, -abs(self.score), self.series.name


@dataclass(frozen=True)
class _Compared:
    """What the alert's rules and the runbook's objective compare: their texts, and the limit by text."""

    limits: Mapping[str, float | None] = field(default_factory=dict)

    def of(self, name: str) -> tuple[bool, float | None]:
        """Whether a metric is compared, and with what where that is one plain number."""
        for text, limit in self.limits.items():
            if name and re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", text):
                return True, limit
        return False, None


def charts_of(record: IncidentRecord, runbook: Runbook | None) -> tuple[Drawn, ...]:
    """At most MOST_CHARTS charts, the alerted metric first."""
    evidence = record.diagnosis.evidence if record.diagnosis else ()
    compared = _compared(evidence, runbook)
    marks = marks_of(record)
    chosen = _chosen(record, compared)
    found = [_drawn(c, compared.of(c.series.name)[1], marks, f"/incidents/{record.id}/evidence/{c.evidence_id}") for c in chosen]
    level = _level(record, runbook, marks)
    scores = [] if len(chosen) >= 4 else list(_scores(record, marks))
    return tuple([*level, *found, *scores][:MOST_CHARTS])


def series_charts(evidence: Evidence, marks: Sequence[Mark] = ()) -> tuple[Drawn, ...]:
    """The first series of METRICS evidence, for its own page."""
    read = [_read(raw) for raw in listed(evidence)[:MOST_CHARTS]]
    given = [_Candidate(s, evidence.id, False, 0, levels(s)) for s in read if s is not None]
    return tuple(_drawn(c, None, marks, "") for c in given)


def _compared(evidence: Sequence[Evidence], runbook: Runbook | None) -> _Compared:
    limits: dict[str, float | None] = {}
    for e in evidence:
        rules = e.payload.get("rules") if e.kind is EvidenceKind.ALERT and isinstance(e.payload, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            text = str(rule.get("query", "")) if isinstance(rule, dict) else ""
            found = _COMPARISON.search(text)
            limits[text] = float(found[1]) if found else None
    if runbook is not None and runbook.objective is not None:
        limits.setdefault(runbook.objective.query, runbook.objective.below)
    return _Compared(limits)


def _chosen(record: IncidentRecord, compared: _Compared) -> list[_Candidate]:
    onset = onset_of(record)
    measured: list[_Candidate] = []
    for c in sorted(_candidates(record, compared), key=lambda c: c.order)[:MOST_CANDIDATES]:
        points = levels(c.series)
        moved = shift(points, onset)
        score = moved.score if moved is not None else 0.0
        if len(points) >= 2 and (c.alerted or abs(score) >= MOVED):
            measured.append(_Candidate(c.series, c.evidence_id, c.alerted, c.near, points, score))
    kept: list[_Candidate] = []
    for c in sorted(measured, key=lambda c: c.order):
        # Two of one metric show that it is everywhere; the others would crowd out what else moved.
        if sum(k.series.name == c.series.name for k in kept) < 2:
            kept.append(c)
    return kept[:MOST_CHARTS]


def _candidates(record: IncidentRecord, compared: _Compared) -> Iterator[_Candidate]:
    diagnosis = record.diagnosis
    if diagnosis is None:
        return
    causes = [(c.object.partition("/")[2], set(c.evidence)) for c in diagnosis.root_causes]
    for evidence in diagnosis.evidence:
        if evidence.kind is not EvidenceKind.METRICS or evidence.status is not EvidenceStatus.OK:
            continue
        cited = next((n for n, (_, ids) in enumerate(causes) if evidence.id in ids), len(causes))
        for raw in listed(evidence):
            labels = raw.get("labels") if isinstance(raw, dict) else None
            if not isinstance(labels, dict) or str(labels.get("__name__", "")).endswith(_IGNORED):
                continue
            values = {str(v).lower() for v in labels.values()}
            about = next((n for n, (name, _) in enumerate(causes) if name in values), cited)
            series = _read(raw)
            if series is not None:
                yield _Candidate(series, evidence.id, compared.of(series.name)[0], about)


def _read(raw: Any) -> Series | None:
    try:
        return Series.model_validate(raw)
    except ValidationError:
        return None


def _drawn(c: _Candidate, limit: float | None, marks: Sequence[Mark], evidence: str) -> Drawn:
    name = one_line(redact(c.series.name), 60) or "series"
    unit = next((u for suffix, u in _UNITS if c.series.name.endswith(suffix)), "")
    if is_counter(c.series):
        unit = f"{unit}/s"
    labels = ", ".join(f"{k}={v}" for k, v in sorted(c.series.labels.items()) if k != "__name__")
    tag = "alerted" if c.alerted else "suspect" if evidence else ""
    return drawn(Line(name, unit, c.points, limit, marks), tag, labels, evidence)


def _level(record: IncidentRecord, runbook: Runbook | None, marks: Sequence[Mark]) -> list[Drawn]:
    """The service level as the looks after the action measured it; nothing before there are two of them."""
    plan, seen = record.verification, [(s.at.timestamp(), s.level) for s in record.samples if s.level is not None]
    if plan is None or not seen:
        return []
    before = [] if record.level_before is None else [(plan.started_at.timestamp() - plan.interval_s, record.level_before)]
    if len(before) + len(seen) < 2:
        return []
    labels = runbook.objective.query if runbook is not None and runbook.objective is not None else ""
    line = Line("service level, before and after", plan.unit, [*before, *seen], plan.below, marks)
    return [drawn(line, "measured", labels)]


def _scores(record: IncidentRecord, marks: Sequence[Mark]) -> Iterator[Drawn]:
    """Quality scores, by name: what a prompt regression is seen by."""
    for e in record.diagnosis.evidence if record.diagnosis else ():
        told = e.payload.get("scores") if e.kind is EvidenceKind.LANGFUSE and isinstance(e.payload, dict) else None
        by_name: dict[str, list[Point]] = {}
        for raw in told if isinstance(told, list) else ():
            at = instant(raw.get("timestamp")) if isinstance(raw, dict) else None
            if at is not None and isinstance(raw.get("value"), int | float):
                by_name.setdefault(str(raw.get("name", "score")), []).append((at.timestamp(), float(raw["value"])))
        for name, points in sorted(by_name.items())[:2]:
            where = f"/incidents/{record.id}/evidence/{e.id}"
            yield drawn(Line(one_line(redact(name), 60), "", points, None, marks), "score", "", where)
