"""Requests over time, as promtool's tests write series.

Source of the notation: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sre_agent.rules.burn_rates import written
from sre_agent.rules.generate.samples import Labels, both, fits, kept, one, only
from sre_agent.rules.generate.writing import Value
from sre_agent.rules.series_selector import matches, series_selector
from sre_agent.rules.slo import Latency, Ratio, Slo

ALL_BUCKETS: Final = "+Inf"


@dataclass(frozen=True, slots=True)
class Phase:
    """So many minutes with so many requests a minute, of which the share `failed` are errors."""

    minutes: int
    requests: Decimal
    failed: Decimal


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter: which requests it counts."""

    metric: str
    labels: Labels
    counts: str  # "failed", "good" or "all"


def counters(slo: Slo) -> tuple[Counter, ...] | None:
    """The series that an objective's selectors choose; None when none were found."""
    found = _latency(slo.latency, slo.by) if slo.latency is not None else _ratio(slo.ratio, slo.by)
    return found or None


def series(counted: tuple[Counter, ...], phases: tuple[Phase, ...]) -> list[Value]:
    """The counters over the phases, a sample a minute."""
    return [{"series": named(c.metric, c.labels), "values": _values([_rate(c, p) for p in phases], phases)} for c in counted]


def constant(metric: str, labels: Labels, value: Decimal, minutes: int) -> Value:
    """A series that does not change."""
    return {"series": named(metric, labels), "values": f"{written(value)}+0x{minutes}"}


def growing(metric: str, labels: Labels, step: int, minutes: int) -> Value:
    """A counter that grows by `step` a minute."""
    return {"series": named(metric, labels), "values": f"0+{step}x{minutes}"}


def named(metric: str, labels: Labels) -> str:
    """A series' name and labels."""
    return f"{metric}{{{','.join(f'{k}={json.dumps(v, ensure_ascii=False)}' for k, v in sorted(labels.items()))}}}"


def bound(seconds: float) -> str:
    """A bucket's le."""
    return written(Decimal(str(seconds)))


def _latency(latency: Latency, by: tuple[str, ...]) -> tuple[Counter, ...]:
    labels = one(matches(latency.selector))
    if labels is None or not fits(kept(labels, by), matches(latency.selector)):
        return ()
    labels = kept(labels, by)
    bucket, count = f"{latency.histogram}_bucket", f"{latency.histogram}_count"
    return (
        Counter(bucket, labels | {"le": bound(latency.threshold_s)}, "good"),
        Counter(bucket, labels | {"le": ALL_BUCKETS}, "all"),
        Counter(count, labels, "all"),
    )


def _ratio(ratio: Ratio | None, by: tuple[str, ...]) -> tuple[Counter, ...]:
    assert ratio is not None  # Checked where the file was read.
    errors, total = series_selector(ratio.errors), series_selector(ratio.total)
    same = errors.metric == total.metric
    failed = both(errors, total) if same else one(errors.matches)
    other = only(total, errors) if same else one(total.matches)
    if failed is None or other is None:
        return ()
    failed, other = kept(failed, by), kept(other, by)
    # Told apart by a kept label the two would be two groups, and an objective for each.
    apart = any(failed[name] != other[name] for name in by)
    if apart or not fits(failed, errors.matches) or not fits(other, total.matches) or (same and fits(other, errors.matches)):
        return ()
    return Counter(errors.metric, failed, "failed"), Counter(total.metric, other, "good" if same else "all")


def _rate(counter: Counter, phase: Phase) -> Decimal:
    share = {"failed": phase.failed, "good": 1 - phase.failed, "all": Decimal(1)}[counter.counts]
    return phase.requests * share


def _values(steps: list[Decimal], phases: tuple[Phase, ...]) -> str:
    """ "0+2x60 125+5x9": in each part as many steps as it has minutes, the first of all from 0."""
    parts, reached = list[str](), Decimal(0)
    for i, (step, phase) in enumerate(zip(steps, phases, strict=True)):
        first, count = (reached, phase.minutes) if i == 0 else (reached + step, phase.minutes - 1)
        parts.append(f"{written(first)}+{written(step)}x{count}")
        reached += step * phase.minutes
    return " ".join(parts)
