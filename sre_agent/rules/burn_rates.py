"""The four rows of multi-window, multi-burn-rate alerting, and the factor of each for a period.

Source of the method: Google, The Site Reliability Workbook, chapter 5, "Alerting on SLOs", 6: Multiwindow, Multi-Burn-Rate Alerts
(https://sre.google/workbook/alerting-on-slos/).
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

PAGE: Final = "page"
TICKET: Final = "ticket"
MINUTES: Final = {"5m": 5, "30m": 30, "1h": 60, "2h": 120, "6h": 360, "1d": 1440, "3d": 4320}
"""The windows that are recorded, in minutes."""


@dataclass(frozen=True, slots=True)
class Row:
    """Both windows must burn. `share`: of the period's budget, spent within `long` at the factor."""

    severity: str
    long: str
    short: str
    share: Fraction

    def factor(self, days: int) -> Fraction:
        """How many times faster than "just used up at the end of the period" the budget burns. `days`: the period."""
        return self.share * days * 1440 / MINUTES[self.long]


ROWS: Final = (
    Row(PAGE, "1h", "5m", Fraction(2, 100)),
    Row(PAGE, "6h", "30m", Fraction(5, 100)),
    Row(TICKET, "1d", "2h", Fraction(10, 100)),
    Row(TICKET, "3d", "6h", Fraction(10, 100)),
)


def written(value: Fraction | Decimal) -> str:
    """A number as it is written into a rule: at most six significant digits, no exponent."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted() - 5)) if exact else exact
    return f"{rounded.normalize():f}"


def threshold(row: Row, days: int, budget: Decimal) -> Decimal:
    """The error ratio that both windows must exceed, as the rule's own two numbers give it."""
    return Decimal(written(row.factor(days))) * budget
