"""Series to inline SVG, without a library or a script: readable in a mail, on paper and by a screen reader. Pure.

Classes and presentation attributes only, so that a page under a strict Content-Security-Policy can show them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

Point = tuple[float, float]
"""(unix seconds, value)."""

MOST_POINTS = 120
"""What a line is drawn with at most: more cannot be told apart."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 28, 30
_LABEL_ROWS = 4
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k"))


@dataclass(frozen=True)
class Mark:
    """A vertical line at a moment, with a word. `kind` is a class of its own ("deploy", "action", ...); "" for none."""

    at: float
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Chart:
    """One line over time. `unit` is shown on the axis; `limit` is drawn as a dashed line.

    `limit` None: no line. Points need not be sorted; fewer than two make an empty frame. `clock`: the axis tells the time
    (UTC) instead of the seconds since its beginning. `until`: the axis goes on to here, for marks behind the last point.
    `size` is the view box; a small one is for narrow screens. `told` describes the line to who cannot see it. Not `captioned`: the
    title is not drawn, because the page around it says it.
    """

    title: str
    unit: str
    points: Sequence[Point]
    limit: float | None = None
    marks: Sequence[Mark] = ()
    clock: bool = False
    until: float | None = None
    size: tuple[int, int] = (760, 220)
    told: str = ""
    captioned: bool = True


@dataclass(frozen=True)
class _Frame:
    t0: float
    t1: float
    low: float
    top: float
    size: tuple[int, int]

    @property
    def right(self) -> int:
        return self.size[0] - _RIGHT

    @property
    def bottom(self) -> int:
        return self.size[1] - _BOTTOM

    def x(self, at: float) -> float:
        return _LEFT + (at - self.t0) / (self.t1 - self.t0) * (self.right - _LEFT)

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.top - self.low) * (self.bottom - _TOP)


def svg(chart: Chart) -> str:
    """The chart as an <svg> element; all text escaped."""
    points = sorted(p for p in chart.points if math.isfinite(p[0]) and math.isfinite(p[1]))
    title = escape(chart.title)
    width, height = chart.size
    told = f"<desc>{escape(chart.told)}</desc>" if chart.told else ""
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}"><title>{title}</title>{told}'
    caption = f'<text x="{_LEFT}" y="16" class="t">{title}</text>' if chart.captioned else ""
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return f'{head}{caption}<text x="{_LEFT}" y="{height / 2}" class="m">no data</text></svg>'
    frame = _frame(chart, points)
    body = [caption, *_axes(frame, chart), *_limit(frame, chart.limit), *_marks(frame, chart.marks)]
    path = " ".join(f"{frame.x(t):.1f},{frame.y(v):.1f}" for t, v in thinned(points))
    return f'{head}{"".join(body)}<polyline points="{path}" class="l"/></svg>'


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> Sequence[Point]:
    """At most `most` of the points in their order: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(points) <= most:
        return points
    stretches = max(1, most // 2)
    kept: list[Point] = []
    for n in range(stretches):
        part = points[n * len(points) // stretches : (n + 1) * len(points) // stretches]
        kept += sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])})
    return kept


def short(value: float) -> str:
    """A number of an axis: "1.62 G", "0.25", "1990"."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size if prefix != 'k' else value / 1e3:.3g} {prefix}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def with_unit(value: float, unit: str) -> str:
    """ "0.25 s", "1.62 GB", "1990"."""
    number = short(value)
    return f"{number}{unit}" if number[-1].isalpha() else f"{number} {unit}".rstrip()


def _frame(chart: Chart, points: Sequence[Point]) -> _Frame:
    highest = max(v for _, v in points)
    lowest = min(0.0, min(v for _, v in points))
    top = max(highest, chart.limit or 0.0, 1e-9) * 1.15
    until = max(points[-1][0], chart.until or points[-1][0])
    return _Frame(points[0][0], until, lowest * 1.15, top, chart.size)


def _axes(frame: _Frame, chart: Chart) -> list[str]:
    lines = [f'<line x1="{_LEFT}" y1="{frame.bottom}" x2="{frame.right}" y2="{frame.bottom}" class="a"/>']
    for share in (0.0, 0.5, 1.0):
        value = frame.low + (frame.top / 1.15 - frame.low) * share
        label = escape(with_unit(value, chart.unit))
        lines.append(f'<text x="{_LEFT - 6}" y="{frame.y(value) + 4:.1f}" class="m" text-anchor="end">{label}</text>')
    for share in (0.0, 0.5, 1.0):
        seconds = (frame.t1 - frame.t0) * share
        anchor = ("start", "middle", "end")[int(share * 2)]
        x, word = frame.x(frame.t0 + seconds), _moment(frame, seconds, clock=chart.clock)
        lines.append(f'<text x="{x:.1f}" y="{frame.size[1] - 10}" class="m" text-anchor="{anchor}">{word}</text>')
    return lines


def _moment(frame: _Frame, seconds: float, *, clock: bool) -> str:
    if not clock:
        return f"+{seconds:.0f} s"
    at = datetime.fromtimestamp(frame.t0 + seconds, UTC)
    return f"{at:%H:%M}" if frame.t1 - frame.t0 >= 600 else f"{at:%H:%M:%S}"


def _limit(frame: _Frame, limit: float | None) -> list[str]:
    if limit is None:
        return []
    y = frame.y(limit)
    return [f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{frame.right}" y2="{y:.1f}" class="d"/>']


def _marks(frame: _Frame, marks: Sequence[Mark]) -> list[str]:
    drawn = []
    inside = [m for m in sorted(marks, key=lambda m: m.at) if frame.t0 <= m.at <= frame.t1]
    for n, mark in enumerate(inside):
        x, y = frame.x(mark.at), _TOP + 10 + 13 * (n % _LABEL_ROWS)
        kind = f"k {escape(mark.kind)}" if mark.kind else "k"
        drawn.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{frame.bottom}" class="{kind}"/>')
        # In the right half a word would run out of the frame: there it stands to the left of its line.
        beside = f'x="{x - 4:.1f}" text-anchor="end"' if x > (_LEFT + frame.right) / 2 else f'x="{x + 4:.1f}"'
        drawn.append(f'<text {beside} y="{y}" class="m{f" {escape(mark.kind)}" if mark.kind else ""}">{escape(mark.text)}</text>')
    return drawn


STYLE = """svg{width:100%;max-width:760px;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:currentColor}
svg text.t{font-weight:600}svg text.m{font-size:11px;opacity:.75}svg .a{stroke:currentColor;opacity:.4}
svg .l{fill:none;stroke:#2f6fed;stroke-width:1.6}svg .d{stroke:#c0392b;stroke-dasharray:5 4}svg .k{stroke:#8a6d00;opacity:.6}"""
