"""The web room under test: the real app, spoken to over ASGI or a real socket; behind it a store double that keeps
deliveries in a list and can be told to fail. Signatures are made here, independently of the code that checks them."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest

from sre_agent.audit.record import GENESIS, AuditEntry, AuditRecord, link
from sre_agent.incident.event import IncidentEvent
from sre_agent.response.record import IncidentRecord, State
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import Probe, WebPorts

NOW = datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)
SECRET = "c2VjcmV0LW9mLW9uZS1zdWJzY3JpcHRpb24="


class Stopped:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


@dataclass
class Shelf:
    """A store that keeps deliveries once each, and answers what it was given."""

    kept: list[tuple[IncidentEvent, bytes]] = field(default_factory=list)
    records: dict[str, IncidentRecord] = field(default_factory=dict)
    trail: list[AuditEntry] = field(default_factory=list)
    failure: Exception | None = None

    async def accept(self, event: IncidentEvent, body: bytes, received_at: datetime) -> bool:
        if self.failure:
            raise self.failure
        if any(k.delivery_id == event.delivery_id or k.event_id == event.event_id for k, _ in self.kept):
            return False
        self.kept.append((event, body))
        return True

    async def load(self, incident_id: str) -> IncidentRecord | None:
        if self.failure:
            raise self.failure
        return self.records.get(incident_id)

    async def listing(self, states: frozenset[State] | None, limit: int) -> tuple[IncidentRecord, ...]:
        if self.failure:
            raise self.failure
        return tuple(r for r in self.records.values() if states is None or r.state in states)[:limit]

    async def audit(self, incident_id: str | None) -> tuple[AuditRecord, ...]:
        chain: list[AuditRecord] = []
        for number, entry in enumerate((e for e in self.trail if incident_id in (None, e.incident_id)), start=1):
            chain.append(link(chain[-1].hash if chain else GENESIS, number, entry))
        return tuple(chain)


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
def app(shelf: Shelf, metrics: Metrics, probes: list[Probe], secrets: dict[str, str]):
    ports = WebPorts(store=shelf, clock=Stopped(), metrics=metrics, pagerduty_secrets=secrets, probes=tuple(probes))
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

    def body(self, event_type: str = "incident.triggered", event_id: str = "01EXAMPLE0000000000000001") -> bytes:
        event = {
            "id": event_id,
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": "2026-11-23T03:11:09.120Z",
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
