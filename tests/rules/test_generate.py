"""Rules written from objectives: names, factors, labels, order."""

from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from sre_agent.rules.burn_rates import ROWS, written
from sre_agent.rules.slo import Cost, Latency, Quantile, Ratio, Slo, SloFile
from tests.rules.objectives import changed, made

EXAMPLE = Path(__file__).parents[2] / "docs/examples/slo.yaml"


def rules(path: Path) -> list[dict[str, object]]:
    groups = yaml.safe_load(made(path).files[0].text)["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize(
    ("days", "factors"), [(30, ["14.4", "6", "3", "1"]), (28, ["13.44", "5.6", "2.8", "0.933333"]), (90, ["43.2", "18", "9", "3"])]
)
def test_the_factor_is_the_share_of_the_budget_times_the_period_over_the_long_window(days: int, factors: list[str]):
    assert [written(row.factor(days)) for row in ROWS] == factors


def test_every_series_that_an_alert_reads_is_recorded_before_it():
    seen = set[str]()
    for rule in rules(EXAMPLE):
        read = {word for word in str(rule["expr"]).split() if word.startswith("slo:")}
        assert read <= seen
        seen.add(str(rule.get("record")))
    assert len(seen) > 30


def test_the_shipped_example_says_class_team_and_severity_on_every_alert():
    alerts = [rule for rule in rules(EXAMPLE) if "alert" in rule]
    assert len({str(rule["alert"]) for rule in alerts}) == len(alerts) == 9
    for rule in alerts:
        labels = rule["labels"]
        assert isinstance(labels, dict)
        assert {"alert_type", "team", "severity"} <= set(labels)
        assert ("tool_name" in labels) or labels["alert_type"] != "tool"


def test_the_table_of_factors_in_the_docs_is_what_the_code_computes():
    page = (EXAMPLE.parents[1] / "burn-rates.md").read_text(encoding="utf-8")
    table = [
        f"| {r.severity} | {r.long} | {r.short} | {100 * r.share} % | {written(r.factor(30))} | {written(r.factor(28))} |"
        for r in ROWS
    ]
    assert "\n".join(table) in page
    assert len(table) == 4


def test_the_worked_example_of_the_docs_is_right():
    hour, six = ROWS[0].factor(30) / 1000, ROWS[1].factor(30) / 1000
    assert six < Fraction(700, 100_000) < hour < Fraction(1500, 100_000)
    assert 30 * 24 / ROWS[0].factor(30) == 50


def test_every_key_of_the_file_is_in_the_docs():
    page = (EXAMPLE.parents[1] / "burn-rates.md").read_text(encoding="utf-8")
    keys = {
        field.alias or name for part in (SloFile, Slo, Ratio, Latency, Quantile, Cost) for name, field in part.model_fields.items()
    }
    assert {key for key in keys if f"`{key}`" not in page} == set()
    assert len(keys) > 20


def test_burn_rate_alerts_carry_no_value_that_routing_would_read_as_milliseconds():
    for rule in rules(EXAMPLE):
        if "BurnRate" in str(rule.get("alert")):
            assert "value" not in str(rule["annotations"])
            assert "$" not in str(rule["annotations"])


def test_a_quantile_sums_rates_by_le_and_says_value_unit_and_hold():
    (rule,) = [rule for rule in rules(EXAMPLE) if rule.get("alert") == "HealthcareFtlP95"]
    assert rule["expr"] == (
        'histogram_quantile(0.95, sum by (le) (rate(agent_first_token_seconds_bucket{vertical="healthcare"}[5m]))) > 0.8'
    )
    assert rule["for"] == "5m"
    annotations = rule["annotations"]
    assert isinstance(annotations, dict)
    assert (annotations["value"], annotations["unit"]) == ("{{ $value }}", "s")


def test_a_whole_threshold_finds_its_bucket_however_the_client_writes_it(tmp_path: Path):
    (text,) = {str(r["expr"]) for r in rules(changed(tmp_path)) if r.get("record") == "slo:crm:error_ratio_rate5m"}
    assert 'le=~"2(\\\\.0)?"' in text


def test_what_has_no_test_is_named_in_the_test_file_and_in_the_notes(tmp_path: Path):
    made_of = made(changed(tmp_path, ("cost: cost_per_hour", "cost: sum(cost_per_hour)")))
    assert made_of.files[1].text.splitlines()[1].startswith("# no test is written for model-cost: ")
    assert any(note.startswith("no test is written for model-cost") for note in made_of.notes)


def test_errors_outside_of_total_get_no_test_and_a_note(tmp_path: Path):
    notes = made(changed(tmp_path, ("total: http_requests_total", 'total: http_requests_total{code="200"}'))).notes
    assert any("checkout" in note and "errors must be part of total" in note for note in notes)


@pytest.mark.parametrize("selector", ['a="b"', '{a="b"}', "{a='b'}", "a=`b`,", ' { a = "b" , } '])
def test_matchers_are_the_same_with_braces_and_without(tmp_path: Path, selector: str):
    path = changed(tmp_path, ("threshold_s: 2", f"threshold_s: 2, selector: {selector!r}".replace("'{a='b'}'", "\"{a='b'}\"")))
    (text,) = {str(r["expr"]) for r in rules(path) if r.get("record") == "slo:crm:requests_increase1h"}
    assert text == 'sum(increase(crm_seconds_count{a="b"}[1h]))'
