"""`sre-agent serve` over an install, a restart and an upgrade: the agent's own process, a real database, real HTTP."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.night.books import declare_owners
from sre_agent.wiring.state import migrate_database

TOKEN = "ana's own random token"
GO = {"person": "ana", "reason": "looked at"}
BEARER = {"authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.real


@pytest.fixture
def url(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[str]:
    name = f"serve_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    yield postgres.database_url(name)
    postgres.drop_database(name)


@pytest.fixture
def role() -> str:
    return "web"


@pytest.fixture
def agent(url: str, tmp_path: Path, role: str) -> Iterator[AgentProcess]:
    data = declare_owners(tmp_path / "data", "cache", {"ana": TOKEN})
    settings = {
        "DATABASE_URL": url,
        "SRE_AGENT_POLICY_DATA": str(data),
        "PAGERDUTY_WEBHOOK_SECRET": "s",
        "PAGERDUTY_API_TOKEN": "not-used-here",
        "PAGERDUTY_FROM_EMAIL": "agent@example.com",
    }
    process = AgentProcess(settings, tmp_path / "agent.log", role=role)
    asyncio.run(migrate_database(url))
    yield process
    process.stop()


def served(agent: AgentProcess) -> dict[str, object]:
    """Start the agent (again); how the switch stands then."""
    agent.stop()
    agent.start()
    agent.wait_ready()
    answer = httpx.get(f"{agent.url}/api/v1/halt", timeout=5)
    return dict(answer.raise_for_status().json())


def test_an_install_and_an_upgrade_are_halted_and_a_restart_keeps_what_people_said(agent: AgentProcess, url: str) -> None:
    stands = served(agent)
    assert (stands["engaged"], stands["cause"]) == (True, "install")
    assert "a fresh install" in httpx.get(f"{agent.url}/readyz").json()["notes"]["kill switch"]
    assert httpx.post(f"{agent.url}/api/v1/resume", json=GO).status_code == 401
    assert httpx.post(f"{agent.url}/api/v1/resume", json=GO, headers=BEARER).status_code == 200
    assert served(agent)["engaged"] is False
    modes = httpx.get(f"{agent.url}/api/v1/modes").json()
    assert (modes["overall"], modes["others"], modes["pairs"]) == ("observe", "observe", [])
    with psycopg.connect(url) as connection:  # as if another version had been resumed and running until now
        connection.execute("UPDATE halt SET version = '0.0.1'")
    stands = served(agent)
    assert (stands["engaged"], stands["cause"]) == (True, "upgrade")
    assert "upgrade from 0.0.1" in str(stands["reason"])
    assert httpx.post(f"{agent.url}/api/v1/resume", json=GO, headers=BEARER).json()["engaged"] is False
    assert httpx.post(f"{agent.url}/api/v1/halt", json={"reason": "looks wrong"}).json()["cause"] == "person"


@pytest.mark.parametrize("role", ["all"])
def test_hands_that_find_the_past_changed_are_halted_until_a_person_has_understood_it(agent: AgentProcess, url: str) -> None:
    served(agent)
    assert httpx.post(f"{agent.url}/api/v1/resume", json=GO, headers=BEARER).json()["engaged"] is False
    assert served(agent)["engaged"] is False
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # past the trigger that refuses this
        connection.execute("UPDATE audit SET entry = replace(entry, 'looked at', 'all fine') WHERE sequence = 2")
    stands = served(agent)
    assert (stands["engaged"], stands["cause"]) == (True, "chain")
    assert "broken at record 2" in str(stands["reason"])
    assert "the audit chain is broken" in httpx.get(f"{agent.url}/readyz").json()["notes"]["kill switch"]
