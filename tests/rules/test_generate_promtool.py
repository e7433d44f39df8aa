"""Debian's promtool agrees: the rules are valid, their tests pass, and a rule that is changed fails them."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rules.objectives import changed, written

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's promtool (package prometheus) is not installed"),
]
EXAMPLE = Path(__file__).parents[2] / "docs/examples/slo.yaml"
PAGES = '["1h", "6h"]'
TICKETS = '["1d", "3d"]'
ONE = """\
slos:
  - name: checkout
    objective: 0.999
    ratio:
      errors: http_requests_total{code=~"5..|timeout",job!="x"}
      total: http_requests_total{job!="x"}
    by: [pod]
    labels: {alert_type: infra, team: platform, namespace: shop}
"""


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_shipped_example_is_valid_and_its_tests_pass(tmp_path: Path):
    rules, tests = written(EXAMPLE, tmp_path)
    checked = promtool("check", "rules", rules)
    assert checked.returncode == 0, checked.stderr
    run = promtool("test", "rules", tests)
    assert run.returncode == 0, run.stderr + run.stdout


def test_quantiles_costs_and_latencies_pass_their_tests(tmp_path: Path):
    _, tests = written(changed(tmp_path), tmp_path)
    run = promtool("test", "rules", tests)
    assert run.returncode == 0, run.stderr + run.stdout


@pytest.mark.parametrize(
    ("rows", "old", "new"),
    [
        (PAGES, "rate1h > (14.4", "rate1h > (14.8"),
        (PAGES, "rate1h > (14.4", "rate1h > (14"),
        (PAGES, "rate5m > (14.4", "rate5m > (14"),
        (PAGES, "rate6h > (6", "rate6h > (6.2"),
        (PAGES, "rate30m > (6", "rate30m > (5.8"),
        (PAGES, "increase1h >= 100", "increase1h >= 10"),
        (PAGES, "severity: page", "severity: ticket"),
        (TICKETS, "rate1d > (3", "rate1d > (3.1"),
        (TICKETS, "rate1d > (3", "rate1d > (2.9"),
        (TICKETS, "rate2h > (3", "rate2h > (2.9"),
        (TICKETS, "rate3d > (1", "rate3d > (0.97"),
        (TICKETS, "rate6h > (1", "rate6h > (0.97"),
    ],
)
def test_a_rule_that_is_changed_in_one_place_fails_its_tests(tmp_path: Path, rows: str, old: str, new: str):
    rules, tests = written(changed(tmp_path, text=f"{ONE}    rows: {rows}\n"), tmp_path)
    text = rules.read_text()
    assert old in text
    rules.write_text(text.replace(old, new, 1))
    assert promtool("check", "rules", rules).returncode == 0
    run = promtool("test", "rules", tests)
    assert run.returncode == 1
    assert "FAILED" in run.stdout + run.stderr


def test_drawn_files_are_valid_and_one_of_them_passes_its_tests(tmp_path: Path):
    draw = random.Random(7)
    for i in range(40):
        path = tmp_path / f"{i}.yaml"
        path.write_text(_drawn(draw))
        rules, _ = written(path, tmp_path)
        checked = promtool("check", "rules", rules)
        assert checked.returncode == 0, f"{path.read_text()}\n{checked.stderr}"
    first = promtool("test", "rules", tmp_path / "2.test.yaml")
    assert first.returncode == 0, first.stdout + first.stderr


def _drawn(draw: random.Random) -> str:
    """A valid file of objectives."""
    lines = ["slos:"]
    for i in range(draw.randint(1, 4)):
        labels = draw.choice(["alert_type: infra", "alert_type: model", "alert_type: tool, tool_name: 'crm \"x\"'"])
        matchers = draw.choice(["", 'job="a\\"b\\\\c"', "job='it''s'".replace("''", "\\'"), "job=~`a.+|b`", 'a!="", b!~"x|y",'])
        lines += [
            f"  - name: {draw.choice(['a', 'B-c', 'x.y z', 'Long_name'])}{i}",
            f"    objective: {draw.choice(['0.95', '99.9%', '0.999999', '0.9999'])}",
            f"    period: {draw.choice(['7d', '28d', '30d'])}",
            f"    by: {draw.choice(['[]', '[pod]', '[pod, zone]'])}",
            f"    labels: {{{labels}, team: {draw.choice(['t', 'ümläut', 'a: b'.replace(': ', '-')])}}}",
            f"    summary: {draw.choice(['plain', 'a colon# and hash', '- dash'.replace('- ', '')])!r}",
        ]
        if draw.random() < 0.5:
            lines.append(f"    latency: {{histogram: h{i}, threshold_s: {draw.choice([0.005, 1, 2.5, 30])}}}")
            continue
        total = f"t_total{{{matchers}}}"
        errors = f't_total{{{matchers}{"" if matchers.endswith(",") or not matchers else ","}code=~"5.."}}'
        lines += ["    ratio:", "      errors: |-", f"        {errors}", "      total: |-", f"        {total}"]
    return "\n".join(lines) + "\n"
