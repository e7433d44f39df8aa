"""Rules written from objectives: names, factors, labels, order."""

from pathlib import Path

import pytest
import yaml

from sre_agent.rules.burn_rates import ROWS, written
from sre_agent.rules.generate.files import generated
from sre_agent.rules.slo_problems import read_slos

EXAMPLE = Path(__file__).parents[2] / "docs/examples/slo.yaml"


def rules(path: Path) -> list[dict[str, object]]:
    file, wrong = read_slos(path)
    assert file is not None, wrong
    groups = yaml.safe_load(generated(file, path.name).files[0].text)["groups"]
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
