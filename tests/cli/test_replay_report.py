"""What `sre-agent replay` prints and writes for people, and where that goes when a place takes no more."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from sre_agent.__main__ import run

INCIDENTS = Path(__file__).parent.parent / "incidents"
HEALTHY, CRASH, TOOL = (INCIDENTS / name for name in ("healthy", "pod-crash-loop", "tool-429"))


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_AGENT_DATA_DIR", str(tmp_path / "kept"))


def replayed(*words: object) -> int:
    return run(["replay", *(str(w) for w in words)])


def test_one_case_comes_with_its_note_and_several_with_a_table(capfd):
    assert replayed(HEALTHY) == 0
    alone = capfd.readouterr().out
    assert "[sre-agent " in alone
    assert "Would-be mistakes" in alone
    assert replayed(HEALTHY, CRASH) == 0
    table = capfd.readouterr().out
    assert "[sre-agent " not in table
    assert table.index("Would-be mistakes") < table.index("2 cases") < table.index("Verdicts: needs approval 1, no action 1")
    assert replayed(HEALTHY, CRASH, "--notes") == 0
    assert capfd.readouterr().out.count("[sre-agent ") == 2


def test_what_goes_to_standard_output_goes_there_alone(capfd):
    assert replayed(HEALTHY, CRASH, "--json", "-", "--notes") == 0
    printed = capfd.readouterr()
    assert [json.loads(line)["case"] for line in printed.out.splitlines()] == ["healthy", "pod-crash-loop"]
    assert "2 cases" in printed.err
    assert replayed(HEALTHY, CRASH, "--csv", "-") == 0
    printed = capfd.readouterr()
    assert [row["case"] for row in csv.DictReader(io.StringIO(printed.out))] == ["healthy", "pod-crash-loop"]
    assert replayed(HEALTHY, "--csv", "-", "--json", "-") == 2
    assert "both want standard output" in capfd.readouterr().err


def test_the_report_is_the_same_in_every_run_and_a_failed_case_is_in_it(tmp_path: Path, capfd):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "case.json").write_text("{")
    for name in ("one", "two"):
        assert replayed(CRASH, tmp_path / "broken", TOOL, "--html", tmp_path / name) == 1
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    told = (tmp_path / "one").read_text()
    assert "broken/case.json, line 1" in told
    assert re.findall(r"<summary><h3>([^<]+)", told) == ["pod-crash-loop", "tool-429"]
    assert "FAILED" in capfd.readouterr().out


@pytest.mark.parametrize("option", ["--html", "--csv", "--json"])
def test_a_place_that_cannot_be_written_to_is_told_before_anything_runs(option: str, tmp_path: Path, capfd):
    (tmp_path / "case").mkdir()
    assert replayed(tmp_path / "case", option, tmp_path / "nowhere" / "file") == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "failed" not in printed.err
    assert str(tmp_path / "nowhere") in printed.err


def test_an_earlier_report_stays_until_the_new_one_is_ready(tmp_path: Path, capfd):
    (tmp_path / "report.html").write_text("earlier")
    assert replayed(HEALTHY, "--html", tmp_path / "report.html", "--json", tmp_path / "nowhere" / "x") == 2
    assert (tmp_path / "report.html").read_text() == "earlier"
    capfd.readouterr()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_with_a_full_disk_the_run_goes_on_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert replayed(HEALTHY, CRASH, "--html", "/dev/full", "--json", "/dev/full", "--csv", "/dev/full") == 1
    printed = capfd.readouterr()
    assert "2 cases" in printed.out
    moved = {p.suffix: p for p in map(Path, re.findall(r"(\S+sre-agent-replay-\S+)", printed.err))}
    assert "2 past incidents, replayed" in moved[".html"].read_text()
    lines = [p.read_text() for p in tmp_path.glob("sre-agent-replay-*.lines")]
    assert sorted(text.count("\n") for text in lines) == [2, 3]
    assert "Traceback" not in printed.err


def test_a_report_tells_of_one_setup(tmp_path: Path, capfd):
    shutil.copytree(INCIDENTS.parent.parent / "policies", tmp_path / "mine")
    for option in (("--html", tmp_path / "x"), ("--csv", "-"), ("--notes",)):
        assert replayed(HEALTHY, "--policy", tmp_path / "mine", *option) == 2
        assert "one setup" in capfd.readouterr().err
    assert not (tmp_path / "x").exists()
