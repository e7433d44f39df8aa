"""`sre-agent serve` and `sre-agent pagerduty` as people run them: processes of their own, a real database, real HTTP."""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.pagerduty import AGENT_EMAIL, PagerDutyStandIn
from sre_agent.testing.pagerduty_webhooks import Pauses
from sre_agent.wiring.extension_plan import DOOR
from sre_agent.wiring.state import migrate_database

pytestmark = pytest.mark.real
LABELS = {"alertname": "RedisSlow", "alert_type": "infra", "redis_master": "cache"}
TOKEN = "what the button shows"


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyStandIn]:
    with PagerDutyStandIn(pauses=Pauses(first_s=0.05, most_s=0.2)) as standin:
        yield standin


@pytest.fixture
def agent(postgres: EmbeddedPostgres, pagerduty: PagerDutyStandIn, tmp_path: Path) -> Iterator[AgentProcess]:
    name = f"extension_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    settings = {
        "DATABASE_URL": postgres.database_url(name),
        "SRE_AGENT_DATA_DIR": str(tmp_path),
        "PAGERDUTY_API_URL": pagerduty.url,
        "PAGERDUTY_API_TOKEN": pagerduty.token,
        "PAGERDUTY_FROM_EMAIL": AGENT_EMAIL,
        "PAGERDUTY_ACTION_TOKEN": TOKEN,
    }
    process = AgentProcess(settings, tmp_path / "agent.log")
    asyncio.run(migrate_database(settings["DATABASE_URL"]))
    yield process
    process.stop()
    postgres.drop_database(name)


def known(agent: AgentProcess, incident: str) -> dict[str, object]:
    """The incident once its investigation has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = agent.incident(incident)
        if found.get("state") in ("handed_back", "no_action"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"incident {incident} was not investigated:\n{agent.log_tail()}")


def test_from_nothing_to_an_incident_a_button_a_rotation_and_a_missed_delivery(
    agent: AgentProcess, pagerduty: PagerDutyStandIn
) -> None:
    where = ("--url", agent.url + DOOR, "--service", pagerduty.service)
    agent.start()
    agent.wait_ready()
    installed = agent.cli("pagerduty", "install", *where)
    assert (installed.returncode, installed.stderr) == (0, "")
    assert installed.stdout.endswith("the ping arrived\n")
    heard = pagerduty.trigger(pagerduty.add_incident("Redis is slow", [LABELS]))
    assert known(agent, heard)["round"] == 1

    assert pagerduty.press(heard, f"{agent.url}{DOOR}/investigate", "wrong") == 401
    assert pagerduty.press(heard, f"{agent.url}{DOOR}/investigate", TOKEN) == 202
    asked = pagerduty.add_incident("Redis is slow again", [LABELS])
    assert pagerduty.press(asked, f"{agent.url}{DOOR}/investigate", TOKEN, user=None) == 202
    assert "asked for by somebody" in str(known(agent, asked)["timeline"])

    rotated = agent.cli("pagerduty", "rotate", *where)
    assert (rotated.returncode, len(pagerduty.webhooks.subscriptions)) == (0, 1)
    secret = next(iter(pagerduty.webhooks.subscriptions.values())).secrets[0]
    assert secret not in installed.stdout + rotated.stdout + agent.log_tail(10_000)

    agent.stop()
    missed = pagerduty.add_incident("Nobody was told", [LABELS])
    pagerduty.add_service("PSVC002", "of other people", "PPLAT01")
    foreign = pagerduty.add_incident("Not sent here", [LABELS], service="PSVC002")
    agent.start()
    agent.wait_ready()
    assert known(agent, missed)["round"] == 1
    assert agent.incident(foreign) == {}
    metrics = httpx.get(f"{agent.url}/metrics", timeout=5).text
    assert 'sre_agent_deliveries_missed_total{kind="triggered"} 1.0' in metrics

    assert agent.cli("pagerduty", "uninstall", *where).returncode == 0
    assert pagerduty.webhooks.subscriptions == {}


def test_a_ping_that_does_not_arrive_ends_with_advice_and_status_3(agent: AgentProcess, pagerduty: PagerDutyStandIn) -> None:
    said = agent.cli("pagerduty", "install", "--url", agent.url + DOOR, "--service", pagerduty.service, "--wait", "0.5")
    assert said.returncode == 3
    assert said.stderr.startswith("the test delivery did not arrive within 0.5 s")
    assert [line[:2] for line in said.stderr.splitlines()[1:6]] == ["1.", "2.", "3.", "4.", "5."]
