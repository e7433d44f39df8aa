"""`sre-agent settings` and `sre-agent findings`, as a user runs them."""

import json
from pathlib import Path

import pytest

from sre_agent.__main__ import run
from sre_agent.cli.render import printable
from sre_agent.evidence.finding import FindingKind
from sre_agent.settings import variables


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)
    # The shipped folders may be anywhere; these are known.
    monkeypatch.setenv("SRE_AGENT_RUNBOOKS", str(tmp_path))
    monkeypatch.setenv("SRE_AGENT_POLICIES", str(tmp_path))


def test_json_has_every_variable_and_no_secret(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "postgresql://agent:hush@db/sre")
    monkeypatch.setenv("PAGERDUTY_WEBHOOK_SECRETS", '{"PSUB": "hush"}')
    monkeypatch.setenv("PROMETHEUS_URL", "http://me:hush@prometheus:9090")
    assert run(["settings", "--json"]) == 0
    out = capsys.readouterr().out
    shown = json.loads(out)
    assert list(shown) == list(variables())
    assert "hush" not in out
    assert shown["PAGERDUTY_WEBHOOK_SECRETS"] == {"PSUB": "********"}
    assert shown["SRE_AGENT_REASONER"] == "rules"


def test_the_address_that_signs_notes_is_shown_for_it_is_no_secret_here(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("PAGERDUTY_FROM_EMAIL", "sre-agent@example.test")
    assert run(["settings", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["PAGERDUTY_FROM_EMAIL"] == "sre-agent@example.test"


def test_the_table_tells_where_a_value_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    (tmp_path / "c.yaml").write_text("SRE_AGENT_MODE: approve\nSRE_AGENT_LOG_LEVEL: debug\n")
    monkeypatch.setenv("SRE_AGENT_MODE", "off")
    assert run(["--config", str(tmp_path / "c.yaml"), "settings"]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["SRE_AGENT_MODE"] == ["off", "environment"]
    assert rows["SRE_AGENT_LOG_LEVEL"] == ["debug", "file"]
    assert rows["SRE_AGENT_WORKER_CONCURRENCY"] == ["4", "default"]


def test_a_wrong_setting_ends_in_one_line_naming_it(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("SRE_AGENT_MODE", "bold")
    assert run(["settings"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "SRE_AGENT_MODE" in err


def test_findings_are_listed_with_class_and_meaning(capsys):
    assert run(["findings", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert set(listed) == {kind.value for kind in FindingKind}
    assert listed["redis_primary_slow"]["class"] == "infra"
    assert run(["findings"]) == 0
    assert "prompt_regression" in capsys.readouterr().out


def test_what_a_terminal_would_obey_is_written_out():
    assert printable("a\x1b[2J\nb\u202e") == "a\\x1b[2J\\nb\\u202e"
