"""Series to inline SVG, without a library or a script: readable in a mail, on paper and by a screen reader. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
"""(unix seconds, value)."""

_WIDTH, _HEIGHT = 760, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 28, 30


@dataclass(frozen=True)
class Mark:
    """A vertical line at a moment, with a word."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """One line over time. `unit` is shown on the axis; `limit` is drawn as a dashed line.

    `limit` None: no line. Points need not be sorted; fewer than two make an empty frame.
    """

    title: str
    unit: str
    points: Sequence[Point]
    limit: float | None = None
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class _Frame:
    t0: float
    t1: float
    top: float

    def x(self, at: float) -> float:
        return _LEFT + (at - self.t0) / (self.t1 - self.t0) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM)


def svg(chart: Chart) -> str:
    """The chart as an <svg> element; all text escaped."""
    points = sorted(chart.points)
    title = escape(chart.title)
    head = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>'
    caption = f'<text x="{_LEFT}" y="16" class="t">{title}</text>'
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return f'{head}{caption}<text x="{_LEFT}" y="{_HEIGHT / 2}" class="m">no data</text></svg>'
    highest = max(v for _, v in points)
    frame = _Frame(points[0][0], points[-1][0], max(highest, chart.limit or 0.0, 1e-9) * 1.15)
    body = [caption, *_axes(frame, chart.unit), *_limit(frame, chart.limit), *_marks(frame, chart.marks)]
    path = " ".join(f"{frame.x(t):.1f},{frame.y(v):.1f}" for t, v in points)
    return f'{head}{"".join(body)}<polyline points="{path}" class="l"/></svg>'


def _axes(frame: _Frame, unit: str) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    lines = [f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH - _RIGHT}" y2="{bottom}" class="a"/>']
    for share in (0.0, 0.5, 1.0):
        value = frame.top / 1.15 * share
        label = f"{value:.3g} {escape(unit)}"
        lines.append(f'<text x="{_LEFT - 6}" y="{frame.y(value) + 4:.1f}" class="m" text-anchor="end">{label}</text>')
    for share in (0.0, 0.5, 1.0):
        seconds = (frame.t1 - frame.t0) * share
        anchor = ("start", "middle", "end")[int(share * 2)]
        x = frame.x(frame.t0 + seconds)
        lines.append(f'<text x="{x:.1f}" y="{_HEIGHT - 10}" class="m" text-anchor="{anchor}">+{seconds:.0f} s</text>')
    return lines


def _limit(frame: _Frame, limit: float | None) -> list[str]:
    if limit is None:
        return []
    y = frame.y(limit)
    return [f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" class="d"/>']


def _marks(frame: _Frame, marks: Sequence[Mark]) -> list[str]:
    drawn = []
    inside = [m for m in sorted(marks, key=lambda m: m.at) if frame.t0 <= m.at <= frame.t1]
    for n, mark in enumerate(inside):
        x, y = frame.x(mark.at), _TOP + 10 + 13 * (n % 4)
        drawn.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}" class="k"/>')
        drawn.append(f'<text x="{x + 4:.1f}" y="{y}" class="m">{escape(mark.text)}</text>')
    return drawn


STYLE = """svg{width:100%;max-width:760px;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:currentColor}
svg text.t{font-weight:600}svg text.m{font-size:11px;opacity:.75}svg .a{stroke:currentColor;opacity:.4}
svg .l{fill:none;stroke:#2f6fed;stroke-width:1.6}svg .d{stroke:#c0392b;stroke-dasharray:5 4}svg .k{stroke:#8a6d00;opacity:.6}"""
