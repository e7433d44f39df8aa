"""A line with its marks as a page shows it: the picture, and the same numbers for who reads none. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from sre_agent.replay.charts import Chart, Mark, Point, svg, thinned, with_unit

MOST_MARKS = 8
TABLE_ROWS = 16
SIZE = (400, 190)
_LATER = frozenset({"action", "recovery", "failure"})


@dataclass(frozen=True)
class Line:
    """What is drawn. `limit` None: there is none."""

    title: str
    unit: str
    points: Sequence[Point]
    limit: float | None = None
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Drawn:
    """A chart on a page. `tag` says why it is there, `evidence` is the path it is read from, `rows` are (UTC, value)."""

    title: str
    svg: Markup
    unit: str = ""
    tag: str = ""
    labels: str = ""
    evidence: str = ""
    rows: tuple[tuple[str, str], ...] = ()


def drawn(line: Line, tag: str = "", labels: str = "", evidence: str = "") -> Drawn:
    """The line with those of its marks that fall into it. What happened after its last point (the action, the recovery) is
    marked behind it, unless that is far away."""
    points = tuple(thinned(sorted(line.points)))
    first, last = (points[0][0], points[-1][0]) if points else (0.0, 0.0)
    reach = last + 0.35 * (last - first)
    end = max([last, *(m.at for m in line.marks if last < m.at <= reach and m.kind in _LATER)])
    near = tuple(m for m in line.marks if points and first <= m.at <= end)[-MOST_MARKS:]
    chart = Chart(
        title=line.title,
        unit=line.unit,
        points=points,
        limit=line.limit,
        marks=near,
        clock=True,
        until=end if end > last else None,
        size=SIZE,
        told=_told(line, points, near),
        captioned=False,
    )
    rows = points if len(points) <= TABLE_ROWS else thinned(points, TABLE_ROWS)
    numbers = tuple((_when(t), with_unit(v, line.unit)) for t, v in rows)
    # SAFETY: what the SVG holds was escaped by the chart itself, and its words were redacted before they came here.
    return Drawn(line.title, Markup(svg(chart)), line.unit, tag, labels, evidence, numbers)  # noqa: S704


def _told(line: Line, points: Sequence[Point], marks: Sequence[Mark]) -> str:
    """The line in sentences."""
    if len(points) < 2:
        return "No data."
    low, high = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])

    def at(point: Point) -> str:
        return f"{with_unit(point[1], line.unit)} at {_when(point[0])}"

    said = f"Begins with {at(points[0])} UTC, lowest {at(low)}, highest {at(high)}, ends with {at(points[-1])}."
    said += f" Limit {with_unit(line.limit, line.unit)}." if line.limit is not None else ""
    return said + "".join(f" {m.text} at {_when(m.at)}." for m in marks)


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"
