"""`halt`, `resume` and `status` as a person uses them, on a real database that was just installed."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
from sre_agent.testing.night.books import declare_owners

TOKEN = "one person's own token"


@pytest.fixture
def installed(bare_environment, postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said) -> None:
    """A database as `sre-agent migrate` leaves it, and ana in teams.yaml."""
    name = f"switch_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    monkeypatch.setenv("DATABASE_URL", postgres.database_url(name))
    monkeypatch.setenv("SRE_AGENT_POLICY_DATA", str(declare_owners(tmp_path / "data", "cache", {"ana": TOKEN})))
    monkeypatch.delenv("SRE_AGENT_APPROVER_TOKEN", raising=False)
    assert said("migrate")[0] == 0


@pytest.mark.usefixtures("installed")
def test_an_install_is_halted_until_a_person_resumes_and_stays_as_people_leave_it(said, monkeypatch) -> None:
    assert "mode observe; HALTED" in said("status")[1]
    assert "fresh install" in said("status")[1]
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", "guessed")
    status, _, err = said("resume", "--as", "ana", "--reason", "looked at")
    assert status == 1
    assert "does not belong to 'ana'" in err
    assert "HALTED" in said("status")[1]
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", TOKEN)
    status, out, _ = said("resume", "--as", "ana", "--reason", "looked at")
    assert (status, "by ana: looked at" in out) == (0, True)
    assert said("migrate")[1] == "the database is up to date\n"
    assert "running since" in said("status")[1]
    status, out, _ = said("halt", "--by", "ben", "--reason", "restarts look wrong")
    assert (status, "HALTED" in out) == (0, True)
    assert "by ben: restarts look wrong" in said("status")[1]
    assert said("audit", "verify")[1] == "the audit chain is whole: 3 records\n"
    record = json.loads(said("audit", "show")[1].splitlines()[1])
    noted = f"2:{record['hash'][:32]}"
    assert said("audit", "verify", "--anchor", noted)[1] == "the audit chain is whole: 3 records, 1 as noted\n"
    status, _, err = said("audit", "verify", "--anchor", noted.replace("2:", "3:"))
    assert (status, "record 3 has another hash" in err) == (1, True)


@pytest.mark.usefixtures("installed")
def test_status_shows_where_each_entry_of_the_mode_table_stands(said, tmp_path, monkeypatch) -> None:
    assert said("status")[1].endswith("every action: observe\n")
    listed = [("redis_failover", "auto"), ("restart_pod", "observe")]
    lines = "".join(f"  - {{action: {a}, service: voice-platform, mode: {m}}}\n" for a, m in listed)
    (tmp_path / "data/modes.yaml").write_text(f"modes:\n{lines}")
    monkeypatch.setenv("SRE_AGENT_MODE", "auto")
    status, out, _ = said("status")
    assert status == 0
    assert re.search(r"redis_failover +voice-platform +approve +0 of 20 +0 of 20 agreements", out), out
    assert re.search(r"restart_pod +voice-platform +observe +0 of 20 +modes.yaml says observe", out), out
    assert out.endswith("everything else: approve\n")
    monkeypatch.setenv("SRE_AGENT_MODE", "approve")
    assert "the agent's own mode is approve" in said("status")[1]


@pytest.mark.usefixtures("installed")
def test_stopping_works_when_the_policies_are_broken_and_resuming_does_not(said, tmp_path, monkeypatch) -> None:
    (tmp_path / "data/teams.yaml").write_text("people: [\n")
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", TOKEN)
    assert said("halt", "--by", "ben", "--reason", "stop")[0] == 0
    assert said("resume", "--as", "ana", "--reason", "go")[0] == 1
    assert "HALTED" in said("status")[1]


@pytest.mark.usefixtures("bare_environment")
def test_a_status_that_cannot_be_read_says_halted(postgres: EmbeddedPostgres, said, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.database_url("switch_never_migrated"))
    status, out, _ = said("status")
    assert status == 0
    assert "HALTED" in out
    assert "sre-agent migrate" in out
