"""A night in which people answer in Slack: the walk on doubles, Slack and the agent's door over real HTTP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from sre_agent.adapters.slack.client import SlackApi
from sre_agent.adapters.slack.dialogs import Dialogs
from sre_agent.approval.decide import Approvers
from sre_agent.approval.press import button_value
from sre_agent.approval.teams import Teams
from sre_agent.asking.desk import AnswerDesk
from sre_agent.asking.press_line import PressLine
from sre_agent.asking.pressers import Narrowing, Pressers
from sre_agent.asking.presses import PressDesk
from sre_agent.audit.record import AuditRecord
from sre_agent.incident.event import EventKind
from sre_agent.response.record import State
from sre_agent.response.walk import Walk
from sre_agent.testing.slack import Json, Member, SlackStandIn
from sre_agent.testing.slack_press import PATH, Signed, pressed, sign, submitted
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.triage.ownership import Ownership
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import WebPorts
from sre_agent.web.server import listen, serve
from sre_agent.web.slack import SlackDoor
from tests.path.scenes import BUNDLE, ID, incident, night

ANA, BEN, CLEO, DEV, STRANGER = "U00000ANA", "U00000BEN", "U0000CLEO", "U00000DEV", "U0STRANGER"


@dataclass
class SlackStage:
    """`counts` are presses by (what, became); `walk` has the store, the clock and the scripted action."""

    walk: Walkthrough
    slack: SlackStandIn
    client: httpx.AsyncClient
    line: PressLine
    counts: Counter[tuple[str, str]]

    async def ask(self) -> str:
        """A fresh incident whose plan two people must agree to; the value of the question's buttons."""
        await self.walk.hear(incident(), EventKind.TRIGGERED)
        return await self.value()

    async def value(self) -> str:
        record = await self.walk.record(ID)
        return button_value(record.approval_id or "", record.plan_hash or "")

    def signed(self, user: str, action: str, value: str, /, **lies: object) -> Signed:
        return sign(self.slack, pressed(self.slack, user, action, value, **lies), self.walk.clock.now().timestamp())

    async def send(self, signed: Signed) -> httpx.Response:
        return await self.client.post(PATH, content=signed.body, headers=signed.headers)

    async def press(self, user: str, value: str, action: str = "sre_approve", /, **lies: object) -> httpx.Response:
        """One press; then everything due runs."""
        answer = await self.send(self.signed(user, action, value, **lies))
        await self.walk.settle()
        return answer

    async def submit(self, user: str, typed: str | None, view: Json | None = None, /, **lies: object) -> httpx.Response:
        """The newest dialog, filled in and submitted."""
        payload = submitted(self.slack, user, view or self.slack.views[-1], typed, **lies)
        answer = await self.send(sign(self.slack, payload, self.walk.clock.now().timestamp()))
        await self.walk.settle()
        return answer

    async def answers(self) -> int:
        """How many answers are stored, of all questions."""
        return sum(len(q.answers) for q in await self.walk.store.approvals(pending_only=False))

    async def refused(self) -> list[AuditRecord]:
        """The audited refusals."""
        return [r for r in await self.walk.store.audit(None) if r.entry.kind == "press_refused"]


@asynccontextmanager
async def slack_stage(
    narrowing: Narrowing | None = None,
    answer_within: float = 2.5,
    walk: Walkthrough | None = None,
    ownership: dict[str, str] | None = None,
) -> AsyncIterator[SlackStage]:
    """Ana, Ben and Cleo of the owning team and Dev of another are in Slack, and a stranger whom teams.yaml does not know."""
    walk = walk or night()
    metrics, counts = Metrics(), Counter()
    store = walk.store
    with SlackStandIn() as slack:
        slack.join(*(Member(u) for u in (ANA, BEN, CLEO, DEV, STRANGER)))
        api = SlackApi(slack.bot_token, slack.api_url)
        teams = Teams(BUNDLE.declared.people)
        desk = AnswerDesk(Walk(store, walk.clock), teams, Approvers(BUNDLE))
        pressers = Pressers(api, teams, Ownership(receivers=ownership or {}), walk.clock, narrowing or Narrowing())

        def counted(what: str, became: str) -> None:
            counts[what, became] += 1
            metrics.pressed(what, became)

        page = "https://sre.example/incidents"
        line = PressLine(PressDesk(desk, pressers, Dialogs(api), counted, page), answer_within)
        door = SlackDoor(line.take, walk.clock, metrics, slack.signing_secret)
        async with (
            _served(WebPorts(store=store, clock=walk.clock, metrics=metrics, slack=door)) as url,
            httpx.AsyncClient(base_url=url) as client,
        ):
            yield SlackStage(walk, slack, client, line, counts)
        await line.drain(5)
        await api.aclose()


async def nothing_came_of_it(stage, rule: str | None, user: str = ANA, state: State = State.AWAITING_APPROVAL) -> str:
    """No answer, no effect; refused under this rule, once, audited, and told to who pressed. The words."""
    assert (await stage.answers(), stage.walk.action.effects) == (0, 0)
    assert (await stage.walk.record(ID)).state is state
    refused = await stage.refused()
    if rule is None:
        assert refused == []
        return ""
    assert [r.entry.detail["rule"] for r in refused] == [rule]
    assert stage.counts[refused[0].entry.detail["pressed"], rule] == 1
    told = stage.slack.whispered(user)
    assert len(told) == 1
    assert rule in told[0]
    return told[0]


@asynccontextmanager
async def _served(ports: WebPorts) -> AsyncIterator[str]:
    """The real app behind a real socket."""
    stop, listener = asyncio.Event(), listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    running = asyncio.create_task(serve(create_app(ports), listener, stop))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await running


__all__ = ["ANA", "BEN", "CLEO", "DEV", "ID", "STRANGER", "SlackStage", "nothing_came_of_it", "slack_stage"]
