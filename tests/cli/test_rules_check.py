"""`sre-agent rules check` as people and CI call it."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sre_agent.__main__ import run
from tests.rules.test_fix import ROUTES, RULES

pytestmark = pytest.mark.usefixtures("bare_environment")

GOOD = """\
groups:
  - name: a
    rules:
      - alert: RedisDown
        expr: max by (redis_master) (redis_up) == 0
        for: 5m
        labels: {alert_type: infra, team: platform, severity: page}
"""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str) -> int:
    return run(["rules", "check", *arguments])


def test_nothing_wrong_is_status_0_and_one_line(place, capsys):
    Path("r.yaml").write_text(GOOD)
    assert check("r.yaml") == 0
    assert capsys.readouterr().out == "1 file, 1 rule: 0 errors, 0 warnings, 0 notes\n"


def test_an_error_is_status_1_and_says_where_why_and_what_to_do(place, capsys):
    Path("r.yaml").write_text(GOOD.replace("infra", "INFRA"))
    assert check("r.yaml") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("r.yaml:7:30: error SRA102 alert-type-invalid: alert_type is 'INFRA'")
    assert lines[1] == "    write infra [--fix]"


def test_a_warning_fails_only_where_asked(place):
    Path("r.yaml").write_text(GOOD.replace("        for: 5m\n", ""))
    assert check("r.yaml") == 0
    assert check("r.yaml", "--strict") == 1


def test_what_cannot_be_read_is_status_2_and_the_rest_is_told(place, capsys):
    Path("r.yaml").write_text(GOOD.replace("infra", "INFRA"))
    Path("values.yaml").write_text("image: x\n")
    assert check("r.yaml", "values.yaml", "none.yaml", "empty/*.yml") == 2
    told = capsys.readouterr()
    assert "SRA102" in told.out
    assert "values.yaml:1: this is neither; expected Prometheus rules (groups:)" in told.err
    assert "none.yaml: there is no such file" in told.err
    assert "empty/*.yml" in told.err


def test_folders_and_globs_are_taken_and_what_is_no_rule_file_is_told(place, capsys):
    Path("rules/deep").mkdir(parents=True)
    Path("rules/a.yaml").write_text(GOOD)
    Path("rules/deep/b.rules").write_text(GOOD)
    Path("rules/chart.yaml").write_text("name: x\n")
    assert check("rules/*.yaml", "rules") == 2
    assert "left out" not in capsys.readouterr().err
    assert check("rules") == 0
    assert check("rules/**/*.rules", "rules/a.yaml", str(place / "rules" / "a.yaml")) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-2:] == ["2 files, 2 rules: 0 errors, 0 warnings, 0 notes"] * 2
    assert "left out: rules/chart.yaml:1: this is neither" in told.err


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a}\nspec:\n  " + GOOD.replace("\n", "\n  "),
        "kind: List\nitems:\n- kind: PrometheusRule\n  spec:\n    " + GOOD.replace("\n", "\n    "),
        "---\nkind: PrometheusRule\nspec: {groups: []}\n---\nkind: PrometheusRule\nspec:\n  " + GOOD.replace("\n", "\n  "),
    ],
)
def test_rules_inside_kubernetes_objects_are_read(place, capsys, text):
    Path("r.yaml").write_text(text)
    assert check("r.yaml") == 0
    assert capsys.readouterr().out == "1 file, 1 rule: 0 errors, 0 warnings, 0 notes\n"


@pytest.mark.parametrize("kind", ["AlertmanagerConfig", "ConfigMap"])
def test_other_kubernetes_objects_are_refused_by_name(place, capsys, kind):
    Path("r.yaml").write_text(f"kind: {kind}\nspec: {{route: {{receiver: a}}}}\n")
    assert check("r.yaml") == 2
    assert f"a Kubernetes object of kind {kind}; expected" in capsys.readouterr().err


def test_json_and_sarif_can_be_written_to_a_file(place, capsys):
    Path("r.yaml").write_text(GOOD.replace("infra", "INFRA"))
    assert check("r.yaml", "--format", "sarif", "--output", "out.sarif") == 1
    assert capsys.readouterr().out == "out.sarif: 1 file, 1 rule: 1 error, 1 warning, 0 notes\n"
    assert json.loads(Path("out.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "SRA102"
    assert check("r.yaml", "--format", "json") == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["id"] == "SRA102"
    assert check("r.yaml", "--output", "no/such/folder") == 1
    assert "cannot be written" in capsys.readouterr().err


def test_fix_repairs_in_place_keeps_the_mode_and_follows_links(place, capsys):
    Path("real.yaml").write_text(RULES)
    Path("real.yaml").chmod(0o640)
    Path("r.yaml").symlink_to("real.yaml")
    assert check("r.yaml", "--fix") == 0
    assert "r.yaml: 4 fixed" in capsys.readouterr().err
    assert Path("r.yaml").is_symlink()
    assert stat.S_IMODE(Path("real.yaml").stat().st_mode) == 0o640
    assert "alert_type: infra," in Path("real.yaml").read_text()
    assert sorted(os.listdir()) == ["r.yaml", "real.yaml"]
    before = Path("real.yaml").read_bytes()
    check("r.yaml", "--fix")
    assert Path("real.yaml").read_bytes() == before


def test_diff_alone_writes_nothing_and_fix_with_diff_shows_what_was_written(place, capsys):
    Path("am.yml").write_text(ROUTES)
    assert check("am.yml", "--diff") == 0
    shown = capsys.readouterr()
    assert Path("am.yml").read_text() == ROUTES
    assert "would be fixed" in shown.err
    assert "\n-    - match:\n" in shown.out
    assert "\n+    - matchers:\n+        - 'alert_type=\"model\"'   # the class\n" in shown.out
    assert check("am.yml", "--diff", "--fix") == 0
    told = capsys.readouterr().out
    assert told.startswith(shown.out[: shown.out.index("am.yml:5:7: ")])
    assert "matchers:" in Path("am.yml").read_text()


def test_bytes_that_fix_does_not_touch_stay_even_with_a_mark_and_other_line_ends(place):
    raw = b"\xef\xbb\xbf" + RULES.replace("\n", "\r\n").encode()
    Path("r.yaml").write_bytes(raw)
    check("r.yaml", "--fix")
    after = Path("r.yaml").read_bytes()
    assert after.startswith(b"\xef\xbb\xbf# our rules\r\n")
    assert after.count(b"\r\n") == raw.count(b"\r\n") == after.count(b"\n")


def test_a_file_that_changed_meanwhile_is_left_alone(place):
    from sre_agent.cli.rules.write import replaced
    from sre_agent.incident.errors import ConfigurationError

    Path("r.yaml").write_text("groups: []\n# somebody was here\n")
    with pytest.raises(ConfigurationError, match="changed by somebody else"):
        replaced(Path("r.yaml"), "groups: []\n", "groups: [x]\n")
    assert Path("r.yaml").read_text() == "groups: []\n# somebody was here\n"


def test_what_fix_leaves_to_a_person_is_named(place, capsys):
    Path("r.yaml").write_text(GOOD.replace("infra", "INFRA"))
    Path("am.yml").write_text(
        "route:\n  receiver: default\n  routes:\n    - {matchers: ['alert_type=\"infra\"'], receiver: pd-platform}\n"
        "receivers: [{name: default}, {name: pd-platform}]\n"
    )
    assert check("r.yaml", "am.yml", "--fix") == 1
    assert "r.yaml:7: SRA102 is not fixed: it would change which receiver gets the alert" in capsys.readouterr().err
    assert "INFRA" in Path("r.yaml").read_text()


def test_another_routing_file_may_be_named(place, capsys):
    Path("r.yaml").write_text(GOOD.replace("severity: page", "severity: page, vertical: logistics"))
    assert check("r.yaml", "--strict") == 1
    Path("routing.yaml").write_text("verticals: {logistics: {runtime: x}}\n")
    assert check("r.yaml", "--strict", "--routing", "routing.yaml") == 0
    Path("routing.yaml").write_text("verticals: {}\ncost: {matchers: [['signal']]}\n")
    assert check("r.yaml", "--routing", "routing.yaml") == 1
    assert "routing.yaml:2: 'signal' is no matcher" in capsys.readouterr().err


@pytest.mark.parametrize(
    "raw",
    [
        b"a: &a [x, x]\n"
        + b"".join(b"b%d: &b%d [*%s, *%s]\n" % (n, n, p, p) for n, p in enumerate([b"a", *(b"b%d" % m for m in range(40))])),
        b"[" * 500_000,
        b"groups:\n" + b"- " * 100_000,
        os.urandom(5000) + b"\xff",
        b"\x00" * 100,
        b"groups: &g [*g]",
        b"x" * 17_000_000,
        b"groups: [{name: a, rules: [{alert: a, expr: '" + b"(" * 30_000 + b"'}]}]",
    ],
    ids=["bomb", "brackets", "dashes", "noise", "nul", "cycle", "huge", "expression"],
)
def test_a_hostile_file_is_one_complaint_soon(place, raw):
    Path("r.yaml").write_bytes(raw)
    command = [sys.executable, "-m", "sre_agent", "rules", "check", "r.yaml"]
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert ran.returncode in (1, 2)
    assert "Traceback" not in ran.stderr
    assert len((ran.stderr + ran.stdout).splitlines()) < 12


@pytest.mark.real
def test_a_thousand_rules_and_their_routes_take_seconds_of_work(place):
    rule = GOOD.split("rules:\n")[1]
    Path("r.yaml").write_text(GOOD + "".join(rule.replace("RedisDown", f"R{n}").replace("infra", "INFRA") for n in range(1000)))
    routes = "".join(f"    - {{matchers: ['alertname=\"R{n}\"'], receiver: default}}\n" for n in range(300))
    Path("am.yml").write_text(f"route:\n  receiver: default\n  routes:\n{routes}receivers: [{{name: default}}]\n")
    began = time.process_time()
    assert check("r.yaml", "am.yml", "--fix") == 0
    # Of CPU, with room for a slow machine: what is meant is that nothing grows with the square.
    assert time.process_time() - began < 60
    assert "INFRA" not in Path("r.yaml").read_text()
