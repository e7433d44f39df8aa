import json
import shutil
from pathlib import Path

from sre_agent.settings import fixed
from sre_agent.testing.night.checks import Ledger
from sre_agent.testing.night.past import COLUMNS, judged, promises
from sre_agent.wiring.replaying import Found, replayed, setup_of

INCIDENTS = Path(__file__).parent.parent / "incidents"


def past(folder: Path):
    (done,) = replayed(Found(folder.name, folder), (setup_of(fixed({"SRE_AGENT_REASONER": "rules"})),))
    return judged(done, folder)


def test_a_past_incident_is_one_row_with_what_the_agent_would_and_what_people_did():
    row = dict(zip(COLUMNS, past(INCIDENTS / "redis-slow-primary").row, strict=True))
    assert row["verdict"] == "needs_approval (2)"
    assert row["the agent would"] == "redis_failover cache"
    assert row["people did"].startswith("SENTINEL FAILOVER cache by hand")
    assert dict(zip(COLUMNS, past(INCIDENTS / "healthy").row, strict=True))["the agent would"] == "nothing"


def test_a_verdict_unlike_the_golden_answer_breaks_the_promise(tmp_path: Path):
    folder = tmp_path / "healthy"
    shutil.copytree(INCIDENTS / "healthy", folder)
    (folder / "expect.json").write_text(json.dumps({"verdict": "allow"}))
    good, bad = past(INCIDENTS / "tool-429"), past(folder)
    checks = Ledger()
    promises(checks, (good,) * 11 + (bad,))
    assert [c.held for c in checks.checks] == [False, True]
    assert checks.checks[0].measured == "healthy"
    promises(checks, (good,) * 12)
    assert checks.checks[2].held


def test_a_case_that_could_not_be_replayed_is_a_row_that_says_so(tmp_path: Path):
    assert past(tmp_path / "nothing").row[3] == "FAILED"
