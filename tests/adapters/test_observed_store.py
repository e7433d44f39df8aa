"""Observers see what was committed, once, and nothing that was not."""

from datetime import UTC, datetime

import pytest

from sre_agent.adapters.observed_store import ObservedStore
from sre_agent.audit.record import AuditEntry
from sre_agent.incident.errors import Conflict
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.response.store import Store
from sre_agent.testing.memory_store import MemoryStore

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RECORD = IncidentRecord(id="Q1", received_at=NOW, updated_at=NOW)


def _entry(kind: str) -> AuditEntry:
    return AuditEntry(at=NOW, incident_id="Q1", kind=kind)


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def store(seen: list[str]) -> Store:
    return ObservedStore(MemoryStore(), (lambda entry: seen.append(entry.kind),))


async def test_every_audited_change_is_seen_in_order(store: Store, seen: list[str]):
    record = await store.create(RECORD, (_entry("incident_received"),))
    await store.advance(record, Step(to=State.INVESTIGATING, audit=(_entry("a"), _entry("b"))))
    await store.append_audit(_entry("c"))
    assert seen == ["incident_received", "a", "b", "c"]
    assert [r.entry.kind for r in await store.audit("Q1")] == seen


async def test_a_lost_compare_and_set_is_not_seen(store: Store, seen: list[str]):
    record = await store.create(RECORD, ())
    step = Step(to=State.INVESTIGATING, audit=(_entry("a"),))
    await store.advance(record, step)
    with pytest.raises(Conflict):
        await store.advance(record, step)
    assert seen == ["a"]


async def test_a_record_that_was_there_before_is_not_seen_again(store: Store, seen: list[str]):
    await store.create(RECORD, (_entry("incident_received"),))
    later = RECORD.model_copy(update={"received_at": NOW.replace(hour=1)})
    await store.create(later, (_entry("incident_received"),))
    assert seen == ["incident_received"]
