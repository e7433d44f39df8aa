"""One case in full: what happened when, and its lines over time with marks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sre_agent.evidence.redact import redact
from sre_agent.replay.charts import Chart, Mark, svg
from sre_agent.replay.replayed import LONGEST_TEXT, Line, Told

_LONGEST_TITLE = 140
_SIZE = (460, 200)
"""Small enough to be read on a phone."""


@dataclass(frozen=True)
class Moment:
    """Something at a time. `kind` is onset, page, people or agent; `short` is the word on a chart."""

    at: datetime
    kind: str
    who: str
    text: str
    short: str


@dataclass(frozen=True)
class Drawing:
    """A chart with its caption."""

    title: str
    svg: str


def timeline(told: Told) -> tuple[Moment, ...]:
    """What happened, in order of time."""
    return tuple(sorted(_moments(told), key=lambda m: m.at))


def _moments(told: Told) -> Iterator[Moment]:
    yield Moment(told.onset, "onset", "alert", "the earliest alert began", "onset")
    if told.paged_at is not None:
        yield Moment(told.paged_at, "page", "PagerDuty", f"incident created, urgency {told.urgency}", "page")
    yield Moment(told.at, "agent", "agent", "looked, with what was known by then", "agent looked")
    outcome = told.outcome
    if outcome is None:
        return
    if outcome.acknowledged_at is not None:
        yield Moment(outcome.acknowledged_at, "people", "people", "acknowledged", "acknowledged")
    for action in outcome.actions or ():
        word = action.action if action.action and action.action != "other" else "people acted"
        yield Moment(action.at, "people", action.by or "people", action.what or f"{action.action} {action.target}", word)
    if outcome.resolved_at is not None:
        yield Moment(outcome.resolved_at, "people", "people", "resolved", "resolved")


def drawings(told: Told) -> tuple[Drawing, ...]:
    """A chart for each line that was kept."""
    moments = timeline(told)
    return tuple(_drawn(line, moments) for line in told.lines if len(line.points) >= 2)


def _drawn(line: Line, moments: tuple[Moment, ...]) -> Drawing:
    first, last = min(p[0] for p in line.points), max(p[0] for p in line.points)
    marks = [Mark(m.at.timestamp(), m.short.replace("_", " "), m.kind) for m in moments]
    # What came much later would press the line itself into a corner.
    until = max([last, *(m.at for m in marks if m.at <= last + max(last - first, 600))])
    title = redact(_title(line.labels))[:_LONGEST_TITLE]
    told = f"from {line.points[0][1]:g} to {line.points[-1][1]:g}"
    return Drawing(
        title, svg(Chart(title, "", line.points, marks=marks, clock=True, until=until, size=_SIZE, told=told, captioned=False))
    )


def _title(labels: Mapping[str, str]) -> str:
    rest = ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if k != "__name__")
    return f"{labels.get('__name__', 'a series')}{{{rest}}}" if rest else labels.get("__name__", "a series")[:LONGEST_TEXT]
