"""Alive, ready, and the numbers."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from sre_agent.audit.record import AuditEntry
from sre_agent.incident.errors import Transient
from sre_agent.web import health
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import Probe, WebPorts
from sre_agent.wiring.clock import SystemClock


async def _fine() -> str | None:
    return None


async def _behind() -> str | None:
    return "2 migrations are missing; run: sre-agent migrate"


async def _raises() -> str | None:
    raise Transient("the database cannot be reached")


async def _hangs() -> str | None:
    await asyncio.Event().wait()


async def test_it_is_ready_when_every_probe_holds(remote, probes):
    probes += [Probe("database", _fine), Probe("bundle", _fine)]
    answer = await remote.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "passing": [], "failing": {}})


@pytest.fixture
def failing_probes(probes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "PROBE_WITHIN", 0.02)
    probes += [Probe("bundle", _fine), Probe("migrations", _behind), Probe("database", _raises), Probe("workers", _hangs)]


@pytest.mark.usefixtures("failing_probes")
async def test_it_is_not_ready_when_one_fails_raises_or_hangs_and_says_which(remote):
    answer = await remote.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["passing"] == ["bundle"]
    failing = answer.json()["failing"]
    assert "sre-agent migrate" in failing["migrations"]
    assert "cannot be reached" in failing["database"]
    assert "no answer" in failing["workers"]


@pytest.mark.usefixtures("failing_probes")
async def test_it_is_alive_even_when_it_is_not_ready(remote):
    assert (await remote.get("/healthz")).status_code == 200


def _entry(kind: str, **detail) -> AuditEntry:
    return AuditEntry(at=datetime(2026, 11, 23, tzinfo=UTC), incident_id="Q1", kind=kind, detail=detail)


async def test_metrics_count_verdicts_actions_and_what_happened(local, metrics: Metrics):
    metrics.observe(_entry("execution_started", verdict="allow"))
    metrics.observe(_entry("action_executed", outcome="done"))
    metrics.observe(_entry("action_refused", verdict="hand_back"))
    metrics.beat(datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC))
    lines = (await local.get("/metrics")).text.splitlines()
    assert 'sre_agent_verdicts_total{verdict="allow"} 1.0' in lines
    assert 'sre_agent_verdicts_total{verdict="hand_back"} 1.0' in lines
    assert 'sre_agent_actions_total{outcome="done"} 1.0' in lines
    assert 'sre_agent_actions_total{outcome="refused"} 1.0' in lines
    assert 'sre_agent_events_total{kind="action_executed"} 1.0' in lines
    assert any(line.startswith("sre_agent_heartbeat_timestamp_seconds 1.7") for line in lines)


async def test_two_apps_in_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.observe(_entry("action_executed"))
    assert b"action_executed" not in other.exposition()[0]


async def test_a_refused_delivery_is_counted_by_its_reason(remote, local):
    await remote.post("/webhooks/pagerduty", content=b"{}")
    assert 'sre_agent_deliveries_refused_total{door="pagerduty",reason="signature"} 1.0' in (await local.get("/metrics")).text


async def test_a_note_is_told_and_makes_nothing_unready(shelf, metrics):
    async def moved_on() -> str | None:
        return "the files on disk have changed"

    notes = (Probe("policies", moved_on), Probe("other", _fine))
    ports = WebPorts(store=shelf, clock=SystemClock(), metrics=metrics, probes=(Probe("database", _fine),), notes=notes)
    transport = httpx.ASGITransport(app=create_app(ports), client=("203.0.113.9", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://sre.example") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["passing"]) == (200, ["database"])
    assert answer.json()["notes"] == {"policies": "the files on disk have changed"}
