"""A wrong file of objectives is told with its line and what to do, and nothing is written."""

from pathlib import Path

import pytest

from tests.rules.objectives import complaints

OBJECTIVE = "objective: 0.999"
INFRA = "alert_type: infra"
BOMB = "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9))])
ERRORS = 'http_requests_total{code=~"5.."}'


def test_nothing_is_wrong_with_the_file_that_the_others_change(tmp_path: Path):
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        (OBJECTIVE, "objective: 1", 3, "not between 0 and 1"),
        (OBJECTIVE, "objective: 0", 3, "not between 0 and 1"),
        (OBJECTIVE, "objective: -0.5", 3, "not between 0 and 1"),
        (OBJECTIVE, "objective: .nan", 3, "not between 0 and 1"),
        (OBJECTIVE, "objective: .inf", 3, "not between 0 and 1"),
        (OBJECTIVE, "objective: 99.9", 3, 'did you mean "99.9%"?'),
        (OBJECTIVE, "objective: 100%", 3, "not between 0 and 1"),
        (OBJECTIVE, "objective: yes", 3, 'write a fraction like 0.999, or a percentage like "99.9%"'),
        (OBJECTIVE, "objective: [0.9]", 3, "write a fraction like 0.999"),
        (OBJECTIVE, "objective: three nines", 3, "write a fraction like 0.999"),
        (OBJECTIVE, "objective: 0.99999999999", 3, "round it"),
        (OBJECTIVE, f"{OBJECTIVE}\n    period: 0d", 4, "whole days; write 30d or 28d"),
        (OBJECTIVE, f"{OBJECTIVE}\n    period: 30", 4, "put it in quotes"),
        (OBJECTIVE, f"{OBJECTIVE}\n    period: 1 month", 4, "whole days; write 30d or 28d"),
        (OBJECTIVE, f"{OBJECTIVE}\n    min_requests: -1", 4, "greater than or equal to 1"),
        (OBJECTIVE, f"{OBJECTIVE}\n    rows: [2h]", 4, "rows are named by their long window: 1h, 6h, 1d, 3d"),
        (OBJECTIVE, f"{OBJECTIVE}\n    rows: []", 4, "at least 1 item"),
        (OBJECTIVE, f"{OBJECTIVE}\n    summary: 'at {{{{ $value }}}}'", 4, "write the text as it shall stand"),
        (OBJECTIVE, f"{OBJECTIVE}\n    runbook_url: runbook", 4, "write https://"),
        (OBJECTIVE, f"{OBJECTIVE}\n    by: [deployment]", 4, "is given twice"),
        (OBJECTIVE, f"{OBJECTIVE}\n    by: [le]", 4, "by cannot keep 'le'"),
        (OBJECTIVE, f"{OBJECTIVE}\n    objectve: 0.9", 4, "there is no such key; did you mean 'objective'?"),
        (INFRA, "alert_type: 'Infra '", 7, "alert_type is 'Infra '; write exactly one of infra, model, tool"),
        (INFRA, "alert_type: INFRA", 7, "write exactly one of infra, model, tool"),
        (INFRA, "alert_type: mixed", 7, "write exactly one of infra, model, tool"),
        (f"{INFRA}, ", "", 7, "alert_type is missing"),
        (", team: platform", "", 7, "the label team is missing"),
        ("team: platform", "team: on", 7, "put it in quotes"),
        ("team: platform", "team: ' '", 7, "write the bare value"),
        ("namespace: shop", "namespace: '{{ $labels.namespace }}'", 7, "with by: [namespace]"),
        ("namespace: shop", "severity: page", 7, "written by the generator; leave it out"),
        ("namespace: shop", "name-space: shop", 7, "is no label's name"),
        (", tool_name: crm", "", 11, "a tool alert needs the label tool_name"),
        ("name: crm", "name: checkout", 8, "'checkout' is given twice; rename one"),
        ("name: crm", "name: Check.out", 8, "collides with 'checkout'"),
        ("name: answers", "name: checkout burn rate page", 13, "collides with 'checkout'"),
        ("name: crm", "name: 1st", 8, "String should match pattern"),
        ("name: crm", "name: café", 8, "String should match pattern"),
        (ERRORS, "sum(http_requests_total)", 5, "write the counter's selector alone"),
        (ERRORS, "http_requests_total[5m]", 5, "has a range; leave [..] out"),
        (ERRORS, 'http_requests_total{code="5"}[5m]', 5, "has a range; leave [..] out"),
        (ERRORS, "http_requests_total{code=5}", 5, "is no matcher"),
        (ERRORS, 'http_requests_total{code="5" job="x"}', 5, "is no matcher"),
        (ERRORS, 'http_requests_total{code=~"5("}', 5, "holds no regular expression"),
        (ERRORS, 'http_requests_total{code=~"(?!2).*"}', 5, "which Prometheus cannot"),
        (ERRORS, 'http_requests_total{code=~"5\\d"}', 5, "write \\\\ for one backslash"),
        (ERRORS, 'http_requests_total{code="5"', 5, "is no selector"),
        (ERRORS, "'{code=\"5\"}'", 5, "does not begin with a metric's name"),
        (ERRORS, "http_requests_total", 5, "errors and total select the same series"),
        (ERRORS, "http_requests_total offset 5m", 5, "is no selector"),
        ("histogram: crm_seconds", "histogram: crm_seconds_bucket", 10, "write its name without _bucket"),
        ("threshold_s: 2", "threshold_s: 0", 10, "greater than 0"),
        ("threshold_s: 2", "threshold_s: .inf", 10, "finite number"),
        ("threshold_s: 2", "threshold_s: 2, selector: 'le=\"1\"'", 10, "may not match le"),
        ("threshold_s: 2", "threshold_s: 2, selector: '{a=\"1\"'", 10, "only one of its two braces"),
        ("latency: {", "ratio: {errors: a, total: b}\n    latency: {", 8, "needs exactly one of ratio: and latency:"),
        ("    latency: {histogram: crm_seconds, threshold_s: 2}\n", "", 8, "needs exactly one of ratio: and latency:"),
        ("quantile: 0.95", "quantile: 95", 15, "less than 1"),
        ("above_s: 0.8", "above_s: 0.8\n    for: 5:00", 17, "put it in quotes"),
        ("above_s: 0.8", "above_s: 0.8\n    for: 0s", 17, "write 5m"),
        ("cost: cost_per_hour", "cost: ' '", 20, "the expression is empty"),
        ("cost: cost_per_hour", "cost: sum(rate(x[1h])", 20, "this is no PromQL"),
        ("cost: cost_per_hour", "cost: x[1h]", 20, "write one that gives series"),
        ("cost: cost_per_hour", "cost: '5'", 20, "write one that gives series"),
        ("costs:", "slos:", 18, "key 'slos' was given on line 1 already; remove one"),
    ],
)
def test_every_mistake_names_its_line_and_what_to_do(tmp_path: Path, old: str, new: str, line: int, told: str):
    said = complaints(tmp_path, (old, new))
    assert any(one.startswith(f"slo.yaml:{line}: ") and told in one for one in said), said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "slo.yaml:1: this is no file of objectives"),
        ("[]", "slo.yaml:1: this is no file of objectives"),
        ("slos: []", "slo.yaml:1: the file has no entry"),
        ("slos: [", "slo.yaml:2: this is not valid YAML"),
        ("slos: {{ slos }}", "slo.yaml:1: a key must be a plain word"),
        (f"slos: 0x{'f' * 5000}", "slo.yaml:1: this YAML holds a value that no key can have"),
        ("slos: !!binary aGk=", "slo.yaml:1: this YAML holds a value that no key can have"),
        (BOMB, "stands for more than"),
    ],
)
def test_what_is_no_file_of_objectives_is_told_in_one_line(tmp_path: Path, text: str, told: str):
    (said,) = complaints(tmp_path, text=text)
    assert told in said


def test_a_row_that_can_never_fire_is_refused_with_slo_row_and_reason(tmp_path: Path):
    (said,) = complaints(tmp_path, ("objective: 0.99\n", "objective: 93%\n"))
    assert said.startswith("slo.yaml:9: 'crm': the row 1h/5m can never fire: its factor 14.4 x (1 - 0.93) is 1.008")
    assert "93.06 %" in said
    assert said.endswith('leave the row out with rows: ["6h", "1d", "3d"]')


def test_the_row_is_possible_just_above_and_when_it_is_left_out(tmp_path: Path):
    assert complaints(tmp_path, ("objective: 0.99\n", "objective: 0.9306\n")) == []
    assert complaints(tmp_path, ("objective: 0.99\n", 'objective: 0.9\n    rows: ["6h", "1d", "3d"]\n')) == []


def test_no_row_is_possible_at_a_tenth(tmp_path: Path):
    said = complaints(tmp_path, ("objective: 0.99\n", "objective: 0.1\n    period: 366d\n"))
    assert len(said) == 4
    assert all(one.endswith("raise the objective") for one in said)


def test_all_mistakes_are_told_at_once(tmp_path: Path):
    said = complaints(tmp_path, (INFRA, "alert_type: x"), (", tool_name: crm", ""))
    assert len(said) == 2
