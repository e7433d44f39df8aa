"""PromQL as Prometheus reads it, and what its series carry."""

import json
import random
import re
import shutil
import subprocess

import pytest

from sre_agent.rules.promql.carried import carried
from sre_agent.rules.promql.parse import MOST_OPERATORS, parse
from sre_agent.rules.promql.shape import burn_rate, comparisons, windows
from sre_agent.rules.promql.tokens import LONGEST, NotPromQL
from sre_agent.rules.promql.tree import Binary, walk

NAMES = ["up", "x_bucket", "a:b:c", "sum", "start", "by"]
MATCHERS = ["", "", "{}", '{job="a"}', '{job=~"a.*",le!="1",}']
FUNCTIONS = (
    *("rate", "increase", "histogram_quantile", "absent", "time", "vector", "scalar"),
    *("label_replace", "clamp_max", "round", "hour", "avg_over_time", "abs"),
)
MATCHINGS = ["", "", "", "bool ", "on (job) ", "ignoring(le) group_left(pod) ", "on(job) group_right ", "on () "]


def drawn(dice: random.Random, depth: int) -> str:
    """An expression that is right or wrong in the ways people are."""
    kind = dice.random()
    below = [drawn(dice, depth - 1) for _ in range(2)] if depth > 0 else ["1", "up"]
    labels = f"({', '.join(dice.choice(['job', 'le', 'pod']) for _ in range(dice.randint(0, 2)))})"
    if depth <= 0 or kind < 0.3:
        series = dice.choice(NAMES) + dice.choice(MATCHERS) + dice.choice(["", "", "[5m]", "[1h30m]", "[5m:1m]", "[5m:]"])
        series += dice.choice(["", "", "", " offset 5m", " offset -1h", " @ 12", " @ start()"])
        return dice.choice([series, series, series, "1", "0.5", "1e3", "Inf", '"x"', "0x1f", "{}"])
    if kind < 0.5:
        return f"{dice.choice(FUNCTIONS)}({', '.join(below[: dice.randint(0, 2)])})"
    if kind < 0.7:
        operator, arguments = (
            dice.choice(["sum", "avg", "topk", "count_values", "max", "quantile"]),
            ", ".join(below[: dice.choice([1, 1, 2])]),
        )
        kept = f"{dice.choice(['by', 'without'])} {labels}"
        return dice.choice([f"{operator} {kept} ({arguments})", f"{operator}({arguments}) {kept}", f"{operator}({arguments})"])
    if kind < 0.92:
        sign = dice.choice(["+", "-", "*", "/", "^", "%", ">", "<=", "==", "and", "or", "unless", "atan2"])
        return f"{below[0]} {sign} {dice.choice(MATCHINGS)}{below[1]}"
    return f"({below[0]}){dice.choice(['', '', '[5m:1m]'])}" if kind < 0.96 else f"-{below[0]}"


@pytest.mark.parametrize("seed", range(3))
def test_prometheus_refuses_exactly_what_we_refuse(seed: int, tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("Debian's prometheus (with promtool) is not installed")
    dice = random.Random(seed)
    expressions = [drawn(dice, dice.randint(0, 3)) for _ in range(1500)]
    groups = [f"- name: g{n}\n  rules: [{{record: r, expr: {json.dumps(text)}}}]\n" for n, text in enumerate(expressions)]
    (tmp_path / "rules.yaml").write_text("groups:\n" + "".join(groups))
    ran = subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yaml")], capture_output=True, text=True, check=False)
    theirs = {int(n) for n in re.findall(r'group "g(\d+)"', ran.stderr)}
    ours = {n for n, text in enumerate(expressions) if not readable(text)}
    assert 200 < len(theirs) < 1300
    assert {expressions[n] for n in ours ^ theirs} == set()


def readable(text: str) -> bool:
    try:
        parse(text)
    except NotPromQL:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "at"),
    [("sum(up", 6), ("up >", 4), ("up ! 3", 3), ("rate(up)", 0), ("1 > 2", 2), ("up{job=a}", 3), ("", 0), ("up[5m] offset", 13)],
)
def test_what_is_wrong_is_told_with_its_place(text: str, at: int):
    with pytest.raises(NotPromQL) as wrong:
        parse(text)
    assert wrong.value.at == at


@pytest.mark.parametrize("text", ["(" * 100 + "1" + ")" * 100, "-" * 5000 + "1", "u" * (LONGEST + 1), "1+" * 20_000 + "1"])
def test_what_is_too_deep_or_too_long_is_not_called_wrong(text: str):
    with pytest.raises(NotPromQL) as wrong:
        parse(text)
    assert wrong.value.beyond


def test_a_long_chain_is_read_and_walked():
    tree = parse(" or ".join(f"a{n}" for n in range(MOST_OPERATORS + 1)))
    assert len([*walk(tree)]) == 2 * MOST_OPERATORS + 1
    assert carried(tree).value("x") is None


def test_precedence_is_that_of_prometheus():
    tree = parse("-a ^ b * c + d > 1 and e or f unless g")
    assert isinstance(tree, Binary)
    assert tree.operator == "or"
    assert isinstance(tree.left, Binary)
    assert (tree.left.operator, tree.left.left.operator, tree.left.left.left.operator) == ("and", ">", "+")
    assert isinstance(parse("a ^ b ^ c").right, Binary)
    assert isinstance(parse("a - b - c").left, Binary)


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ('up{namespace="a"}', "namespace", "a"),
        ("up", "namespace", None),
        ("sum(up)", "namespace", ""),
        ("sum by (namespace) (up)", "namespace", None),
        ("sum by (pod) (up)", "namespace", ""),
        ('sum by (namespace) (up{namespace="a"}) > 3', "namespace", "a"),
        ("sum without (namespace) (up)", "namespace", ""),
        ("sum without (pod) (up)", "namespace", None),
        ("topk(3, up)", "namespace", None),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "namespace", ""),
        ("histogram_quantile(0.9, sum by (le, namespace) (rate(x_bucket[5m])))", "le", ""),
        ('absent(up{namespace="a"})', "namespace", "a"),
        ('absent(up{namespace="a"})', "pod", ""),
        ("vector(1)", "namespace", ""),
        ("sum(up) * on (namespace) b", "namespace", ""),
        ("a * on (namespace) b", "pod", ""),
        ("a * ignoring (pod) b", "pod", ""),
        ("a * on (pod) group_left (namespace) sum by (pod, namespace) (b)", "namespace", None),
        ("sum(a) or sum by (namespace) (b)", "namespace", None),
        ("sum(a) and sum by (namespace) (b)", "namespace", ""),
        ('label_replace(sum(a), "namespace", "x", "", "")', "namespace", None),
        ('count_values("namespace", a)', "namespace", None),
        ("3 < sum(a)", "namespace", ""),
    ],
)
def test_the_labels_that_series_carry_are_known_as_far_as_the_expression_says(text: str, label: str, value: str | None):
    assert carried(parse(text)).value(label) == value


def test_two_windows_of_the_same_thing_are_a_burn_rate():
    assert burn_rate(parse("slo:e:ratio_rate5m > 0.01 and slo:e:ratio_rate1h > 0.01"))
    assert burn_rate(parse("(a:rate5m > 14.4 * 0.001 and a:rate1h > 14.4 * 0.001) or (a:rate30m > 1 and a:rate6h > 1)"))
    assert burn_rate(parse("rate(e_total[5m]) / rate(r_total[5m]) > 1 and rate(e_total[1h]) / rate(r_total[1h]) > 1"))
    assert not burn_rate(parse("slo:e:ratio_rate5m > 0.01"))
    assert not burn_rate(parse("rate(a[5m]) > 1 and rate(b[1h]) > 1"))
    assert not burn_rate(parse("rate(a[5m]) > 1 and rate(a[5m]) < 2"))


def test_comparisons_are_told_as_if_the_number_stood_on_the_right():
    told = [(c.sign, c.limit) for c in comparisons(parse("(14.4 * 0.001 < a and b >= -1) or c == 2 unless d > 9"))]
    assert told == [(">", pytest.approx(0.0144)), (">=", -1.0), ("==", 2.0)]
    assert windows(parse("rate(a[5m]) + b:c:rate1h + max_over_time(d[30m:1m])")) == {300.0, 3600.0, 1800.0}
