"""`sre-agent cases` and `sre-agent replay --incident`, as a user runs them, on what an agent recorded in a real database."""

import asyncio
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from sre_agent.__main__ import run
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.recordings import PostgresRecordings
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.replay.expectation import differences, expectation_of, outcome_of
from sre_agent.replay.recording.recorder import Recorder
from sre_agent.response import lifecycle
from sre_agent.response.conclude import assessed
from sre_agent.response.record import IncidentRecord, State
from sre_agent.settings import Settings
from sre_agent.wiring.recorded import dry_run, files_of, replay_books
from tests.conftest import wiped

CASE = Path(__file__).parent.parent / "incidents" / "redis-slow-primary"
ID = json.loads((CASE / "case.json").read_text())["incident"]["id"]


@pytest.fixture
def data(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of the agent that recorded, in the environment; the folder of its declarations."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "targets.yaml").write_text(yaml.safe_dump(json.loads((CASE / "targets.json").read_text())))
    for name, value in {
        "DATABASE_URL": database_url,
        "SRE_AGENT_POLICY_DATA": str(folder),
        "SRE_AGENT_DATA_DIR": str(tmp_path / "kept"),
    }.items():
        monkeypatch.setenv(name, value)
    asyncio.run(recorded(database_url))
    return folder


async def recorded(url: str) -> None:
    """The shipped incident as it is walked live, in two rounds, each recorded; people acknowledge and resolve it."""
    settings = Settings()
    books = replay_books(settings)
    run_ = dry_run(settings, books, CASE)
    case = run_.case
    async with Database(url) as pool:
        await wiped(pool)
        store = PostgresStore(pool)
        recorder = Recorder(store, PostgresRecordings(pool, 10**9, timedelta(days=90)), books.bundle.hash, files_of(books), "1")
        record = await store.create(IncidentRecord(id=ID, received_at=case.at, updated_at=case.at, state=State.INVESTIGATING), ())
        for round_ in (1, 2):
            now = case.at + timedelta(minutes=10 * (round_ - 1))
            found = await run_.assessor.assess(case.incident, human_acknowledged=False, thread="t", now=case.at)
            record = await store.advance(record, assessed(record, case.incident, found, now, f"apr_{round_}"))
            await recorder.record(ID, round_)
            if round_ == 1:
                record = await store.advance(
                    record, lifecycle.handed_back(record, "nobody approved in time", now, kind="approval_expired")
                )
                record = await store.advance(record, lifecycle.reopened(record, now + timedelta(minutes=5)))
        for kind, minutes in ((EventKind.ACKNOWLEDGED, 2), (EventKind.RESOLVED, 3), (EventKind.RESOLVED, 30)):
            at = case.at + timedelta(minutes=minutes)
            event = IncidentEvent(
                door="pagerduty",
                kind=kind,
                type_name=f"incident.{kind.value}",
                event_id=f"E{minutes}",
                delivery_id=f"D{minutes}",
                incident_id=ID,
                occurred_at=at,
                agent_id="PPERSON",
            )
            await store.accept(event, b"{}", at)


def test_a_recorded_incident_is_decided_exactly_as_recorded(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "--incident", ID]) == 0
    told = capfd.readouterr().out
    assert told.count("decided exactly as recorded (sha256 ") == 2
    assert run(["replay", "--incident", ID, "--round", "2", "--json", "-"]) == 0
    out = capfd.readouterr()
    (line,) = out.out.splitlines()
    assert json.loads(line)["verdict"] == "needs_approval"
    assert "decided exactly as recorded" in out.err


def test_under_other_declarations_what_differs_is_told_and_is_no_failure(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (data / "targets.yaml").write_text("{}\n")
    assert run(["replay", "--incident", ID, "--round", "1"]) == 0
    told = capfd.readouterr().out
    assert "NOT decided as recorded" in told
    assert "policies/data/targets.yaml: changed since" in told
    assert "bundle_hash: recorded" in told


def test_a_decision_that_differs_under_the_same_books_fails(
    data: Path, database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["cases", "export", ID, "--round", "1", "--to", str(tmp_path / "out")]) == 0
    (folder,) = (tmp_path / "out").iterdir()
    recording = json.loads((folder / "recording.json").read_text())
    recording["judged"]["situation"]["facts"]["redis_quorum"] = False
    (folder / "recording.json").write_text(json.dumps(recording))
    capfd.readouterr()
    assert run(["replay", str(folder), "--as-recorded"]) == 1
    told = capfd.readouterr().out
    assert "NOT decided as recorded" in told
    assert "request.facts.redis_quorum: recorded True, now False" in told


@pytest.mark.parametrize(
    "words",
    [["replay", "--incident", "Q0UNKNOWN"], ["cases", "show", "Q0UNKNOWN"], ["replay", "--incident", ID, "--round", "7"]],
)
def test_what_is_not_recorded_is_said(words: list[str], data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 1
    said = capfd.readouterr().err
    assert "is kept; `sre-agent cases list` shows what there is" in said
    assert "Traceback" not in said


def test_folders_and_recorded_incidents_are_not_named_together(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(CASE), "--incident", ID]) == 2
    assert "not both" in capfd.readouterr().err


def test_cases_are_listed_newest_first_and_shown_with_what_each_source_said(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["cases", "list"]) == 0
    rows = capfd.readouterr().out.splitlines()[1:]
    assert [row.split()[:2] for row in rows] == [[ID, "2"], [ID, "1"]]
    assert run(["cases", "list", "--json", "--limit", "1"]) == 0
    assert json.loads(capfd.readouterr().out)["exact"] is True
    assert run(["cases", "show", ID, "--round", "1"]) == 0
    told = capfd.readouterr().out
    assert f"{ID}, round 1" in told
    assert "needs_approval" in told
    assert "redis" in told


def test_an_exported_case_stands_by_itself(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["cases", "export", ID, "--to", str(tmp_path / "out")]) == 0
    folders = sorted((tmp_path / "out").iterdir())
    assert [f.name for f in folders] == [f"{ID}-round-1", f"{ID}-round-2"]
    monkeypatch.delenv("SRE_AGENT_POLICY_DATA")  # it brings its declarations along
    settings = Settings()
    books = replay_books(settings)
    for folder in folders:
        result = asyncio.run(dry_run(settings, books, folder, as_recorded=True).result())
        expected = expectation_of(folder)
        assert expected is not None
        assert expected["verdict"] == "needs_approval"
        assert list(differences(expected, json.loads(result.line()))) == []
    first, second = (outcome_of(f) for f in folders)
    assert first is not None
    assert second is not None
    assert [a.what for a in first.actions] == ["nobody answered in time"]
    assert (first.acknowledged_at is not None, first.resolved_at is not None) == (True, True)
    assert (second.acknowledged_at, second.actions) == (None, ())
    assert second.resolved_at is not None
    assert second.notes == "ended awaiting_approval"


def test_nothing_is_half_written(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["cases", "export", ID, "Q0UNKNOWN", "--to", str(out)]) == 1
    assert list(out.iterdir()) == []
    (out / f"{ID}-round-2").mkdir()
    (out / f"{ID}-round-2" / "mine").write_text("x")
    assert run(["cases", "export", ID, "--to", str(out)]) == 1
    assert "exists already; nothing was written" in capfd.readouterr().err
    assert [p.relative_to(out).as_posix() for p in sorted(out.rglob("*"))] == [f"{ID}-round-2", f"{ID}-round-2/mine"]
    (tmp_path / "file").write_text("")
    assert run(["cases", "export", ID, "--to", str(tmp_path / "file" / "x")]) == 1
    assert "cannot be written to" in capfd.readouterr().err
    assert os.listdir(out) == [f"{ID}-round-2"]
    shutil.rmtree(out)
