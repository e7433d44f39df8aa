"""A running agent keeps the policies it began with, and says when the files have moved on without it."""

import asyncio
import shutil
from pathlib import Path

import pytest

from sre_agent.settings import Settings, variables
from sre_agent.web.metrics import Metrics
from sre_agent.wiring.brain import load_books
from sre_agent.wiring.watch import BooksWatch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)
    for name in ("policies", "runbooks"):
        monkeypatch.setenv(f"SRE_AGENT_{name.upper()}", str(shutil.copytree(ROOT / name, tmp_path / name)))
    return tmp_path


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def watch(folders: Path, metrics: Metrics) -> BooksWatch:
    settings = Settings()
    return BooksWatch(settings, load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir), metrics)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def shown(metrics: Metrics) -> dict[str, float]:
    return {state: metrics.registry.get_sample_value("sre_agent_policies", {"state": state}) for state in STATES}


STATES = ("refused", "changed", "in_force")


async def test_files_that_are_the_ones_in_force_are_nothing_to_tell(watch, metrics) -> None:
    assert shown(metrics) == {"refused": 0, "changed": 0, "in_force": 1}
    await watch.look()
    assert await watch.note() is None
    assert shown(metrics)["in_force"] == 1


async def test_a_careless_edit_is_told_and_the_reason_logged_until_it_is_taken_back(watch, metrics, folders, caplog) -> None:
    path = folders / "policies/deny_safety.cedar"
    edit(path, "context.facts.halted", "context.facts.halter")
    await watch.look()
    note = await watch.note()
    assert "are refused" in note
    assert str(folders) not in note
    assert shown(metrics) == {"refused": 1, "changed": 0, "in_force": 0}
    (record,) = [r for r in caplog.records if r.message == "policies_refused"]
    assert f"{path}:" in record.reason
    assert "did you mean 'halted'" in record.reason
    edit(path, "context.facts.halter", "context.facts.halted")
    await watch.look()
    assert await watch.note() is None


async def test_a_sound_change_is_told_and_waits_for_a_restart(watch, metrics, folders) -> None:
    edit(folders / "runbooks/restart-pod.yaml", "soak_s: 300", "soak_s: 600")
    await watch.look()
    assert "until a restart" in await watch.note()
    assert shown(metrics) == {"refused": 0, "changed": 1, "in_force": 0}


async def test_files_that_were_not_touched_are_not_read_again(watch, folders, caplog) -> None:
    edit(folders / "policies/data/freezes.yaml", "tz: UTC", "tz: Mars/Olympus")
    await watch.look()
    await watch.look()
    assert [r.message for r in caplog.records].count("policies_refused") == 1


async def test_a_folder_that_vanished_is_refused_and_it_stops_when_told(watch, folders) -> None:
    shutil.rmtree(folders / "policies")
    stop = asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    while await watch.note() is None:
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert "are refused" in await watch.note()
