"""`sre-agent replay`, as a user runs it: what is printed where, and the exit status."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sre_agent.__main__ import run
from sre_agent.testing.openai import OpenAIStandIn, answers
from tests.terminal import at_a_terminal

HEALTHY = Path(__file__).parent.parent / "incidents" / "healthy"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRE_AGENT_DATA_DIR", str(tmp_path / "kept"))
    return tmp_path / "kept" / "replays"


@pytest.mark.parametrize(("jobs", "word"), [("1", signal.SIGINT), ("2", signal.SIGINT), ("2", signal.SIGTERM)])
def test_a_run_that_is_stopped_is_kept_and_one_that_ended_is_not(jobs: str, word: signal.Signals, tmp_path: Path, kept: Path):
    cases = tmp_path / "cases"
    for n in range(9):
        shutil.copytree(HEALTHY, cases / f"{n}")
    (cases / "5" / "case.json").unlink()
    os.mkfifo(cases / "5" / "case.json")  # reading it waits for somebody who writes
    program = at_a_terminal("replay", str(cases), "--json", str(tmp_path / "out.jsonl"), "--jobs", jobs)
    with subprocess.Popen(program, stderr=subprocess.PIPE, start_new_session=True) as running:
        while not ((tmp_path / "out.jsonl").exists() and (tmp_path / "out.jsonl").read_bytes().count(b"\n") == 5):
            assert running.poll() is None
        if word is signal.SIGINT:
            os.killpg(running.pid, word)  # as the terminal does: the workers hear it too
        else:
            running.send_signal(word)
        told = running.communicate()[1].decode()
    assert running.returncode == 130, told
    assert "the same command with --resume goes on from there" in told
    assert "Traceback" not in told
    assert len(list(kept.iterdir())) == 1
    (cases / "5" / "case.json").unlink()
    shutil.copy(HEALTHY / "case.json", cases / "5")
    assert run(["replay", str(cases), "--json", str(tmp_path / "out.jsonl"), "--jobs", "1", "--resume"]) == 0
    assert list(kept.iterdir()) == []
    assert run(["replay", str(cases), "--json", str(tmp_path / "whole.jsonl")]) == 0
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_workers_do_not_outlive_a_program_that_was_killed(tmp_path: Path):
    for n in range(2):
        shutil.copytree(HEALTHY, tmp_path / "cases" / f"{n}")
        (tmp_path / "cases" / f"{n}" / "case.json").unlink()
        os.mkfifo(tmp_path / "cases" / f"{n}" / "case.json")
    program = [sys.executable, "-m", "sre_agent", "replay", str(tmp_path / "cases"), "--jobs", "2"]
    # The workers hold the other end of this pipe: it is read to its end when the last of them is gone.
    with (
        subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running,
        (tmp_path / "cases" / "0" / "case.json").open("w"),  # open when a worker reads there
    ):
        running.kill()
        assert running.stdout is not None
        assert running.stdout.read() == b""


def test_a_case_that_cannot_be_read_is_printed_as_such_and_the_others_still_are(tmp_path: Path, capfd):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "case.json").write_text('{"schema": 1,\n "id": "x"}')
    assert run(["replay", str(tmp_path / "broken"), str(HEALTHY), "--json", "-"]) == 1
    printed = capfd.readouterr()
    failed, done = (json.loads(line) for line in printed.out.splitlines())
    assert set(failed) == {"case", "error"}
    assert "broken/case.json, line 1, field at" in failed["error"]
    assert (done["case"], done["verdict"], done["policy_ids"]) == ("healthy", "no_action", [])


@pytest.mark.parametrize(
    "words", [("{missing}/case",), ("{case}", "--json", "{missing}/out.jsonl"), ("{case}", "--json", "{folder}")]
)
def test_a_path_that_cannot_be_read_or_written_is_wrong_usage(words: tuple[str, ...], tmp_path: Path, capfd):
    given = [w.format(missing=tmp_path / "nowhere", case=HEALTHY, folder=tmp_path) for w in words]
    assert run(["replay", *given]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "bug" not in printed.err
    assert str(tmp_path) in printed.err


def test_a_case_given_twice_is_replayed_twice_and_told(tmp_path: Path, capfd):
    shutil.copytree(HEALTHY, tmp_path / "copy")
    assert run(["replay", str(HEALTHY), str(tmp_path / "copy"), "--json", "-"]) == 0
    printed = capfd.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert f"{tmp_path / 'copy'}: the same case as {HEALTHY}; it counts twice" in printed.err


def test_a_model_thinks_until_the_money_for_the_run_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    for n in range(4):
        shutil.copytree(HEALTHY, tmp_path / "cases" / f"{n}")
    answer = dict.fromkeys(("claimed_class", "veto", "nominated_runbook")) | {"statements": [], "confidence": 1.0}
    with OpenAIStandIn([answers(answer, tokens=(1000, 100))]) as model:
        for name, value in {
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_KEY": "k",
            "OPENAI_MODEL": "stand-in",
            "SRE_AGENT_MODEL_USD_PER_M_INPUT": "10",
            "SRE_AGENT_MODEL_USD_PER_M_OUTPUT": "10",
        }.items():
            monkeypatch.setenv(name, value)
        words = ["replay", str(tmp_path / "cases"), "--reasoner", "openai", "--json", "-", "--jobs", "1"]
        assert run([*words, "--max-usd", "0.06"]) == 0
        told = [json.loads(line)["model"] for line in capfd.readouterr().out.splitlines()]
        asked = len(model.requests)
    assert asked == sum(m["calls"] for m in told) > 0
    assert sum(m["usd"] for m in told) <= 0.06
    assert told[0]["usd"] > 0, told
    assert [told[-1][name] for name in ("calls", "usd", "fallback")] == [0, 0.0, "over-budget"]


def test_looking_at_the_past_needs_nothing_that_only_a_running_agent_needs(monkeypatch: pytest.MonkeyPatch, capfd):
    half = {"OPENAI_API_KEY": "k", "PAGERDUTY_API_TOKEN": "t", "LANGFUSE_HOST": "http://127.0.0.1:9", "PATRONI_WRITE_USERNAME": "w"}
    for name, value in half.items():
        monkeypatch.setenv(name, value)
    assert run(["replay", str(HEALTHY), "--json", "-"]) == 0
    assert run(["replay", str(HEALTHY), "--reasoner", "openai"]) == 1
    assert "OPENAI_MODEL: the reasoner openai needs a model name" in capfd.readouterr().err
    assert run(["findings"]) == 0
    assert run(["settings"]) == 1  # what a running agent would refuse is still told


def test_a_limit_without_a_price_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, capfd):
    for name, value in {"OPENAI_API_KEY": "k", "OPENAI_MODEL": "m", "SRE_AGENT_MODEL_USD_PER_M_INPUT": "0"}.items():
        monkeypatch.setenv(name, value)
    assert run(["replay", str(HEALTHY), "--reasoner", "openai", "--max-usd", "1"]) == 2
    assert "SRE_AGENT_MODEL_USD_PER_M_INPUT" in capfd.readouterr().err
