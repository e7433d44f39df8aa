"""What `sre-agent rules generate` writes has no findings, strictly looked at."""

from pathlib import Path

import pytest

from sre_agent.__main__ import run

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("bare_environment")


def test_generated_rules_have_no_findings(tmp_path, capsys):
    assert run(["rules", "generate", str(ROOT / "docs" / "examples" / "slo.yaml"), "--out-dir", str(tmp_path)]) == 0
    capsys.readouterr()
    assert run(["rules", "check", str(tmp_path), "--strict"]) == 0
    assert "rules: 0 errors, 0 warnings, 0 notes" in capsys.readouterr().out
