"""`sre-agent runbook`: what people read at night, and what they are told when they write one."""

import json
import shutil
from pathlib import Path

import pytest

from sre_agent.__main__ import run
from sre_agent.runbook.load import load_runbooks
from tests.cli.golden_files import assert_golden

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "runbooks"
pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUNBOOKS, tmp_path / "runbooks"))


def test_every_runbook_is_listed(capsys):
    assert run(["runbook", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == {p.stem for p in RUNBOOKS.glob("*.yaml")}
    assert run(["runbook", "list", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [r.id for r in load_runbooks(RUNBOOKS)]


@pytest.mark.parametrize("name", ["restart-pod", "redis-failover", "prompt-regression"])
def test_a_runbook_is_a_page_to_read_at_night(name, capsys):
    assert run(["runbook", "show", name]) == 0
    assert_golden(f"runbook-{name}.txt", capsys.readouterr().out)


def test_every_page_fits_a_terminal_and_leaves_nothing_out(capsys):
    for runbook in load_runbooks(RUNBOOKS):
        assert run(["runbook", "show", runbook.id]) == 0
        page = capsys.readouterr().out
        assert max(len(line) for line in page.splitlines()) <= 96 + 20  # a query may be longer than a line and is never cut
        flat = " ".join(page.split())
        for text in (runbook.title, runbook.summary, runbook.worst_case, runbook.undo, *runbook.checklist):
            assert " ".join(text.split()) in flat


def test_an_unknown_runbook_is_answered_with_the_nearest(capsys):
    assert run(["runbook", "show", "restart-pods"]) == 1
    assert "did you mean 'restart-pod'" in capsys.readouterr().err


def test_the_shipped_runbooks_pass_their_check(capsys):
    assert run(["runbook", "check"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_check_names_every_mistake_with_file_and_line_and_what_was_meant(folder, capsys):
    restart = folder / "restart-pod.yaml"
    text = restart.read_text().replace("pod_oom_killed", "pod_oom_kiled").replace("undo: None", "undoo: None")
    restart.write_text(text)
    failover = folder / "redis-failover.yaml"
    failover.write_text(failover.read_text() + "parameters: {grace_period: 0}\n")
    tool = folder / "tool-failure.yaml"
    tool.write_text(tool.read_text().replace("id: tool-failure", "id: tool_failure"))
    (folder / "extra.yml").write_text("id: extra\n")
    assert run(["runbook", "check", str(folder)]) == 1
    out, err = capsys.readouterr()
    at = next(i for i, line in enumerate(text.splitlines(), 1) if line.startswith("undoo"))
    last = len(failover.read_text().splitlines())
    for line in (
        f"{restart}:{at}: undoo: unknown key; did you mean 'undo'?",
        f"{failover}:{last}: parameters.grace_period: redis_failover takes no such parameter",
        f"{tool}:1: id is 'tool_failure' but the file is named 'tool-failure'",
        f"{folder / 'extra.yml'}: runbooks end in .yaml",
    ):
        assert line in out
    assert "did you mean 'pod_oom_killed'" in out
    assert "undo: missing" in out
    assert "6 problems" in err


def test_a_runbook_with_parameters_and_no_action_is_refused(folder, capsys):
    path = folder / "tool-failure.yaml"
    path.write_text(path.read_text() + "parameters: {replicas: 3}\n")
    assert run(["runbook", "check", str(folder)]) == 1
    assert "parameters without an action" in capsys.readouterr().out


def test_a_folder_without_runbooks_is_said_to_be_one(tmp_path, capsys):
    assert run(["runbook", "check", str(tmp_path)]) == 1
    assert "holds no runbook" in capsys.readouterr().out
    assert run(["runbook", "check", str(tmp_path / "nowhere")]) == 1
    assert "SRE_AGENT_RUNBOOKS" in capsys.readouterr().out
