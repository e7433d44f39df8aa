"""Counting questions and keeping their digests: the store in memory and the one in PostgreSQL keep the same promises."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.incident.errors import Conflict
from sre_agent.response.fatigue import Digest
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.testing.memory_store import MemoryStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
Either = PostgresStore | MemoryStore


def question(name: str, at: datetime, state: ApprovalState) -> ApprovalRequest:
    return ApprovalRequest(
        id=name, incident_id="P1", plan_hash="f" * 64, required=1, team="t", question="?", created_at=at, expires_at=at, state=state
    )


async def test_approvals_asked_since_a_moment_are_listed_newest_first_whatever_became_of_them(store: Either) -> None:
    stored = await store.create(IncidentRecord(id="P1", received_at=NOW, updated_at=NOW), ())
    for n in range(4):
        asked_at = NOW + timedelta(microseconds=n)
        state = ApprovalState.EXPIRED if n % 2 else ApprovalState.PENDING
        stored = await store.advance(stored, Step(to=State.AWAITING_APPROVAL, approval=question(f"A{n}", asked_at, state)))
    assert [a.id for a in await store.approvals_since(NOW)] == ["A3", "A2", "A1"]
    assert await store.approvals_since(NOW + timedelta(seconds=1)) == ()


async def test_a_digest_is_read_back_by_its_id_and_the_newest_without_one(store: Either) -> None:
    assert await store.digest(None) is None
    older = await store.put_digest(Digest(id="dig_1", opened_at=NOW, questions=("A1",)))
    newer = await store.put_digest(Digest(id="dig_0", opened_at=NOW + timedelta(hours=1)))
    assert older.version == newer.version == 1
    assert await store.digest(None) == newer
    assert await store.digest("dig_1") == older
    assert await store.digest("dig_9") is None


async def test_of_sixteen_who_write_a_digest_one_wins(store: Either) -> None:
    first = await asyncio.gather(
        *(store.put_digest(Digest(id="dig_1", opened_at=NOW, channel=f"C{n}")) for n in range(16)), return_exceptions=True
    )
    (kept,) = [d for d in first if isinstance(d, Digest)]
    assert sum(isinstance(d, Conflict) for d in first) == 15
    again = await asyncio.gather(
        *(store.put_digest(kept.model_copy(update={"message": f"m{n}"})) for n in range(16)), return_exceptions=True
    )
    (won,) = [d for d in again if isinstance(d, Digest)]
    assert (won.version, await store.digest("dig_1")) == (2, won)
    with pytest.raises(Conflict, match="somebody moved first"):
        await store.put_digest(kept)


async def test_a_digest_nobody_opened_cannot_be_changed(store: Either) -> None:
    with pytest.raises(Conflict):
        await store.put_digest(Digest(id="dig_1", opened_at=NOW, version=3))
