"""What a benchmark hands back: one line of the table, with its target and whether it held."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measured number. `target` None: printed for information, judged by nobody.

    `seen` says what lies behind the number (both sides of a ratio, the spread over the rounds).
    """

    what: str
    measured: float
    unit: str
    target: float | None = None
    at_least: bool = False
    seen: str = ""

    @property
    def held(self) -> bool:
        """True when the target was met, or there is none."""
        if self.target is None:
            return True
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, measured, target, held, seen: as text."""
        target = "" if self.target is None else f"{'>=' if self.at_least else '<='} {self.target:g}{self.unit}"
        held = "" if self.target is None else ("yes" if self.held else "NO")
        return self.what, f"{self.measured:.3g}{self.unit}", target, held, self.seen


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, padded so that it can be read in a terminal."""
    cells = [("what", "measured", "target", "held", "seen"), *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(5)]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def spread(values: Sequence[float], unit: str = "") -> str:
    """Least and most of several rounds, as text."""
    return f"{min(values):.3g}..{max(values):.3g}{unit} in {len(values)} rounds"


def percentile(values: Sequence[float], percent: int) -> float:
    """The `percent`-th percentile of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
