"""The web room under test: the real app, spoken to over ASGI or a real socket; behind it the shipped
store double, told to fail where a test wants that. Signatures are made here, independently of the code that checks them."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sre_agent.approval.teams import Person, Teams
from sre_agent.incident.event import IncidentEvent
from sre_agent.policy.halt import HaltState
from sre_agent.policy.people import People
from sre_agent.response.record import IncidentRecord, State
from sre_agent.testing.memory_store import MemoryHalt, MemoryStore
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import Probe, WebPorts
from sre_agent.wiring.switch import SwitchDesk
from tests.web.shown import Shown, investigated

NOW = datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)
TOKEN = "ana's own random token"
SECRET = "c2VjcmV0LW9mLW9uZS1zdWJzY3JpcHRpb24="


class Stopped:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


class Switchboard(MemoryHalt):
    """The shipped kill switch double, with a failure it can be told to have."""

    def __init__(self, *, store: MemoryStore) -> None:
        super().__init__(store=store)
        self.failure: Exception | None = None

    async def state(self) -> HaltState:
        if self.failure:
            raise self.failure
        return await super().state()

    async def _move(self, to: HaltState) -> HaltState:
        if self.failure:
            raise self.failure
        return await super()._move(to)


class Shelf(MemoryStore):
    """The shipped store double, with the bodies it was given, and a failure it can be told to have."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[IncidentEvent, bytes]] = []
        self.failure: Exception | None = None
        self.hangs = False

    async def _away(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure

    async def accept(self, event: IncidentEvent, body: bytes, received_at: datetime) -> bool:
        await self._away()
        new = await super().accept(event, body, received_at)
        if new:
            self.kept.append((event, body))
        return new

    async def load(self, incident_id: str) -> IncidentRecord | None:
        await self._away()
        return await super().load(incident_id)

    async def listing(self, states: frozenset[State] | None, limit: int) -> tuple[IncidentRecord, ...]:
        await self._away()
        return await super().listing(states, limit)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def probes() -> list[Probe]:
    return []


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def secrets() -> dict[str, str]:
    return {"PSUB001": SECRET}


@pytest.fixture
def switch(shelf: Shelf) -> Switchboard:
    return Switchboard(store=shelf)


@pytest.fixture
def app(shelf: Shelf, metrics: Metrics, probes: list[Probe], secrets: dict[str, str], switch: Switchboard):
    people = People(people=(Person(id="ana", name="Ana", cli_token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest()),), teams={})
    desk = SwitchDesk(switch, Stopped(), Teams(people))
    ports = WebPorts(store=shelf, clock=Stopped(), metrics=metrics, pagerduty_secrets=secrets, probes=tuple(probes), switch=desk)
    return create_app(ports)


@pytest.fixture
async def local(app) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine."""
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.fixture
async def remote(app) -> AsyncIterator[httpx.AsyncClient]:
    """A client somewhere else."""
    transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://sre.example") as client:
        yield client


@dataclass(frozen=True)
class Sender:
    """Makes deliveries the way PagerDuty does."""

    def body(self, event_type: str = "incident.triggered", event_id: str = "01EXAMPLE0000000000000001", later: int = 0) -> bytes:
        event = {
            "id": event_id,
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": (NOW + timedelta(seconds=later)).isoformat(),
            "agent": {"id": "PSVC001", "type": "service_reference"},
            "data": {"id": "Q0EXAMPLE00001", "type": "incident", "status": "triggered"},
        }
        return json.dumps({"event": event}).encode()

    def headers(self, body: bytes, delivery: str = "delivery-1", secret: str = SECRET) -> dict[str, str]:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {
            "content-type": "application/json",
            "x-pagerduty-signature": f"v1={signature}",
            "x-webhook-subscription": "PSUB001",
            "x-webhook-id": delivery,
        }


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
async def shown() -> Shown:
    """The pages of a failover that waits for two people, a minute after it was asked."""
    record, question = investigated("redis-slow-primary")
    made = Shown(record.updated_at + timedelta(seconds=60))
    await made.put(record, question)
    return made


@pytest.fixture
def page() -> str:
    """Where that incident is shown."""
    record, _ = investigated("redis-slow-primary")
    return f"/incidents/{record.id}"
