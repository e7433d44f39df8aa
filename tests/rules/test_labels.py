"""The labels' checks where they could be wrong: group labels, labels of series, and what is not to be complained about."""

import pytest

from tests.rules.linting import ids, linted

LABELS = "{alert_type: infra, team: t, severity: page}"
TOOL = "{alert_type: tool, team: t, severity: page}"
GOOD = f"- alert: A\n  expr: max by (redis_master) (redis_up) == 0\n  for: 5m\n  labels: {LABELS}\n"


def with_labels(labels: str, expression: str = "max by (redis_master) (redis_up) == 0") -> list[str]:
    return ids(linted(f"- alert: A\n  expr: {expression}\n  for: 5m\n  labels: {labels}\n"))


def test_a_sound_rule_has_no_findings():
    assert ids(linted(GOOD)) == []


def test_labels_of_the_group_count_and_the_rules_own_win():
    text = (
        "groups:\n- name: g\n  labels: {alert_type: infra, team: t, severity: INFO2}\n  rules:\n"
        "  - {alert: A, expr: max by (node) (up) == 0, for: 5m, labels: {severity: page}}\n"
        "  - {alert: B, expr: max by (node) (up) == 0, for: 5m, labels: {alert_type: Tool}}\n"
    )
    assert ids(linted(text)) == ["SRA106", "SRA102"]


@pytest.mark.parametrize("value", ["infra", "model", "tool"])
def test_the_three_classes_are_accepted_exactly(value: str):
    found = with_labels(f"{{alert_type: {value}, team: t, severity: page, tool_name: crm, vertical: sales}}")
    assert found == []


@pytest.mark.parametrize("value", ['"Infra "', "INFRA", "' infra'", "Model", '"infra\\n"', "infra1", "[]", "1", "true"])
def test_nothing_else_is(value: str):
    found = with_labels(f"{{alert_type: {value}, team: t, severity: ticket}}")
    assert {"SRA101", "SRA102"} & set(found)


def test_an_empty_class_team_severity_or_tool_is_a_missing_one():
    assert with_labels('{alert_type: tool, team: "", severity: " ", tool_name: "  "}') == ["SRA104", "SRA105", "SRA107"]
    assert with_labels("{alert_type: , team: t, severity: ticket}") == ["SRA102"]


def test_a_class_that_the_expression_fixes_counts_and_one_that_it_keeps_cannot_be_checked():
    assert with_labels("{team: t, severity: page}", 'max by (alert_type, node) (up{alert_type="infra"}) == 0') == []
    assert "SRA103" in with_labels("{team: t, severity: page}", "max by (alert_type) (up) == 0")
    assert "SRA101" in with_labels("{team: t, severity: page}", "up == 0")


def test_severities_are_known_whatever_their_case_and_templates_are_left_to_the_data():
    for value in ("page", "TICKET", "sev1", "SEV5", "P2", "none", "Critical", "'{{ $labels.severity }}'"):
        assert with_labels(f"{{alert_type: infra, team: t, severity: {value}}}") == []
    assert with_labels("{alert_type: infra, team: t, severity: sev6}") == ["SRA106"]


def test_a_tool_that_the_series_bring_is_fine_and_an_unknown_one_is_told():
    assert with_labels(TOOL, "sum by (tool_name) (rate(x_total[5m])) > 1") == []
    assert with_labels(TOOL, 'sum by (tool_name) (rate(x_total{tool_name="crn"}[5m])) > 1') == ["SRA108"]
    assert with_labels("{alert_type: tool, team: t, severity: page, tool_name: '{{ $labels.tool }}'}") == []
    assert "SRA107" in with_labels(TOOL, "rate(x_total[5m]) > 1")


def test_the_target_is_only_missed_where_it_is_certainly_not_there():
    labels = LABELS
    for expression in (
        "up == 0",
        "max by (namespace, pod) (up) == 0",
        "max by (namespace, deployment) (up) == 0",
        "max without (job) (up) == 0",
        'absent(up{namespace="a", pod="b"})',
        "max by (node) (up) == 0",
        'label_replace(sum(up), "redis_master", "cache", "", "") == 0',
    ):
        assert with_labels(labels, expression) == []
    for expression in ("sum(up) == 0", "max by (namespace) (up) == 0", "max by (pod) (up) == 0"):
        assert with_labels(labels, expression) == ["SRA110"]
    assert with_labels("{alert_type: infra, team: t, severity: page, namespace: a, pod: b}", "sum(up) == 0") == []


@pytest.mark.parametrize(
    "template", ["{{ $value }}", "{{ .Value | humanize }}", "{{with $x := $value}}{{$x}}{{end}}", '{{ query "up" | first }}']
)
def test_values_in_labels_are_told_and_labels_in_labels_are_not(template: str):
    labels = "{alert_type: infra, team: t, severity: page, detail: '%s'}"
    assert with_labels(labels % template) == ["SRA111"]
    assert with_labels(labels % "{{ $labels.pod }}") == []


def test_rules_that_copy_other_alerts_need_no_labels_of_their_own():
    assert (
        ids(linted('- alert: Copy\n  expr: ALERTS{alertstate="firing"} and on () absent(ALERTS)\n  labels: {via: fallback}\n'))
        == []
    )
    assert "SRA101" in ids(linted('- alert: Count\n  expr: count(ALERTS{alertstate="firing"}) > 20\n  for: 5m\n'))


def test_recording_rules_need_no_labels():
    assert ids(linted("- record: a:b:c\n  expr: sum(rate(x_total[5m]))\n")) == []


def test_the_same_name_with_other_labels_or_in_another_group_is_no_double():
    other = GOOD.replace("severity: page", "severity: ticket")
    assert ids(linted(GOOD + other)) == []
    assert ids(linted(GOOD, GOOD)) == []
    assert ids(linted(GOOD + GOOD)) == ["SRA113"]
