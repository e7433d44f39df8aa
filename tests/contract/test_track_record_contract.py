"""The track record in memory and the one in PostgreSQL tell the same history."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.adapters.postgres.track_record import PostgresTrackRecord
from sre_agent.audit.record import AuditEntry
from sre_agent.incident.errors import Permanent
from sre_agent.policy.autonomy import HISTORY, standing
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.memory_track_record import MemoryTrackRecord

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PAIR = ("restart_pod", "voice")


@dataclass
class Side:
    """One implementation over its store."""

    store: PostgresStore | MemoryStore
    record: PostgresTrackRecord | MemoryTrackRecord

    async def tell(self, incident: str, kind: str, **detail: object) -> None:
        await self.store.append_audit(AuditEntry(at=NOW, incident_id=incident, kind=kind, detail=detail))

    async def plan(self, incident: str, action: str = "restart_pod", service: str = "voice", *, end: str = "recovery_verified"):
        request = {"proposal": {"action": action}, "declaration": {"service": service}, "facts": {"mode": "approve"}}
        await self.tell(incident, "action_permitted", request=request, approvals=1)
        await self.tell(incident, "action_executed", outcome="done")
        await self.tell(incident, end)

    async def told(self) -> list[tuple[str | None, str]]:
        return [(e.incident_id, e.kind) for e in await self.record.history(*PAIR)]


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "memory":
        store = MemoryStore()
        yield Side(store, MemoryTrackRecord(store))
        return
    url = request.getfixturevalue("database_url")
    async with Database(url) as pool:
        await request.getfixturevalue("wipe")(pool)
        yield Side(PostgresStore(pool), PostgresTrackRecord(pool))


async def test_an_agent_without_a_past_has_no_history(side: Side) -> None:
    assert await side.told() == []


async def test_it_tells_the_pairs_incidents_in_order_and_nothing_that_does_not_matter(side: Side) -> None:
    await side.plan("P1")
    await side.plan("P2", "scale_up")
    await side.plan("P3", service="sales")
    await side.plan("P4", end="recovery_failed")
    assert await side.told() == [
        ("P1", "action_permitted"),
        ("P1", "recovery_verified"),
        ("P4", "action_permitted"),
        ("P4", "recovery_failed"),
    ]
    assert standing(await side.record.history(*PAIR), *PAIR, NOW).agreements == 0


async def test_an_incident_with_several_plans_comes_whole(side: Side) -> None:
    await side.plan("P1", "scale_up")
    await side.plan("P1")
    assert len(await side.told()) == 4


async def test_only_the_newest_incidents_are_looked_at(side: Side) -> None:
    for n in range(HISTORY + 2):
        await side.plan(f"P{n}")
    await side.plan("P0")  # the oldest, reopened: it is among the newest again
    told = await side.told()
    assert {i for i, _ in told} == {"P0", *(f"P{n}" for n in range(3, HISTORY + 2))}
    assert standing(await side.record.history(*PAIR), *PAIR, NOW).earned


async def test_a_store_opened_anew_tells_the_same(side: Side) -> None:
    await side.plan("P1")
    again = PostgresTrackRecord(side.record._database) if isinstance(side.record, PostgresTrackRecord) else side.record
    assert [e.kind for e in await again.history(*PAIR)] == ["action_permitted", "recovery_verified"]


async def test_names_of_any_length_and_kind_are_told_apart(side: Side) -> None:
    for service in ("x" * 5000, "x" * 5000 + "y", "", "a,b", '{"a"}', "\U0001f4a9", "NULL"):
        await side.plan(f"P{len(service)}{service[:4]}", service=service)
        found = await side.record.history("restart_pod", service)
        assert standing(found, "restart_pod", service, NOW).agreements == 1


async def test_what_people_signed_in_shadow_is_part_of_the_pairs_history(side: Side) -> None:
    said = {"origin": "replay", "decision_sha256": "d" * 64, "person": "ana", "harmful": False}
    for n, (kind, service) in enumerate([("shadow_agreed", "voice"), ("shadow_agreed", "sales"), ("shadow_disagreed", "voice")]):
        detail = said | {"action": "restart_pod", "service": service, "content_sha256": f"{n:064x}"}
        entry = AuditEntry(at=NOW, incident_id=f"S{n}", kind=kind, actor="ana", detail=detail)
        await side.store.append_audit(entry)
    await side.plan("P1")
    assert await side.told() == [
        ("S0", "shadow_agreed"),
        ("S2", "shadow_disagreed"),
        ("P1", "action_permitted"),
        ("P1", "recovery_verified"),
    ]
    found = standing(await side.record.history(*PAIR), *PAIR, NOW)
    assert (found.agreements, found.approved, found.shadow, found.differed) == (2, 1, 1, 1)


async def test_every_pair_with_a_past_is_listed_once(side: Side) -> None:
    assert await side.record.pairs() == ()
    await side.plan("P1")
    await side.plan("P2")
    await side.plan("P3", service="sales")
    await side.plan("P4", service="x" * 5000)
    await side.tell("S1", "shadow_disagreed", action="scale_up", service="voice")
    await side.tell("S2", "shadow_agreed", action="scale_up")
    await side.tell("S3", "incident_received")
    wanted = {PAIR, ("restart_pod", "sales"), ("restart_pod", "x" * 200), ("scale_up", "voice")}
    assert await side.record.pairs() == tuple(sorted(wanted))


@pytest.mark.slow
async def test_a_record_that_somebody_changed_is_refused(database: Database) -> None:
    side = Side(PostgresStore(database), PostgresTrackRecord(database))
    await side.plan("P1", end="recovery_failed")
    async with database.connection() as connection:
        await connection.execute("SET session_replication_role = replica")  # as an administrator could
        await connection.execute("UPDATE audit SET entry = replace(entry, 'recovery_failed', 'recovery_verified')")
        await connection.execute("SET session_replication_role = origin")
    with pytest.raises(Permanent, match="audit verify"):
        await side.record.history(*PAIR)
