"""Lists of incidents, and the version one is at: the same in memory and in PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.headlines import PostgresHeadlines
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.response.headline import Headlines, Wanted, headline
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.memory_headlines import MemoryHeadlines
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.triage.triage import Triage

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
Sides = tuple[PostgresStore | MemoryStore, Headlines]


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def sides(request: pytest.FixtureRequest) -> AsyncIterator[Sides]:
    if request.param == "memory":
        store = MemoryStore()
        yield store, MemoryHeadlines(store)
        return
    async with Database(request.getfixturevalue("database_url"), max_size=5) as pool:
        await request.getfixturevalue("wipe")(pool)
        yield PostgresStore(pool), PostgresHeadlines(pool)


def full(number: int, **changes: object) -> IncidentRecord:
    """A record that an investigation has filled."""
    incident = Incident(
        id=f"P{number}",
        number=4000 + number,
        title=f"Cache is slow ({number}) " + "x" * 400,
        status=IncidentStatus.TRIGGERED,
        created_at=NOW,
        service=Reference(id="PSVC1", name="voice"),
    )
    target = Target(kind="RedisMaster", name="sessions", uid="r1")
    fields: dict[str, object] = {
        "id": f"P{number}",
        "received_at": NOW + timedelta(minutes=number),
        "updated_at": NOW + timedelta(minutes=number),
        "incident": incident,
        "triage": Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd"),
        "decision": Decision(verdict=Verdict.NEEDS_APPROVAL, approvals_required=2),
        "proposal": Proposal(incident_id=f"P{number}", runbook="redis-failover", action="redis_failover", target=target),
        "state": State.AWAITING_APPROVAL,
        "reason": "because " + "y" * 400,
        **changes,
    }
    return IncidentRecord.model_validate(fields)


def bare(number: int) -> IncidentRecord:
    return IncidentRecord(id=f"P{number}", received_at=NOW + timedelta(minutes=number), updated_at=NOW)


async def test_a_line_says_what_the_record_says(sides: Sides) -> None:
    store, lines = sides
    for record in (full(1), bare(2), full(3, incident=full(3).incident.model_copy(update={"service": Reference(id="PSVC9")}))):
        await store.create(record, ())
        assert (await lines.newest(Wanted(), 1))[0] == headline(record)


async def test_lines_come_newest_first_and_in_pages(sides: Sides) -> None:
    store, lines = sides
    for number in range(5):
        await store.create(bare(number), ())
    assert [line.id for line in await lines.newest(Wanted(), 2)] == ["P4", "P3"]
    assert [line.id for line in await lines.newest(Wanted(), 2, 2)] == ["P2", "P1"]
    assert [line.id for line in await lines.newest(Wanted(), 2, 4)] == ["P0"]
    assert await lines.newest(Wanted(), 2, 6) == ()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(states=frozenset({State.RECOVERED})), ["P3"]),
        (Wanted(states=frozenset({State.RECEIVED, State.RECOVERED})), ["P3", "P2"]),
        (Wanted(states=frozenset()), []),
        (Wanted(alert_class=AlertClass.MODEL), ["P4"]),
        (Wanted(verdict=Verdict.HAND_BACK), ["P4"]),
        (Wanted(owner="ai-eng"), ["P4"]),
        (Wanted(owner="AI-ENG"), []),
        (Wanted(service="voice"), ["P4", "P3", "P1"]),
        (Wanted(service="voice", owner="platform", verdict=Verdict.NEEDS_APPROVAL), ["P3", "P1"]),
        (Wanted(text="CACHE IS slow (3)"), ["P3"]),
        (Wanted(text="4001"), ["P1"]),
        (Wanted(text="session"), ["P4", "P3", "P1"]),
        (Wanted(text="100%_"), []),
        (Wanted(text="nul \x00 and half \ud800"), []),
    ],
)
async def test_all_that_is_asked_for_must_hold(sides: Sides, wanted: Wanted, found: list[str]) -> None:
    store, lines = sides
    other = Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.MODEL, owner="ai-eng", receiver="pd")
    refused = Decision(verdict=Verdict.HAND_BACK)
    await store.create(full(1), ())
    await store.create(bare(2), ())
    await store.create(full(3, state=State.RECOVERED), ())
    await store.create(full(4, triage=other, decision=refused, state=State.HANDED_BACK), ())
    assert [line.id for line in await lines.newest(wanted, 10)] == found


async def test_the_version_follows_every_change(sides: Sides) -> None:
    store, lines = sides
    assert await lines.version("P1") is None
    stored = await store.create(bare(1), ())
    assert await lines.version("P1") == 0
    await store.advance(stored, Step(to=State.INVESTIGATING, changes={"reason": "new"}))
    assert await lines.version("P1") == 1
    assert (await lines.newest(Wanted(), 1))[0].reason == "new"
