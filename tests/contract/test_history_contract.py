"""What the stores remember of the last hour and day, for the breakers: the same in memory and in PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.alert import Alert
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.response.record import IncidentRecord, State
from sre_agent.testing.memory_store import MemoryStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
Either = PostgresStore | MemoryStore


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Either]:
    if request.param == "memory":
        yield MemoryStore()
        return
    async with Database(request.getfixturevalue("database_url"), max_size=5) as pool:
        await request.getfixturevalue("wipe")(pool)
        yield PostgresStore(pool)


def event(number: int, **changes: object) -> IncidentEvent:
    fields = {
        "door": "pagerduty",
        "kind": EventKind.TRIGGERED,
        "type_name": "incident.triggered",
        "event_id": f"E{number}",
        "delivery_id": f"D{number}",
        "incident_id": f"P{number}",
        "occurred_at": NOW,
    }
    return IncidentEvent.model_validate({**fields, **changes})


def record(number: int, **changes: object) -> IncidentRecord:
    return IncidentRecord.model_validate({"id": f"P{number}", "received_at": NOW, "updated_at": NOW, **changes})


async def test_what_was_heard_lately_is_told_newest_first_and_only_of_incidents(store: Either) -> None:
    said = [
        event(1, service_id="PSVC1", incident_key="k", occurred_at=NOW - timedelta(days=9)),
        event(2, kind=EventKind.ANNOTATED, type_name="incident.annotated", agent_id="PADA"),
        event(3, kind=EventKind.PING, incident_id=None),
        event(4),
    ]
    for minutes, one in zip((30, 20, 10, 60), said, strict=True):
        await store.accept(one, b"{}", NOW - timedelta(minutes=minutes))
    assert await store.heard(NOW - timedelta(minutes=60), 10) == (said[1], said[0])
    assert await store.heard(NOW - timedelta(minutes=61), 2) == (said[1], said[0])
    assert await store.heard(NOW - timedelta(minutes=20), 10) == ()


async def test_what_changed_lately_is_told_newest_first_with_those_that_are_named(store: Either) -> None:
    seen = Incident(
        id="P1",
        status=IncidentStatus.ACKNOWLEDGED,
        created_at=NOW,
        service=Reference(id="PSVC1", name="Voice"),
        alerts=(Alert(labels={"alertname": "PodDown", "pod": "p"}, starts_at=NOW),),
    )
    await store.create(record(1, incident=seen, tried_in_vain=("restart_pod",), state=State.HANDED_BACK), ())
    await store.create(record(2, updated_at=NOW + timedelta(minutes=1)), ())
    await store.create(record(3, updated_at=NOW + timedelta(minutes=2)), ())
    await store.create(record(4, updated_at=NOW - timedelta(days=3)), ())
    found = await store.past(NOW - timedelta(seconds=1), ("P4", "P2", "nobody"), 10)
    assert [p.id for p in found] == ["P3", "P2", "P1", "P4"]
    assert found[2].model_dump() == {
        "id": "P1",
        "state": State.HANDED_BACK,
        "received_at": NOW,
        "tried_in_vain": ("restart_pod",),
        "incident": seen.model_dump(),
    }
    assert found[0].incident is None
    assert [p.id for p in await store.past(NOW - timedelta(seconds=1), ("P1",), 1)] == ["P3", "P1"]
    assert await store.past(NOW + timedelta(minutes=2), (), 10) == ()
