"""Tests that promtool runs against the written quantiles and costs: at the threshold nothing fires, just above it the alert does,
once it has held for as long as it must.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from sre_agent.rules.burn_rates import written
from sre_agent.rules.generate.names import alert_names
from sre_agent.rules.generate.proofs import EVALUATED_MIN, Alerts, firing, look
from sre_agent.rules.generate.samples import Labels, fits, kept, one, plain
from sre_agent.rules.generate.traffic import ALL_BUCKETS, bound, constant, growing
from sre_agent.rules.generate.writing import Value
from sre_agent.rules.series_selector import SeriesSelector, matches
from sre_agent.rules.slo import Cost, Quantile, seconds

BASELINE: Final = 4
"""A power of two, so that the ratio is exact."""


def quantile_tests(quantile: Quantile, alerts: Alerts) -> list[Value]:
    """promtool's tests of a quantile; none where no labels were found that its selector chooses."""
    chosen = matches(quantile.selector)
    labels = one(chosen)
    if labels is None or not fits(kept(labels, quantile.by), chosen):
        return []
    labels, above = kept(labels, quantile.by), Decimal(str(quantile.above_s))
    slower = above + (above / 800).quantize(Decimal(1).scaleb(above.adjusted() - 8))
    (name,), held = alert_names(quantile), _held(quantile.for_)
    told = firing(alerts[name], {n: labels[n] for n in quantile.by}, value=written(slower))
    end = EVALUATED_MIN + held
    return [
        {
            "name": f"{quantile.name}: {written(slower)} s, as soon as it has held for {quantile.for_}",
            "interval": "1m",
            "input_series": _slow(quantile, labels, slower, end),
            "alert_rule_test": [look(name, end - EVALUATED_MIN, []), look(name, end, [told])],
        },
        {
            "name": f"{quantile.name}: {written(above)} s is not above {written(above)} s",
            "interval": "1m",
            "input_series": _slow(quantile, labels, above, end),
            "alert_rule_test": [look(name, end, [])],
        },
    ]


def cost_tests(cost: Cost, alerts: Alerts) -> list[Value]:
    """promtool's tests of a cost; none where cost or baseline is more than a selector."""
    spent, usual = plain(cost.cost), plain(cost.baseline)
    if spent is None or usual is None or spent.metric == usual.metric:
        return []
    return list(_cost_tests(cost, spent, usual, alerts))


def _cost_tests(cost: Cost, spent: SeriesSelector, usual: SeriesSelector, alerts: Alerts) -> Iterator[Value]:
    both = [one(selector.matches) for selector in (spent, usual)]
    if both[0] is None or both[1] is None:
        return
    ours, theirs = (kept(labels, cost.by) for labels in both if labels is not None)
    if not (fits(ours, spent.matches) and fits(theirs, usual.matches)) or any(ours[n] != theirs[n] for n in cost.by):
        return
    name, bare = alert_names(cost)
    above, by, end = Decimal(str(cost.above)), {n: ours[n] for n in cost.by}, _held(cost.for_)
    tries = (
        ("at", above * BASELINE, BASELINE, ""),
        ("above", above * BASELINE + 1, BASELINE, name),
        ("no baseline for", Decimal(1), 0, bare),
    )
    for what, value, baseline, fires in tries:
        series = [
            constant(spent.metric, ours, value, end + EVALUATED_MIN),
            constant(usual.metric, theirs, Decimal(baseline), end + EVALUATED_MIN),
        ]
        told = {"cost_ratio": written(value / BASELINE)} if fires == name else {}
        looked = [look(n, end, [firing(alerts[n], by, **told)] if n == fires else []) for n in (name, bare)]
        test = f"{cost.name}: {what} {written(above)} times its baseline" if baseline else f"{cost.name}: {what} it"
        yield {"name": test, "interval": "1m", "input_series": series, "alert_rule_test": looked}


def _held(duration: str) -> int:
    """The minutes of a `for`, up to the next evaluation."""
    return -(-seconds(duration) // (60 * EVALUATED_MIN)) * EVALUATED_MIN


def _slow(quantile: Quantile, labels: Labels, bucket_s: Decimal, minutes: int) -> list[Value]:
    """All requests above the last bucket but one: then its bound is the quantile, exactly."""
    bucket = f"{quantile.histogram}_bucket"
    return [
        growing(bucket, labels | {"le": bound(float(bucket_s))}, 0, minutes),
        growing(bucket, labels | {"le": ALL_BUCKETS}, 60, minutes),
    ]
