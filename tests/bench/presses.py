"""Presses at the running product (`sre-agent serve --role web`): 50 a second, each a signed approval of a question of its own.

The agent has a process of its own and a PostgreSQL as it ships; Slack is the stand-in, in this process. A press is a whole
one: signature, users.info, policies, the answer's transaction, the word to the presser. Latency runs from the moment a press
was due, so a door that falls behind cannot hide it. Beside it: the same two calls to Slack, alone.
"""

import asyncio
import shutil
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.adapters.slack.client import SlackApi
from sre_agent.approval.press import APPROVE, button_value
from sre_agent.approval.request import ApprovalRequest
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.night.stage import readable_temp
from sre_agent.testing.slack import Member, SlackStandIn
from sre_agent.testing.slack_press import PATH, Signed, pressed, sign
from sre_agent.wiring.state import migrate_database
from tests.bench.verdict import Row, percentile

PRESSES = 600
RATE = 50.0
WARM_UP = 50
ANA = "U00000ANA"
"""A member of team platform in the shipped policies/data/teams.yaml."""
PLAN = "9f" * 32


@dataclass(frozen=True)
class _Measured:
    """Seconds: each press, and each pair of Slack calls alone."""

    presses: list[float]
    alone: list[float]


def rows(presses: int = PRESSES) -> list[Row]:
    """p99 at the rate, against what Slack's own calls take."""
    folder = readable_temp("sre-agent-bench-")
    try:
        found = _measured(folder, presses)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ms = [t * 1000 for t in found.presses]
    alone = statistics.median(found.alone) * 1000
    p50 = statistics.median(ms)
    seen = f"p50 {p50:.0f} ms, most {max(ms):.0f} ms, {len(ms)} presses at {RATE:.0f}/s"
    return [
        Row("presses: p99 of the answer", percentile(ms, 99), " ms", 300.0, seen=seen),
        Row("presses: median, ours / the two Slack calls alone", p50 / alone, "x", seen=f"{p50:.0f} ms beside {alone:.0f} ms"),
    ]


def _measured(folder: Path, presses: int) -> _Measured:
    with (
        EmbeddedPostgres.start(folder / "data", at_end=AtEnd.DELETE, spare=folder / "spare") as server,
        SlackStandIn() as slack,
    ):
        slack.join(Member(ANA))
        url = server.database_url("bench")
        asyncio.run(_prepare(url, WARM_UP + presses))
        settings = {
            "DATABASE_URL": url,
            "SRE_AGENT_DATA_DIR": str(folder / "agent"),
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_SIGNING_SECRET": slack.signing_secret,
            "SLACK_API_URL": slack.api_url,
        }
        agent = AgentProcess(settings, folder / "agent.log", role="web")
        agent.start()
        try:
            agent.wait_ready()
            signed = [_approval(slack, number) for number in range(WARM_UP + presses)]
            asyncio.run(_play(agent.url, signed[:WARM_UP]))
            found = asyncio.run(_play(agent.url, signed[WARM_UP:]))
            became = _became(agent.url)
        finally:
            agent.stop()
        asyncio.run(_all_taken(url, WARM_UP + presses, became))
        return _Measured(found, asyncio.run(_alone(slack)))


def _approval(slack: SlackStandIn, number: int) -> Signed:
    return sign(slack, pressed(slack, ANA, APPROVE, button_value(f"apr_{number}", PLAN)), time.time())


async def _prepare(url: str, count: int) -> None:
    """So many incidents that wait for two people, Ana's being the first yes."""
    await migrate_database(url)
    now = datetime.now(UTC)
    async with Database(url) as database:
        store = PostgresStore(database)
        for number in range(count):
            record = await store.create(IncidentRecord(id=f"Q0BENCH{number:06d}", received_at=now, updated_at=now), ())
            question = ApprovalRequest(
                id=f"apr_{number}", incident_id=record.id, plan_hash=PLAN, required=2, team="platform", question="Restart?",
                created_at=now, expires_at=now + timedelta(hours=1),
            )  # fmt: skip
            await store.advance(record, Step(to=State.AWAITING_APPROVAL, changes={"approval_id": question.id}, approval=question))


async def _play(url: str, requests: list[Signed]) -> list[float]:
    """Send each when it is due. SystemExit unless each is answered with an empty 200."""
    fresh = httpx.Limits(max_keepalive_connections=0)  # as from many machines: no press rides on the connection of another
    async with httpx.AsyncClient(base_url=url, timeout=10, limits=fresh) as client:
        begun = time.perf_counter()

        async def one(number: int, request: Signed) -> float:
            due = begun + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            answer = await client.post(PATH, content=request.body, headers=request.headers)
            if (answer.status_code, answer.content) != (200, b""):
                raise SystemExit(f"a press was answered with {answer.status_code} {answer.content[:200]!r}")
            return time.perf_counter() - due

        return list(await asyncio.gather(*(one(n, r) for n, r in enumerate(requests))))


def _became(url: str) -> str:
    """What the agent says became of the presses."""
    lines = httpx.get(f"{url}/metrics", timeout=10).text.splitlines()
    return "; ".join(line for line in lines if line.startswith("sre_agent_presses_total"))


async def _all_taken(url: str, sent: int, became: str) -> None:
    """SystemExit unless every press is a stored yes: a fast refusal is no speed."""
    async with Database(url) as database:
        questions = await PostgresStore(database).approvals(pending_only=False)
    taken = sum(q.approvers == ("ana",) for q in questions)
    if taken != sent:
        raise SystemExit(f"{sent} presses were sent, {taken} are stored: {became}")


async def _alone(slack: SlackStandIn) -> list[float]:
    """users.info and chat.postEphemeral one after the other, on an idle machine."""
    api, found = SlackApi(slack.bot_token, slack.api_url), []
    for _ in range(50):
        begun = time.perf_counter()
        await api.user(ANA)
        await api.whisper("C0INC", ANA, "Your approval counts.")
        found.append(time.perf_counter() - begun)
    await api.aclose()
    return found
