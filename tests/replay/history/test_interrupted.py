"""Imports that are killed, stopped, or at work in the same folder."""

import signal
import subprocess

import pytest

from sre_agent.incident.errors import Permanent
from sre_agent.replay.case import load_case
from sre_agent.testing.pagerduty_faults import Fault
from tests.replay.history.stage import (
    WORDS,
    bare,
    environment,
    imported,
    lines,
    paths,
    processes,
    quick,
    replayed,
    settings_for,
    started,
    tree,
    wait_for,
)
from tests.terminal import at_a_terminal

pytestmark = pytest.mark.real


def test_a_folder_that_cannot_be_written_to_or_is_in_use_is_said(pagerduty, tmp_path):
    settings = settings_for(pagerduty, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(Permanent, match="cases cannot be saved there"):
        imported(settings, tmp_path / "file")
    pagerduty.faults.add(Fault(path="/incidents", delay_s=3))
    with started(environment(pagerduty, tmp_path), tmp_path / "cases") as other:
        wait_for(lambda: "/users" in paths(pagerduty))
        with pytest.raises(Permanent, match="another replay is saving its cases there"):
            imported(settings, tmp_path / "cases")
        other.kill()


@pytest.mark.parametrize("killed_at", [1, 17, 33])
def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_bytes(pagerduty, clock, tmp_path, killed_at):
    quick(pagerduty, clock, 40, minutes=20)
    told = environment(pagerduty, tmp_path)
    whole = replayed(told, *WORDS, "--save", str(tmp_path / "whole"))
    assert (whole.returncode, len(lines(whole.stdout))) == (0, 40), whole.stderr
    # Every request takes its time, so that there is something to be killed in the middle of.
    pagerduty.faults.add(Fault(path="/incidents/.*", delay_s=0.05, times=100_000))
    save = tmp_path / "killed"
    with started(told, save) as run:
        wait_for(lambda: len(list(save.glob("*/case.json"))) >= killed_at)
        run.send_signal(signal.SIGKILL)
        assert run.wait(10) == -signal.SIGKILL
    wait_for(lambda: not processes(str(save)))
    there = len([p for p in save.glob("*/case.json") if not p.parent.name.startswith(".")])
    assert killed_at - 1 <= there < 40
    pagerduty.faults.clear()
    asked = len(pagerduty.calls)
    again = replayed(told, *WORDS, "--save", str(save))
    assert again.returncode == 0, again.stderr
    assert again.stdout == whole.stdout
    assert tree(save) == tree(tmp_path / "whole")
    fetched = {p.split("/")[2] for p in paths(pagerduty, asked) if p.startswith("/incidents/")}
    assert len(fetched) == 40 - there
    offline = replayed({"SRE_AGENT_DATA_DIR": str(tmp_path / "data")}, str(save), "--json", "-")
    assert offline.stdout == whole.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_says_one_line_and_keeps_what_is_whole(pagerduty, clock, tmp_path, how):
    quick(pagerduty, clock, 40, minutes=20)
    pagerduty.faults.add(Fault(path="/incidents/.*", delay_s=0.1, times=100_000))
    save = tmp_path / "cases"
    words = at_a_terminal("replay", *WORDS, "--save", str(save))
    with subprocess.Popen(words, env=bare(environment(pagerduty, tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        wait_for(lambda: len(list(save.glob("*/case.json"))) >= 17)
        run.send_signal(how)
        _, said = run.communicate(timeout=30)
    assert run.returncode == 130, said
    assert "Traceback" not in said.decode(), said.decode()
    assert "exception" not in said.decode().lower(), said.decode()
    whole = [p.parent for p in save.glob("*/.fetched.json")]
    assert len(whole) >= 16
    for folder in whole:
        load_case(folder)
