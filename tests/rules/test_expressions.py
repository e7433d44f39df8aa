"""Quantiles, objectives, times and costs where a false alarm would be easy."""

import pytest

from sre_agent.rules.examine import documents_of
from tests.rules.linting import ids, linted

LABELS = "{alert_type: model, team: t, severity: page, vertical: sales}"


def alert(expression: str, more: str = "for: 5m", labels: str = LABELS, name: str = "A") -> str:
    return f"- alert: {name}\n  expr: {expression}\n  {more}\n  labels: {labels}\n"


def found(expression: str, more: str = "for: 5m", labels: str = LABELS) -> list[str]:
    return ids(linted(alert(expression, more, labels)))


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        ("sum by (le) (rate(x_bucket[5m]))", []),
        ("sum(rate(x_bucket[5m])) by (le, pod)", []),
        ("sum without (pod) (rate(x_bucket[5m]))", []),
        ("sum by (le) (increase(x_bucket[1h]))", []),
        ("rate(x[5m])", []),
        ("sum(rate(x[5m]))", []),
        ("x:le:rate5m", []),
        ("sum by (le) (rate(x_bucket[5m])) + sum by (le) (rate(y_bucket[5m]))", []),
        ("x_bucket", ["SRA303"]),
        ("sum by (le) (x_bucket)", ["SRA303"]),
        ("sum(x_bucket)", ["SRA303", "SRA304"]),
        ("sum(rate(x_bucket[5m]))", ["SRA304"]),
        ("sum without (le) (rate(x_bucket[5m]))", ["SRA304"]),
        ("rate(x_bucket[5m])", ["SRA305"]),
        ("avg by (le) (rate(x_bucket[5m]))", ["SRA306"]),
        ("avg(rate(x_bucket[5m]))", ["SRA304"]),
    ],
)
def test_quantiles_are_taken_of_summed_rates_of_buckets(inner: str, told: list[str]):
    assert sorted(found(f"histogram_quantile(0.95, {inner}) > 1")) == told


def test_averages_of_quantiles_are_told_and_other_averages_are_not():
    quantile = "histogram_quantile(0.9, sum by (le, pod) (rate(x_bucket[5m])))"
    assert found(f"avg({quantile}) > 1") == ["SRA306"]
    assert found(f"avg_over_time({quantile}[10m:1m]) > 1") == ["SRA306"]
    assert found(f"max({quantile}) > 1") == []
    assert found("avg by (pod) (rate(x_total[5m])) > 1") == []


def test_places_inside_expressions_are_exact_whatever_their_style():
    for style, line in (("x", 2), ('"x"', 2), ("|-\n    x", 3), (">\n    1 *\n    x", 4), ("\n    x", 3)):
        expression = "histogram_quantile(0.9, sum by (le) (x_bucket)) > 1"
        examined = linted(alert(style.replace("x", expression, 1)))
        (one,) = [f for f in examined.open if f.id == "SRA303"]
        text = documents_of(examined.subject.parts)[0].text
        # The group's head is three lines.
        assert one.place.line == line + 3
        assert text.splitlines()[one.place.line - 1][one.place.column - 1 :].startswith("x_bucket")
        assert text[one.place.start :].startswith("x_bucket")


SLO = "- record: slo:checkout:ratio_rate5m\n  expr: sum(rate(http_total{code=~'5..'}[5m])) / sum(rate(http_total[5m]))\n"
BURN = alert("slo:checkout:ratio_rate5m > 0.014 and slo:checkout:ratio_rate1h > 0.014", "for: 1m", name="Burn")


def test_a_fixed_threshold_is_told_only_for_the_very_metrics_of_an_objective():
    ratio = "sum(rate(http_total{code='500'}[5m])) / sum(rate(http_total[5m])) > 0.05"
    assert ids(linted(SLO + BURN + alert(ratio))) == ["SRA307"]
    assert ids(linted(SLO + BURN + alert("0.05 < " + ratio.removesuffix(" > 0.05")))) == ["SRA307"]
    for other in (
        "sum(rate(http_total[5m])) > 1000",
        "sum(rate(cache_hits_total[5m])) / sum(rate(http_total[5m])) < 0.5",
        "sum(rate(other_total{code='500'}[5m])) / sum(rate(other_total[5m])) > 0.05",
        "slo:checkout:ratio_rate5m > 0.5",
        "sum(rate(http_total[5m])) / sum(rate(http_total[5m] offset 1w)) < sum(x)",
    ):
        assert "SRA307" not in ids(linted(SLO + BURN + alert(other)))


def test_objectives_are_followed_through_recording_rules_even_in_a_circle():
    through = "- record: job:http:rate5m\n  expr: sum by (job) (rate(http_total[5m]))\n"
    circle = "- record: slo:a\n  expr: slo:b / http_total\n- record: slo:b\n  expr: slo:a\n"
    assert "SRA307" in ids(linted(SLO + BURN + through + alert("job:http:rate5m / job:http:rate5m > 1")))
    assert "SRA301" not in ids(linted(circle + alert("up == 0")))


def test_an_objective_without_a_burn_rate_is_told_once_and_only_beside_alerts():
    again = SLO.replace("rate5m", "rate1h").replace("[5m]", "[1h]")
    assert ids(linted(SLO + again)) == []
    assert ids(linted(SLO + again + alert("up == 0"))) == ["SRA309"]
    assert ids(linted(SLO + again + BURN)) == []
    assert ids(linted(SLO, again, BURN)) == []


HEALTH = "{alert_type: model, team: t, severity: page, vertical: healthcare}"


@pytest.mark.parametrize(
    ("limit", "hold", "told"),
    [
        ("> 0.8", "5m", []),
        ("> 800", "5m", []),
        ("> 0.8", "3m", []),
        ("> 0.5", "5m", ["SRA308"]),
        ("> 0.8", "10m", ["SRA308"]),
        ("< 2", "5m", []),
    ],
)
def test_a_verticals_objective_in_the_routing_file_is_compared(limit: str, hold: str, told: list[str]):
    text = alert(f"max(ftl_p95_seconds) {limit}", f"for: {hold}", HEALTH, "FtlSlow")
    assert ids(linted(text)) == told
    assert "SRA308" not in ids(linted(text.replace("healthcare", "sales")))
    assert "SRA308" not in ids(linted(text.replace("FtlSlow", "Slow")))


@pytest.mark.parametrize(
    ("expression", "more", "told"),
    [
        ("queue > 3", "for: 5m", []),
        ("queue > 3", "annotations: {}", ["SRA401"]),
        ("queue > 3", "for: 0s", ["SRA402"]),
        ("queue > 3", "for: 0m", ["SRA402"]),
        ("increase(deaths_total[1h]) > 0", "annotations: {}", []),
        ("changes(boot_time[10m]) > 2", "annotations: {}", []),
        ("increase(deaths_total[1h]) > 0 and queue > 3", "annotations: {}", ["SRA401"]),
        ("a:rate5m > 0.1 and a:rate1h > 0.1", "annotations: {}", []),
        ("a:rate5m > 0.1", "annotations: {}", ["SRA401"]),
        ("vector(1)", "annotations: {}", []),
        ("sum(rate(e_total[1m])) > 3", "for: 1m", ["SRA403"]),
        ("sum(rate(e_total[1m])) > 3", "keep_firing_for: 5m\n  for: 1m", []),
        ("sum(rate(e_total[10m])) > 3", "for: 1m", []),
        ("redis_up == 0", "for: 1m", []),
    ],
)
def test_times(expression: str, more: str, told: list[str]):
    assert found(expression, more) == told


def test_cost_alerts_are_told_by_the_routing_file_and_wait_for_the_digest():
    labels = "{alert_type: model, team: t, severity: ticket}"
    ratio = 'for: 15m\n  annotations: {cost_ratio: "{{ $value }}"}'
    cost = lambda more, labels=labels: ids(linted(alert("sum(usd) / sum(usd:base) > 2", more, labels, "TokenCostHigh")))  # noqa: E731
    assert cost(ratio) == []
    assert cost(ratio, labels.replace("ticket", "page")) == ["SRA501"]
    assert cost("for: 15m") == ["SRA502"]
    assert ids(linted(alert("sum(usd) unless sum(usd:base) > 0", "for: 15m", labels, "CostWithoutBaseline"))) == []
    assert cost(ratio.removeprefix("for: 15m\n  ")) == ["SRA503"]
    assert ids(linted(alert("sum(usd) > 2", "for: 5m", LABELS.replace("sales", "sales, signal: cost")))) == ["SRA502", "SRA501"]
    assert found("sum(usd) > 2") == []


def test_what_prometheus_refuses_is_told_with_what_to_do():
    for text, told in (
        ("- alert: A\n  record: a\n  expr: up\n", "either alert or record"),
        ("- alert: A\n", "no expr"),
        ("- record: a-b\n  expr: up\n", "no name for a metric"),
        ("- record: a\n  expr: up\n  for: 5m\n", "a recording rule has no for"),
        ("- alert: A\n  expr: up\n  for: 5 m\n", "for is no duration"),
        ("- alert: A\n  expr: up\n  labels: {a-b: c}\n", "no name for a label"),
        ("- alert: A\n  expr: up\n  annotations: {a: '{{ $value'}\n", "not closed"),
        ("groups: {a: b}\n", "groups is no list"),
        ("groups: [{rules: []}]\n", "no name"),
        ("groups: [{name: a}, {name: a}]\n", "stands on line 1 already"),
        ("groups: [a]\n", "a group is a mapping"),
        ("groups: [{name: a, rules: [b]}]\n", "a rule is a mapping"),
    ):
        assert any(told in f.why for f in linted(text).open if f.id == "SRA003"), text
