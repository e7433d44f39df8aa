"""What `sre-agent rules generate` and `routes render` write has no findings, strictly looked at, together."""

from pathlib import Path

import pytest

from sre_agent.__main__ import run

ROOT = Path(__file__).parents[2]
DOOR = "https://sre.example.com/webhooks/alertmanager"
pytestmark = pytest.mark.usefixtures("bare_environment")


def test_generated_rules_and_rendered_routes_have_no_findings(tmp_path, capsys):
    tree = tmp_path / "alertmanager.yml"
    assert run(["rules", "generate", str(ROOT / "docs" / "examples" / "slo.yaml"), "--out-dir", str(tmp_path)]) == 0
    assert run(["routes", "render", "--url", DOOR, "--output", str(tree)]) == 0
    capsys.readouterr()
    assert run(["rules", "check", str(tmp_path / "slo.rules.yaml"), str(tree), "--strict"]) == 0
    assert "rules: 0 errors, 0 warnings, 0 notes" in capsys.readouterr().out
