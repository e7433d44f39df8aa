"""`sre-agent status-page`: what a person reads, publishes and discards, on a real database and a page over HTTP."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sre_agent.adapters.embedded_postgres import EmbeddedPostgres
from sre_agent.incident.alert import Alert
from sre_agent.response.record import IncidentRecord, State
from sre_agent.routing.file import Routing
from sre_agent.settings import load
from sre_agent.testing.night.books import declare_owners
from sre_agent.testing.statuspage import StatuspageStandIn
from sre_agent.wiring.state import opened_state
from sre_agent.wiring.status_page import status_desk

TOKEN = "one person's own token"
NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
ROUTING = Routing(verticals={}, customer_facing=(('customer_facing="true"',),))
ID = "Q1.1.public.investigating"


@pytest.fixture
def server() -> Iterator[StatuspageStandIn]:
    with StatuspageStandIn(("PUB1",)) as standing:
        yield standing


@pytest.fixture
def drafted(bare_environment, postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch, said, server: StatuspageStandIn) -> None:
    """A migrated database with one incident that customers notice, and its draft."""
    name = f"status_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    monkeypatch.setenv("DATABASE_URL", postgres.database_url(name))
    monkeypatch.setenv("SRE_AGENT_POLICY_DATA", str(declare_owners(tmp_path / "data", "cache", {"ana": TOKEN})))
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", TOKEN)
    monkeypatch.setenv("STATUSPAGE_API_KEY", server.key)
    monkeypatch.setenv("STATUSPAGE_PAGES", json.dumps({"public": "PUB1"}))
    monkeypatch.setenv("STATUSPAGE_API_URL", server.url)
    assert said("migrate")[0] == 0

    async def draft() -> None:
        async with opened_state(load(None)) as state:
            record = IncidentRecord(id="Q1", received_at=NOW, updated_at=NOW, state=State.HANDED_BACK)
            await state.store.create(record, ())
            await status_desk(state, ROUTING).offer(record, [Alert(labels={"customer_facing": "true"})])

    asyncio.run(draft())


@pytest.mark.usefixtures("drafted")
def test_a_person_reads_publishes_once_and_the_audit_says_who(said, server: StatuspageStandIn, monkeypatch) -> None:
    assert ID in said("status-page", "list")[1]
    status, shown, _ = said("status-page", "show", ID)
    assert (status, "Problems with our service" in shown, f"{ID}: pending" in shown) == (0, True, True)
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", "guessed")
    status, _, why = said("status-page", "publish", ID, "--as", "ana")
    assert (status != 0, "status-unproved" in why, server.incidents["PUB1"]) == (True, True, [])
    monkeypatch.setenv("SRE_AGENT_APPROVER_TOKEN", TOKEN)
    assert said("status-page", "publish", ID, "--as", "ana")[:2] == (0, f"{ID}: published by ana\n")
    status, _, why = said("status-page", "publish", ID, "--as", "ana")
    assert (status != 0, "was published by Ana Example" in why) == (True, True)
    (one,) = server.incidents["PUB1"]
    assert [u["deliver_notifications"] for u in one["incident_updates"]] == [False]
    assert ID not in said("status-page", "list")[1]
    (row,) = [json.loads(line) for line in said("status-page", "list", "--all", "--json")[1].splitlines()]
    assert (row["state"], row["by"], row["page_incident"]) == ("published", "ana", one["id"])
    entries = [json.loads(line)["entry"] for line in said("audit", "show")[1].splitlines()]
    assert ("status_published", "ana") in [(e["kind"], e["actor"]) for e in entries]
    assert said("audit", "verify")[0] == 0


@pytest.mark.usefixtures("drafted")
def test_a_person_discards_with_a_reason_and_nothing_was_sent(said, server: StatuspageStandIn) -> None:
    assert said("status-page", "discard", ID, "--as", "ana", "--reason", "told by phone")[:2] == (
        0,
        f"{ID}: discarded by ana (told by phone)\n",
    )
    assert said("status-page", "publish", ID, "--as", "ana")[0] != 0
    assert server.asked == []


@pytest.mark.usefixtures("drafted")
def test_half_a_statuspage_is_refused(said, monkeypatch) -> None:
    monkeypatch.delenv("STATUSPAGE_PAGES")
    status, _, why = said("status-page", "list")
    assert (status != 0, "go together" in why) == (True, True)
