"""What every walk of the tests ends with: each round that was recorded is decided again, to the same decision."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sre_agent.evidence.source import Scope
from sre_agent.policy.facts import FactContext, Facts
from sre_agent.replay.archive import unpack
from sre_agent.replay.case import load_case
from sre_agent.replay.case_file import CaseReader
from sre_agent.replay.dry_run import DryRun
from sre_agent.replay.recording.again import FactsAsRecorded
from sre_agent.replay.recording.recording import Recording, recording_of
from sre_agent.response.ports import NOTHING
from sre_agent.runbook.proposal import Investigated
from sre_agent.settings import Settings, fixed
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.triage.triage import Triage
from sre_agent.wiring.brain import Books
from sre_agent.wiring.cases import listing
from sre_agent.wiring.origins import from_store
from sre_agent.wiring.recorded import as_it_was
from sre_agent.wiring.replaying import replayed, setup_of

SETTINGS = fixed({})


@dataclass(frozen=True)
class Remembered:
    """Investigator that says what a scripted one said: what it rests on is in no recording."""

    found: Mapping[str, Investigated]
    thread: str

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: object = NOTHING) -> Investigated:
        return self.found[self.thread]

    async def spent(self, thread: str) -> object:
        raise AssertionError("nothing asks for that in a replay")

    reexamine = spent


async def nothing_else(context: FactContext) -> Facts:
    raise AssertionError(f"facts were collected anew for {context.proposal}")


async def walk_decided_again(walk: Walkthrough, content: bytes) -> None:
    """One round of a walk over doubles, through the live rooms once more, on its recording alone."""
    with tempfile.TemporaryDirectory() as room:
        (Path(room) / "recording.tar.gz").write_bytes(content)
        (Path(room) / "case").mkdir()
        unpack(Path(room) / "recording.tar.gz", Path(room) / "case")
        recording = recording_of(CaseReader(Path(room) / "case"))
        assert recording is not None
        run = _run(walk, Path(room) / "case", recording)
        told = (await run.replayed("walk")).told
    assert told is not None
    assert told.recalled is not None
    assert told.recalled.departures == ()
    assert told.decision_sha256 == told.recorded_sha256 == recording.judged.decision.sha256


def _run(walk: Walkthrough, folder: Path, recording: Recording) -> DryRun:
    run = as_it_was(SETTINGS, Books(walk.bundle, walk.runbooks), load_case(folder), recording)
    live = walk.responder.assessor
    facts = FactsAsRecorded(recording.judged, nothing_else)
    again = replace(run.assessor, declarations=live.declarations, ownership=live.ownership, facts_for=facts)
    if recording.judged.basis is None:
        thread = f"{recording.incident.id}:{recording.round}"
        again = replace(again, investigator=Remembered(walk.remembered.found, thread))
    return replace(run, assessor=again)


def store_decided_again(settings: Settings) -> int:
    """Every round that an agent with these settings recorded, as `sre-agent replay --incident` does; how many they were.

    From a thread of its own, where an event loop runs.
    """
    kept = asyncio.run(listing(settings, 10_000))
    ids = tuple(dict.fromkeys(k.incident_id for k in kept))
    setups = (setup_of(settings),)
    with from_store(settings, ids) as cases:
        for found in cases.each:
            (done,) = replayed(found, setups)
            assert done.error == ""
            assert done.told is not None
            assert done.told.recalled is not None
            assert (done.told.recalled.departures, done.told.recalled.other_books) == ((), ())
            assert done.told.recalled.inexact == ""
            assert done.told.decision_sha256 == done.told.recorded_sha256
    return len(kept)
