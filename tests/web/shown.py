"""The pages over the shipped doubles: incidents as an investigation leaves them, and a visitor whom the test names."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_network
from urllib.parse import urlencode

import httpx

from sre_agent.approval.decide import Approvers
from sre_agent.approval.request import ApprovalRequest
from sre_agent.approval.teams import Teams
from sre_agent.asking.desk import AnswerDesk
from sre_agent.execution.ledger import Intent
from sre_agent.policy.bundle import Bundle
from sre_agent.response.applied import advanced
from sre_agent.response.conclude import assessed
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.response.walk import Walk
from sre_agent.runbook.runbook import Runbook
from sre_agent.settings import fixed
from sre_agent.testing.memory_headlines import MemoryHeadlines
from sre_agent.testing.memory_store import MemoryHalt, MemoryStore
from sre_agent.web.app import create_app
from sre_agent.web.entrance import Entrance, Proxies
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import PagePorts, WebPorts
from sre_agent.web.session import Sessions
from sre_agent.wiring.brain import Books
from sre_agent.wiring.pages import Answering
from sre_agent.wiring.recorded import dry_run, replay_books
from sre_agent.wiring.switch import SwitchDesk
from tests.house.tree import ROOT

ADDRESS = "http://127.0.0.1:8080"


@cache
def books() -> Books:
    """The shipped policies and runbooks, read once."""
    return replay_books(fixed({"SRE_AGENT_REASONER": "rules"}))


@cache
def investigated(slug: str) -> tuple[IncidentRecord, ApprovalRequest | None]:
    """A recorded incident as the walk leaves it after its investigation, with the question it put to people."""
    run = dry_run(fixed({"SRE_AGENT_REASONER": "rules"}), books(), ROOT / "tests" / "incidents" / slug)
    case = run.case
    asking = run.assessor.assess(case.incident, human_acknowledged=False, thread=case.id, now=case.at)
    with ThreadPoolExecutor(1) as thread:  # an event loop may be running here
        found = thread.submit(lambda: asyncio.run(asking)).result()
    heard = case.at - timedelta(seconds=20)
    fresh = IncidentRecord(id=case.incident.id, received_at=heard, updated_at=heard, state=State.INVESTIGATING)
    step = assessed(fresh, case.incident, found, case.at, "apr_1")
    return advanced(fresh, step), step.approval


def words(html: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(style|script|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)).split())


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Shown:
    """One app behind a proxy that says who asks: the user in `asks`, "" for nobody. Ask it with `get` and `press`."""

    at: datetime
    asks: str = "ana@example.com"
    store: MemoryStore = field(default_factory=MemoryStore)
    intents: dict[str, tuple[Intent, ...]] = field(default_factory=dict)
    bundle: Bundle = field(default_factory=lambda: books().bundle)
    runbooks: Mapping[str, Runbook] = field(default_factory=lambda: books().runbooks)

    def __post_init__(self) -> None:
        self.clock = Clock(self.at)
        self.halt = MemoryHalt(store=self.store)
        teams = Teams(self.bundle.declared.people)
        self.sessions = Sessions(b"k" * 32, "proxy", secure=False)
        proxies = Proxies((ip_network("127.0.0.0/8"),))
        entrance = Entrance(self.sessions, teams, self.clock, public_url=ADDRESS, proxies=proxies)
        desk = AnswerDesk(Walk(self.store, self.clock), teams, Approvers(self.bundle))
        pages = PagePorts(
            headlines=MemoryHeadlines(self.store),
            intents=self._intents,
            answer=Answering(desk),
            eligible=desk.approvers.eligible,
            rules=self.bundle.rules,
            bundle_hash=self.bundle.hash,
            runbooks=self.runbooks,
        )
        switch = SwitchDesk(self.halt, self.clock, teams)
        self.app = create_app(
            WebPorts(store=self.store, clock=self.clock, metrics=Metrics(), switch=switch, pages=pages, entrance=entrance)
        )

    def with_admin(self, person: str, token: str) -> "Shown":
        """Another app over the same store, in which this person is an admin with this token."""
        people = self.bundle.declared.people
        digest = hashlib.sha256(token.encode()).hexdigest()
        proved = tuple(p.model_copy(update={"cli_token_sha256": digest}) if p.id == person else p for p in people.people)
        declared = replace(self.bundle.declared, people=people.model_copy(update={"people": proved, "admins": (person,)}))
        return Shown(self.at, self.asks, self.store, bundle=replace(self.bundle, declared=declared))

    async def _intents(self, incident_id: str) -> tuple[Intent, ...]:
        return self.intents.get(incident_id, ())

    async def put(self, record: IncidentRecord, question: ApprovalRequest | None = None) -> IncidentRecord:
        """Store an incident, and its question."""
        stored = await self.store.create(record, ())
        return await self.store.advance(stored, Step(to=record.state, approval=question)) if question else stored

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with self._client() as client:
            return await client.get(path, headers=headers)

    async def press(self, path: str, **fields: str) -> httpx.Response:
        """Post a form as a browser does from a page of ours."""
        headers = {"content-type": "application/x-www-form-urlencoded", "origin": ADDRESS, "sec-fetch-site": "same-origin"}
        async with self._client() as client:
            return await client.post(
                path, content=urlencode({"csrf": self.sessions.csrf(f"proxy {self.asks}"), **fields}), headers=headers
            )

    def _client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=("127.0.0.1", 50000))
        user = {"X-Forwarded-Email": self.asks} if self.asks else {}
        return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=user)
