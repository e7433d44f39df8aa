"""The file of objectives (slo.yaml) from which `sre-agent rules generate` writes rules: its schema.

What the schema alone cannot say is in slo_problems.py.
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sre_agent.rules.burn_rates import ROWS
from sre_agent.rules.promql.parse import kind, parse
from sre_agent.rules.promql.tokens import NotPromQL
from sre_agent.rules.promql.tree import Kind
from sre_agent.rules.series_selector import METRIC, matches, series_selector

SHORTEST_DAYS: Final = 7
LONGEST_DAYS: Final = 366
LONG_WINDOWS: Final = tuple(row.long for row in ROWS)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def _checked(check: Callable[[str], object]) -> AfterValidator:
    """A text that a reader accepts; its ValueError is the complaint. Without the blanks around it."""

    def read(text: str) -> str:
        check(text)
        return text.strip()

    return AfterValidator(read)


def _fraction(value: object) -> Decimal:
    """0.999 or "99.9%". Exact, because 1 - 0.999 is not 0.001 in binary."""
    todo = 'write a fraction like 0.999, or a percentage like "99.9%"'
    percent = isinstance(value, str) and value.strip().endswith("%")
    try:
        given = Decimal(str(value).strip().removesuffix("%"))
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is no objective; {todo}") from error
    part = given / 100 if percent else given
    if not (part.is_finite() and 0 < part < 1):
        extra = f' (did you mean "{given}%"?)' if part.is_finite() and 1 < part < 100 else ""
        raise ValueError(
            f"the objective {value!r} is not between 0 and 1, both excluded{extra}; an objective without errors has no budget"
        )
    if -Decimal(part.normalize().as_tuple().exponent) > 6:
        raise ValueError(f"the objective {value!r} has more than six decimals; round it")
    return part


def _days(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,4})d", text.strip())
    if found is None or not SHORTEST_DAYS <= int(found[1]) <= LONGEST_DAYS:
        raise ValueError(f"the period {text!r} is not {SHORTEST_DAYS} to {LONGEST_DAYS} whole days; write 30d or 28d")
    return int(found[1])


def seconds(text: str) -> int:
    """The seconds of a duration such as 5m. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text.strip())
    length = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < length <= 86_400:
        raise ValueError(f"{text!r} is no time from 1s to 24h; write 5m")
    return length


def _metric(text: str) -> None:
    if METRIC.fullmatch(text.strip()) is None:
        raise ValueError(f"{text!r} is no metric's name; matchers belong under selector:")
    if re.search(r"_(bucket|count|sum)$", text.strip()):
        raise ValueError(f"{text!r} names one series of the histogram; write its name without _bucket, _count or _sum")


def _long_window(text: str) -> None:
    if text not in LONG_WINDOWS:
        raise ValueError(f"there is no row {text!r}; rows are named by their long window: {', '.join(LONG_WINDOWS)}")


def _plain(text: str) -> None:
    if "{{" in text:
        raise ValueError("it holds a template ({{); write the text as it shall stand")
    if any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" for c in text):
        raise ValueError("it holds a line end or a control character; write one line")


def _link(text: str) -> None:
    _plain(text)
    if re.fullmatch(r"https?://\S+", text.strip()) is None:
        raise ValueError(f"{text!r} is no address; write https://...")


def _expression(text: str) -> None:
    if not text.strip():
        raise ValueError("the expression is empty; write PromQL that gives a cost per hour")
    try:
        gives = kind(parse(text))
    except NotPromQL as error:
        if error.beyond:
            return
        raise ValueError(f"this is no PromQL: {error}; correct it at character {error.at + 1}") from error
    if gives is not Kind.VECTOR:
        raise ValueError(f"the expression gives a {gives}, and a sum is taken of it; write one that gives series")


Selector = Annotated[str, _checked(series_selector)]
Matches = Annotated[str, _checked(matches)]
Metric = Annotated[str, _checked(_metric)]
Expression = Annotated[str, _checked(_expression)]
Duration = Annotated[str, _checked(seconds)]
Text = Annotated[str, Field(max_length=500), _checked(_plain)]
Link = Annotated[str, Field(max_length=500), _checked(_link)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9 _.-]*$", max_length=60)]
Labels = dict[str, Annotated[str, Field(max_length=200)]]
Above = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Part(BaseModel):
    """What all parts of the file share: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(Part):
    """What every entry says. `labels`: alert_type and team always; they stand on every rule. `by`: labels that the series bring,
    one alert for each of their values."""

    name: Name
    labels: Labels
    by: tuple[str, ...] = ()
    summary: Text = ""
    runbook_url: Link | None = None


class Ratio(Part):
    """Two counters: those requests that count as errors, and all of them, errors included."""

    errors: Selector
    total: Selector


class Latency(Part):
    """Requests of a histogram (seconds) that take longer than `threshold_s`, which must be one of its buckets, are errors."""

    histogram: Metric
    threshold_s: Above
    selector: Matches = ""


class Slo(Named):
    """One objective over a period. `min_requests`: as many must have come within a row's long window. `rows`: by long window."""

    objective: Annotated[Decimal, BeforeValidator(_fraction)]
    period: Annotated[str, _checked(_days)] = "30d"
    ratio: Ratio | None = None
    latency: Latency | None = None
    min_requests: int = Field(default=100, ge=1, le=1_000_000_000)
    rows: tuple[Annotated[str, _checked(_long_window)], ...] = Field(default=LONG_WINDOWS, min_length=1)

    @property
    def days(self) -> int:
        """The period."""
        return _days(self.period)

    @property
    def budget(self) -> Decimal:
        """The share of requests that may fail: 1 - objective, exactly."""
        return 1 - self.objective


class Quantile(Named):
    """A quantile of a histogram (seconds) over five minutes that must not exceed `above_s`."""

    histogram: Metric
    quantile: float = Field(gt=0, lt=1, allow_inf_nan=False)
    above_s: Annotated[float, Field(ge=0.001, le=86_400, allow_inf_nan=False)]
    selector: Matches = ""
    for_: Duration = Field(default="5m", alias="for")
    severity: Annotated[str, Field(pattern="^(page|ticket)$")] = "page"


class Cost(Named):
    """A cost per hour and its baseline (PromQL): fires when their ratio exceeds `above`."""

    cost: Expression
    baseline: Expression
    above: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = 2.0
    for_: Duration = Field(default="15m", alias="for")


class SloFile(Part):
    """The whole file."""

    slos: tuple[Slo, ...] = ()
    quantiles: tuple[Quantile, ...] = ()
    costs: tuple[Cost, ...] = ()
