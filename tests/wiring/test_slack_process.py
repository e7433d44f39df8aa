"""`sre-agent serve --role web` with Slack: presses come in by the door and over Socket Mode, and the process ends cleanly."""

import asyncio
import hashlib
import time

import httpx
import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.slack import Member, SlackStandIn
from sre_agent.testing.slack_press import deliver, pressed, sign
from sre_agent.testing.slack_socket import SlackSocket
from sre_agent.wiring.state import migrate_database
from tests.wiring.test_slack_wiring import ANA, BEN, VALUE, asked

pytestmark = pytest.mark.real


async def test_both_ways_in_lead_to_the_same_desk(postgres, tmp_path):
    name = f"slack_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    url = await asyncio.to_thread(postgres.database_url, name)
    await migrate_database(url)
    async with Database(url) as database:
        await asked(PostgresStore(database))
        with SlackStandIn() as slack:
            slack.join(Member(ANA), Member(BEN))
            async with SlackSocket(slack) as socket:
                settings = {
                    "DATABASE_URL": url,
                    "SRE_AGENT_DATA_DIR": str(tmp_path),
                    "SLACK_BOT_TOKEN": slack.bot_token,
                    "SLACK_SIGNING_SECRET": slack.signing_secret,
                    "SLACK_APP_TOKEN": slack.app_token,
                    "SLACK_API_URL": slack.api_url,
                }
                agent = AgentProcess(settings, tmp_path / "agent.log", role="web")
                agent.start()
                try:
                    await asyncio.to_thread(agent.wait_ready)
                    await socket.opened()
                    signed = sign(slack, pressed(slack, ANA, "sre_approve", VALUE), time.time())
                    assert await asyncio.to_thread(deliver, agent.url, signed, 10.0) == (200, b"")
                    assert httpx.post(f"{agent.url}/slack/interactions", content=b"payload=%7B%7D").status_code == 401
                    await socket.send(pressed(slack, BEN, "sre_approve", VALUE))
                    await socket.acked(1)
                finally:
                    status = await asyncio.to_thread(agent.stop)
        question = await PostgresStore(database).approval("apr_1")
    postgres.drop_database(name)
    assert (question.approvers, status) == (("ana", "ben"), 0), agent.log_tail()
    log = agent.log_tail(400)
    assert "Traceback" not in log
    assert slack.bot_token not in log
