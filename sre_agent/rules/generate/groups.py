"""Groups of rules from a file of objectives: in each the recorded series come before the alerts that read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sre_agent.rules.burn_rates import MINUTES, PAGE, ROWS, TICKET, Row, written
from sre_agent.rules.generate.names import alert_names, error_ratio, key, requests
from sre_agent.rules.generate.writing import Value
from sre_agent.rules.series_selector import matches
from sre_agent.rules.slo import Cost, Latency, Named, Quantile, Slo, SloFile

Rule = dict[str, Value]
QUANTILE_WINDOW: Final = "5m"


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates in their order."""

    name: str
    rules: tuple[Rule, ...]


def groups(file: SloFile) -> tuple[Group, ...]:
    """One group for each objective, one for all quantiles, one for all costs."""
    found = [Group(f"slo:{key(slo)}", (*_recorded(slo), *_burn_rates(slo))) for slo in file.slos]
    found += [Group("slo:quantiles", tuple(map(_quantile, file.quantiles)))] if file.quantiles else []
    found += [Group("slo:costs", tuple(rule for cost in file.costs for rule in _cost(cost)))] if file.costs else []
    return tuple(found)


def rows_of(slo: Slo) -> tuple[Row, ...]:
    """The rows that are written for an objective."""
    return tuple(row for row in ROWS if row.long in slo.rows)


def summed(by: tuple[str, ...], inner: str) -> str:
    """The sum of series, one for each value of the labels."""
    return f"sum by ({', '.join(by)}) ({inner})" if by else f"sum({inner})"


def bucket_matcher(threshold_s: float) -> str:
    """le as the clients write it: a whole number comes as 1 or as 1.0."""
    bound = written(Decimal(str(threshold_s)))
    return f'le=~"{bound}(\\\\.0)?"' if threshold_s.is_integer() else f'le="{bound}"'


def braced(*parts: str) -> str:
    """Matchers in braces; nothing when there are none."""
    inner = ",".join(part for part in parts if part)
    return f"{{{inner}}}" if inner else ""


def matchers_of(selector: str) -> str:
    """A selector's matchers without braces, each in the same writing."""
    return ",".join(map(str, matches(selector)))


def _labels(entry: Named, **more: str) -> dict[str, Value]:
    first = ("alert_type", "team")
    rest = sorted({**entry.labels, **more}.items())
    return {**{name: entry.labels[name] for name in first}, **{name: value for name, value in rest if name not in first}}


def _annotations(entry: Named, summary: str, **more: str) -> dict[str, Value]:
    found: dict[str, Value] = {"summary": entry.summary or summary}
    return found | more | ({"runbook_url": entry.runbook_url} if entry.runbook_url else {})


def _recorded(slo: Slo) -> Iterator[Rule]:
    labels = _labels(slo, slo=slo.name)
    windows = {window for row in rows_of(slo) for window in (row.long, row.short)}
    for window in sorted(windows, key=MINUTES.__getitem__):
        yield {"record": error_ratio(slo, window), "expr": _ratio(slo, window), "labels": labels}
    for row in rows_of(slo):
        counted = summed(slo.by, f"increase({_total(slo)}[{row.long}])")
        yield {"record": requests(slo, row.long), "expr": counted, "labels": labels}


def _total(slo: Slo) -> str:
    if slo.latency is not None:
        return f"{slo.latency.histogram}_count{braced(matchers_of(slo.latency.selector))}"
    assert slo.ratio is not None  # Checked where the file was read.
    return slo.ratio.total


def _good(latency: Latency) -> str:
    inner = braced(bucket_matcher(latency.threshold_s), matchers_of(latency.selector))
    return f"{latency.histogram}_bucket{inner}"


def _ratio(slo: Slo, window: str) -> str:
    total = summed(slo.by, f"rate({_total(slo)}[{window}])")
    if slo.latency is not None:
        good = summed(slo.by, f"rate({_good(slo.latency)}[{window}])")
        return f"1 - (\n  {good}\n  /\n  {total}\n)"
    assert slo.ratio is not None
    return f"{summed(slo.by, f'rate({slo.ratio.errors}[{window}])')}\n/\n{total}"


def _burn_rates(slo: Slo) -> Iterator[Rule]:
    """One alert for all rows of a severity: an incident that two rows see is one page."""
    for name, severity in zip(alert_names(slo), (PAGE, TICKET), strict=True):
        rows = [row for row in rows_of(slo) if row.severity == severity]
        if not rows:
            continue
        said = " or ".join(f"{float(100 * row.share):g} % of it within {row.long}" for row in rows)
        summary = f"{slo.name} spends its error budget too fast ({severity})"
        told = f"The error budget of {slo.name} (objective {slo.objective} over {slo.period}) burns so fast that {said} is gone."
        yield {
            "alert": name,
            "expr": "\nor\n".join(_both(slo, row) for row in rows),
            "labels": _labels(slo, severity=severity, slo=slo.name),
            "annotations": _annotations(slo, summary, description=told),
        }


def _both(slo: Slo, row: Row) -> str:
    """Both windows burn, and enough requests came for that to mean something."""
    limit = f"({written(row.factor(slo.days))} * {written(slo.budget)})"
    burning = [f"{error_ratio(slo, window)} > {limit}" for window in (row.long, row.short)]
    return "(\n  " + "\n  and ".join([*burning, f"{requests(slo, row.long)} >= {slo.min_requests}"]) + "\n)"


def _quantile(quantile: Quantile) -> Rule:
    buckets = f"{quantile.histogram}_bucket{braced(matchers_of(quantile.selector))}[{QUANTILE_WINDOW}]"
    q, above = (written(Decimal(str(number))) for number in (quantile.quantile, quantile.above_s))
    summary = f"{quantile.name} is above {above} s"
    told = f"The {q} quantile of {quantile.histogram} over {QUANTILE_WINDOW} is above {above} s."
    return {
        "alert": alert_names(quantile)[0],
        "expr": f"histogram_quantile({q}, {summed(('le', *quantile.by), f'rate({buckets})')}) > {above}",
        "for": quantile.for_,
        "labels": _labels(quantile, severity=quantile.severity),
        "annotations": _annotations(quantile, summary, description=told, value="{{ $value }}", unit="s"),
    }


def _cost(cost: Cost) -> Iterator[Rule]:
    """Where there is no baseline there is no ratio to page by: that is an alert of its own, without the annotation."""
    spent, usual = (summed(cost.by, f"\n    {part}\n  ") for part in (cost.cost, cost.baseline))
    above, (name, bare) = written(Decimal(str(cost.above))), alert_names(cost)
    labels = _labels(cost, severity=TICKET, signal="cost")
    more = {"description": f"{cost.name} is above {above} times its baseline.", "cost_ratio": "{{ $value }}"}
    yield {
        "alert": name,
        "expr": f"(\n  {spent}\n) / (\n  {usual} > 0\n) > {above}",
        "for": cost.for_,
        "labels": labels,
        "annotations": _annotations(cost, f"{cost.name} is above {above} times its baseline", **more),
    }
    missing = f"{cost.name} is being spent, and its baseline is zero or unknown."
    yield {
        "alert": bare,
        "expr": f"(\n  {spent} > 0\n) unless (\n  {usual} > 0\n)",
        "for": cost.for_,
        "labels": labels,
        "annotations": _annotations(cost, f"{cost.name} has no baseline", description=missing),
    }
