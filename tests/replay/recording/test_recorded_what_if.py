"""A recorded round under a candidate: decided on what it was decided on then, and only the candidate differs."""

import shutil
from pathlib import Path

import pytest

from sre_agent.replay.compare import Difference, Kind, compared
from sre_agent.wiring.candidate import Candidate, drafted
from sre_agent.wiring.replaying import Crew, Found, setup_of
from tests.cli.rules import edit
from tests.replay.recording.test_recorded_rounds import ROOT, SETTINGS, case_of, live

SLOW = ROOT / "tests/incidents/redis-slow-primary"


@pytest.fixture
async def recorded(tmp_path: Path) -> Path:
    case = case_of(await live(SLOW), tmp_path)
    shutil.copy(SLOW / "targets.json", case)  # a live incident's declarations are those of the bundle
    return case


def differing(case: Path, candidate: Candidate) -> Difference | None:
    crew = Crew((setup_of(SETTINGS), drafted(SETTINGS, candidate).setup), 1)
    ((before, after),) = crew.run([Found(place="x", folder=case, as_recorded=True)])
    assert not before.error + after.error
    return compared(before, after)


def test_other_policies_judge_the_recorded_facts(recorded: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "policies", tmp_path / "policies"))
    assert differing(recorded, Candidate(policies=folder)) is None
    edit(folder / "deny_safety.cedar", "unless { context.approvals >= 2 };", "unless { context.approvals >= 1 };")
    found = differing(recorded, Candidate(policies=folder))
    assert found is not None
    assert (found.kind, found.changed) == (Kind.MORE_PERMISSIVE, ("approvals_required",))


def test_a_runbook_that_is_gone_leaves_the_recorded_incident_to_people(recorded: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks"))
    (folder / "redis-failover.yaml").unlink()
    found = differing(recorded, Candidate(runbooks=folder))
    assert found is not None
    assert (found.kind, found.after.proposal) == (Kind.LESS_PERMISSIVE, None)
