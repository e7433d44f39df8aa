"""Recordings out of the agent's own store: for a replay, for a look, and as test cases to be handed on."""

import asyncio
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sre_agent.incident.errors import Permanent
from sre_agent.replay.archive import unpack
from sre_agent.replay.case_file import CaseReader
from sre_agent.replay.recording.packed import SUFFIX
from sre_agent.replay.recording.recording import Recording, recording_of
from sre_agent.replay.recording.shared import declared, expected, outcome_of_round
from sre_agent.replay.recording.store import Kept
from sre_agent.settings import Settings
from sre_agent.wiring.recorded import dry_run, replay_books
from sre_agent.wiring.state import State, opened_state

_EVENTS = 10_000
"""Events of the pager that are looked through for what people did."""


@dataclass(frozen=True)
class Unpacked:
    """One recording on disk."""

    kept: Kept
    folder: Path


async def listing(settings: Settings, limit: int) -> tuple[Kept, ...]:
    """The newest recordings."""
    async with opened_state(settings) as state:
        return await state.recordings.listing(limit)


async def unpacked(settings: Settings, incident_id: str, only: int | None, room: Path) -> tuple[Unpacked, ...]:
    """The recorded rounds of an incident, or the round `only`, as case folders below `room`.

    Raises Permanent when there is none, MalformedCase for one that cannot be read.
    """
    async with opened_state(settings) as state:
        return await _unpacked(state, incident_id, only, room)


async def _unpacked(state: State, incident_id: str, only: int | None, room: Path) -> tuple[Unpacked, ...]:
    rounds = [k for k in await state.recordings.rounds(incident_id) if only in (None, k.round)]
    found = []
    for kept in rounds:
        content = await state.recordings.content(incident_id, kept.round)
        if content is None:
            continue  # it went meanwhile, for newer ones
        name = re.sub(r"[^A-Za-z0-9-]", "_", f"{incident_id}-round-{kept.round}")[:120]
        archive, folder = room / f"{name}{SUFFIX}", room / name
        archive.write_bytes(content)
        folder.mkdir()
        unpack(archive, folder)
        archive.unlink()
        found.append(Unpacked(kept, folder))
    if not found:
        which = f"round {only} of incident {incident_id}" if only is not None else f"incident {incident_id}"
        raise Permanent(f"no recording of {which} is kept; `sre-agent cases list` shows what there is")
    return tuple(found)


def export(settings: Settings, incident_ids: tuple[str, ...], only: int | None, to: Path) -> tuple[Path, ...]:
    """Write each recording as a case folder of its own below `to`; their paths.

    All of them are made before the first is put in place, so that nothing is left half-written. Raises Permanent for an
    unknown incident, a place that cannot be written to, and a folder that exists already.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".sre-agent-export-", dir=to) as room:
            made = asyncio.run(_exported(settings, incident_ids, only, Path(room)))
            targets = tuple(to / folder.name for folder in made)
            there = [str(target) for target in targets if target.exists()]
            if there:
                raise Permanent(f"{', '.join(there)}: exists already; nothing was written")
            for folder, target in zip(made, targets, strict=True):
                folder.rename(target)
            return targets
    except OSError as error:
        raise Permanent(f"{to}: cannot be written to: {error.strerror or error}") from error


async def _exported(settings: Settings, incident_ids: tuple[str, ...], only: int | None, room: Path) -> tuple[Path, ...]:
    books, made = replay_books(settings), []
    async with opened_state(settings) as state:
        for incident_id in dict.fromkeys(incident_ids):
            for case in await _unpacked(state, incident_id, only, room):
                recording = recording_of(CaseReader(case.folder))
                if recording is None:
                    raise Permanent(f"the recording of incident {incident_id} holds no decision; it cannot be exported")
                result = await dry_run(settings, books, case.folder, as_recorded=True).result()
                _add(case.folder, "expect.json", expected(result, recording.judged.decision))
                _add(case.folder, "outcome.json", await _outcome(state, recording))
                _add(case.folder, "targets.json", declared(recording))
                made.append(case.folder)
    return tuple(made)


def _add(folder: Path, name: str, value: object) -> None:
    if value:
        (folder / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


async def _outcome(state: State, recording: Recording) -> dict[str, object]:
    record = await state.plain_store.load(recording.incident.id)
    heard = await state.plain_store.heard(recording.judged.at, _EVENTS)
    return outcome_of_round(recording, record, heard)
