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

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[str]:
    name = f"serve_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    yield postgres.database_url(name)
    postgres.drop_database(name)


@pytest.fixture
def agent(url: str, tmp_path: Path) -> Iterator[AgentProcess]:
    data = declare_owners(tmp_path / "data", "cache", {"ana": TOKEN})
    settings = {"DATABASE_URL": url, "SRE_AGENT_POLICY_DATA": str(data), "PAGERDUTY_WEBHOOK_SECRET": "s"}
    process = AgentProcess(settings, tmp_path / "agent.log", role="web")
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
    with psycopg.connect(url) as connection:  # as if another version had been resumed and running until now
        connection.execute("UPDATE halt SET version = '0.0.1'")
    stands = served(agent)
    assert (stands["engaged"], stands["cause"]) == (True, "upgrade")
    assert "upgrade from 0.0.1" in str(stands["reason"])
    assert httpx.post(f"{agent.url}/api/v1/resume", json=GO, headers=BEARER).json()["engaged"] is False
    assert httpx.post(f"{agent.url}/api/v1/halt", json={"reason": "looks wrong"}).json()["cause"] == "person"
