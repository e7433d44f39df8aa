"""--fix: only what is safe, only the characters that are wrong, once and for all."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_agent.rules.document import read
from sre_agent.rules.examine import documents_of, examine
from sre_agent.rules.fix import fixed, receivers
from sre_agent.rules.recognise import recognised
from tests.rules.linting import ROUTING, ids, linted

RULES = """\
# our rules
groups:
  - name: a   # the first
    rules:
      - alert: RedisDown   # page
        expr: redis_up == 0
        for: 5m
        labels: {alert_type: "Infra ", team: platform, severity: page}  # keep me
      - alert: FtlSlow
        expr: |-
          # first tokens
          histogram_quantile(0.95,
            sum by (vertical) (ftl_seconds_bucket{vertical="healthcare"}))
            > 0.8
        for: 5m
        labels:
          alert_type: 'MODEL'
          team: ai-eng
          severity: page
"""
ROUTES = """\
route:
  receiver: default   # everything else
  routes:
    # the AI engineers
    - match:
        alert_type: model   # the class
        "severity": "page"
      receiver: ai-eng
    - match_re: {service: "^(foo|it's)$"}
      receiver: default
receivers:
  - name: default
  - name: ai-eng
"""


def repaired(*texts: str) -> list[str]:
    result = fixed(linted(*texts))
    after = {d.path: d.text for d in documents_of(result.after.subject.parts)}
    return [after[f"{n}.yaml"] for n in range(len(texts))]


def test_rules_are_repaired_where_they_stand_and_nothing_else_moves():
    (after,) = repaired(RULES)
    assert after == (
        RULES.replace('"Infra "', "infra")
        .replace("'MODEL'", "model")
        .replace("(vertical) (ftl", "(le, vertical) (rate(ftl")
        .replace('"healthcare"}))', '"healthcare"}[5m])))')
    )
    assert set(ids(linted(after))) & {"SRA102", "SRA303", "SRA304"} == set()


def test_old_matchers_are_written_in_the_new_way_with_their_comments():
    (after,) = repaired(ROUTES)
    assert after == ROUTES.replace("match:", "matchers:").replace("match_re:", "matchers:").replace(
        "alert_type: model ", "- 'alert_type=\"model\"' "
    ).replace('"severity": "page"', "- 'severity=\"page\"'").replace('{service: "^(foo|it\'s)$"}', "['service=~\"^(foo|it''s)$\"']")
    assert ids(linted(after)) == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_stay_as_they_are(end: str):
    text = RULES.replace("\n", end)
    (after,) = repaired(text)
    assert after.count(end) == text.count(end)
    assert after.replace(end, "\n") == repaired(RULES)[0]


def test_a_class_is_never_guessed():
    for value in ("infrastructure", "inf", "", "models", "{{ $labels.x }}", "infra|model"):
        text = f"- alert: A\n  expr: up == 0\n  labels: {{alert_type: '{value}'}}\n"
        result = fixed(linted(text))
        assert result.texts == {}


def test_no_receiver_is_changed_and_that_is_said():
    routes = ROUTES.replace("match:", "matchers: ['alert_type=\"infra\"']").replace(
        '        alert_type: model   # the class\n        "severity": "page"\n', ""
    )
    examined = linted(RULES, routes)
    result = fixed(examined)
    assert [(f.id, f.place.line) for f, _ in result.left] == [("SRA102", 8)]
    assert '"Infra "' in result.texts["0.yaml"][1]
    assert "'MODEL'" not in result.texts["0.yaml"][1]
    assert receivers(result.after.subject) == receivers(examined.subject)


BOTH = """\
route:
  receiver: default
  routes:
    - match:  # one
        a: b
      match_re:
        # three
        c: d|e
        f: "g.*"
      receiver: default
receivers: [{name: default}]
"""


def test_both_old_keys_become_one_list_where_they_stand_together():
    (after,) = repaired(BOTH)
    assert after == (BOTH.replace("match:", "matchers:").replace("      match_re:\n", "").replace("a: b", "- 'a=\"b\"'")).replace(
        "c: d|e", "- 'c=~\"d|e\"'"
    ).replace('f: "g.*"', "- 'f=~\"g.*\"'")
    assert ids(linted(after)) == []


@pytest.mark.parametrize(
    "apart",
    [
        BOTH.replace("      match_re", "      continue: true\n      match_re"),
        BOTH.replace("        a: b", "          a: b"),
        BOTH.replace("      receiver: default", "      matchers: [x=y]\n      receiver: default"),
        BOTH.replace("match:  # one\n        a: b", "match: {a: b}"),
        BOTH.replace("a: b", "a: |\n          b"),
        BOTH.replace("a: b", "a:"),
    ],
)
def test_where_the_old_keys_would_have_to_be_moved_a_person_does_it(apart: str):
    assert fixed(linted(apart)).texts == {}


def test_what_an_alias_repeats_is_not_touched():
    text = (
        "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0, labels: &l {alert_type: INFRA}}\n"
        "  - {alert: B, expr: up == 0, labels: *l}\n"
    )
    assert fixed(linted(text)).texts == {}


def test_what_somebody_ignored_is_not_touched():
    text = "- alert: A\n  expr: up == 0\n  labels: {alert_type: INFRA} # sre-agent: ignore SRA102 told apart by the old pager\n"
    assert fixed(linted(text)).texts == {}


def test_labels_are_summed_away_only_where_the_routes_show_that_nothing_changes():
    rule = "- alert: A\n  expr: histogram_quantile(0.9, x_bucket) > 1\n  labels: {alert_type: model}\n"
    by_class = ROUTES.replace("match:", "matchers: ['alert_type=\"model\"']").replace(
        '        alert_type: model   # the class\n        "severity": "page"\n', ""
    )
    by_class = by_class.split("    - match_re")[0] + RECEIVERS
    by_namespace = by_class.replace('alert_type="model"', 'namespace="a"')
    assert "histogram_quantile(0.9, rate(x_bucket[5m])) > 1" in repaired(rule)[0]
    assert "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m]))) > 1" in repaired(rule, by_class)[0]
    assert "x_bucket)" in repaired(rule, by_namespace)[0]


RECEIVERS = "receivers: [{name: default}, {name: ai-eng}]\n"

CLASSES = st.sampled_from(
    ["infra", "INFRA", '"Infra "', "'model\t'", "Tool", "other", "{{ $labels.x }}", '"\\x49nfra"', "", "mOdEl"]
)
EXPRESSIONS = st.sampled_from(
    [
        "up == 0",
        "histogram_quantile(0.9, x_bucket) > 1",
        "histogram_quantile(0.9, sum(x_bucket{a='b'} offset 5m)) > 1",
        "histogram_quantile(0.9, sum by (job) (rate(x_bucket[5m]))) > 1",
        "histogram_quantile(0.9, sum (rate(x_bucket[5m])) by ()) > 1",
        "histogram_quantile(0.9, avg without (le) (x_bucket)) > 1",
        "histogram_quantile(0.9, x_bucket) > 1 and histogram_quantile(0.9, sum(y_bucket)) > 2",
    ]
)
STYLES = st.sampled_from(["{}", '"{}"', "|\n          {}", ">-\n          # c\n          {}"])


@st.composite
def rule_files(draw) -> str:
    rules = []
    for n in range(draw(st.integers(1, 4))):
        expression, style = draw(EXPRESSIONS), draw(STYLES)
        value = draw(CLASSES)
        rules.append(
            f"      - alert: A{n}  # {draw(st.text('abc#: ', max_size=5)).strip()}\n        expr: {style.format(expression)}\n"
            f"        labels: {{alert_type: {value if '{{' not in value else repr(value)}, team: t}}\n"
        )
    return "groups:\n  - name: g\n    rules:\n" + "".join(rules)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(rule_files())
def test_twice_is_once_what_is_fixed_is_gone_and_no_line_is_lost(text: str):
    before = examine(recognised(read(text, "0.yaml")), ROUTING)
    result = fixed(before)
    (document,) = documents_of(result.after.subject.parts)
    again = fixed(examine(recognised(read(document.text, "0.yaml")), ROUTING))
    assert again.texts == {}
    counts_before, counts_after = ids(before), ids(result.after)
    for one in {f.id for f in result.done}:
        assert counts_after.count(one) <= counts_before.count(one) - sum(f.id == one for f in result.done)
    assert "SRA102" not in {f.id for f in result.after.open if f.fix is not None}
    assert document.text.count("\n") == text.count("\n")
    # Everything that was not spliced is there, in its order.
    stripped = re.sub(r"rate\(|\[5m\]|sum by \(le\) ?|by \(le\) ?|le, |\)|\(|le", "", document.text)
    assert len(stripped.splitlines()) == len(text.splitlines())
    untouched = [line for line in text.splitlines() if "alert_type" not in line and "_bucket" not in line]
    assert [line for line in document.text.splitlines() if "alert_type" not in line and "_bucket" not in line] == untouched
