"""Which mode holds for what, over HTTP: the real rows over the shipped doubles."""

from datetime import UTC, datetime

import httpx
import pytest

from sre_agent.audit.record import AuditEntry
from sre_agent.facts.modes import EarnedModes
from sre_agent.incident.errors import Transient
from sre_agent.policy.facts import Mode
from sre_agent.policy.modes import ModeEntry, Modes
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.memory_track_record import MemoryTrackRecord
from sre_agent.testing.rooms import ManualClock
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import WebPorts
from sre_agent.wiring.modes import ModeBoard

NOW = datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)
LISTED = Modes(
    modes=(
        ModeEntry(action="restart_pod", service="voice", mode=Mode.AUTO),
        ModeEntry(action="scale_up", service="voice", mode=Mode.OBSERVE),
    )
)


class Away(MemoryTrackRecord):
    async def history(self, action: str, service: str) -> tuple[AuditEntry, ...]:
        raise Transient("the database is away")


async def asked(record: MemoryTrackRecord, store: MemoryStore, client: str = "127.0.0.1", overall: Mode = Mode.AUTO):
    clock = ManualClock(NOW)
    board = ModeBoard(overall, LISTED, EarnedModes(overall, LISTED, record), clock)
    app = create_app(WebPorts(store=store, clock=clock, metrics=Metrics(), modes=board))
    transport = httpx.ASGITransport(app=app, client=(client, 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as session:
        return await session.get("/api/v1/modes")


async def test_each_entry_says_where_it_stands() -> None:
    store = MemoryStore()
    request = {"proposal": {"action": "restart_pod"}, "declaration": {"service": "voice"}}
    for n in range(20):
        for kind, detail in (("action_permitted", {"request": request, "approvals": 1}), ("recovery_verified", {})):
            await store.append_audit(AuditEntry(at=NOW, incident_id=f"P{n}", kind=kind, detail=detail))
    told = (await asked(MemoryTrackRecord(store), store)).json()
    assert (told["overall"], told["others"]) == ("auto", "approve")
    restart, scale = told["pairs"]
    assert (restart["mode"], restart["agreements"], restart["needed"], restart["why_not_auto"]) == ("auto", 20, 20, "")
    assert restart["until"].startswith("2026-12-23T03:11:09")
    assert (scale["listed"], scale["mode"], scale["why_not_auto"]) == ("observe", "observe", "modes.yaml says observe")
    held = (await asked(MemoryTrackRecord(store), store, overall=Mode.APPROVE)).json()["pairs"][0]
    assert (held["mode"], held["agreements"], held["why_not_auto"]) == ("approve", 20, "the agent's own mode is approve")


async def test_a_history_that_cannot_be_read_is_told_and_is_not_auto() -> None:
    store = MemoryStore()
    restart = (await asked(Away(store), store)).json()["pairs"][0]
    assert (restart["mode"], restart["agreements"]) == ("approve", 0)
    assert "the database is away" in restart["why_not_auto"]


@pytest.mark.parametrize("client", ["203.0.113.9", "10.0.0.1"])
async def test_other_machines_are_told_nothing(client: str) -> None:
    store = MemoryStore()
    assert (await asked(MemoryTrackRecord(store), store, client)).status_code == 403
