"""A round that was recorded is decided again to the same hash, without asking anybody."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sre_agent.replay.archive import unpack
from sre_agent.replay.recording.packed import packed
from sre_agent.replay.recording.recording import recorded_files
from sre_agent.response.applied import advanced
from sre_agent.response.conclude import assessed
from sre_agent.response.document import as_stored
from sre_agent.response.record import IncidentRecord, State
from sre_agent.settings import fixed
from sre_agent.wiring.recorded import dry_run, files_of, replay_books

ROOT = Path(__file__).parents[3]
CASES = sorted(p.parent for p in (ROOT / "tests/incidents").glob("*/case.json"))
SETTINGS = fixed({})
BOOKS = replay_books(SETTINGS)


async def live(folder: Path, settings: Any = SETTINGS, **more: Any) -> IncidentRecord:
    """A case walked as a live incident is, and its record as the database gives it back."""
    run = dry_run(settings, BOOKS, folder)
    case = run.case
    record = IncidentRecord(id=case.incident.id, received_at=case.at, updated_at=case.at, state=State.INVESTIGATING, **more)
    found = await run.assessor.assess(
        case.incident, human_acknowledged=record.human_acknowledged, thread="t", now=case.at, spent=record.model_total
    )
    return as_stored(advanced(record, assessed(record, case.incident, found, case.at, "apr_1")))


def case_of(record: IncidentRecord, room: Path, most_bytes: int = 10**9) -> Path:
    """The recording of a record, packed and unpacked."""
    made = recorded_files(record, files_of(BOOKS), "1", most_bytes)
    assert made is not None
    (room / "x.tar.gz").write_bytes(packed(made[1]))
    (room / "case").mkdir()
    unpack(room / "x.tar.gz", room / "case")
    return room / "case"


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
async def test_every_shipped_incident_recorded_is_decided_again_to_the_same_hash(folder: Path, tmp_path: Path) -> None:
    record = await live(folder)
    assert record.judged is not None
    case = case_of(record, tmp_path)
    if (folder / "targets.json").exists():  # a live incident's declarations are those of the bundle
        shutil.copy(folder / "targets.json", case)
    told = (await dry_run(SETTINGS, BOOKS, case, as_recorded=True).replayed("x")).told
    assert told is not None
    assert told.recalled is not None
    assert (told.recalled.departures, told.recalled.inexact, told.recalled.other_books) == ((), "", ())
    assert told.decision_sha256 == told.recorded_sha256 == record.judged.decision.sha256
