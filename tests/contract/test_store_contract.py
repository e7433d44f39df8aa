"""The store in memory and the one in PostgreSQL keep the same promises."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.audit.record import AuditEntry, first_break
from sre_agent.incident.errors import Conflict, Permanent
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.response.record import IncidentRecord, Job, JobKind, State, Step
from sre_agent.testing.memory_store import MemoryStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
Either = PostgresStore | MemoryStore


def event(number: int = 1, **changes: object) -> IncidentEvent:
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


def record(number: int = 1, **changes: object) -> IncidentRecord:
    return IncidentRecord.model_validate({"id": f"P{number}", "received_at": NOW, "updated_at": NOW, **changes})


def entry(kind: str, incident: str | None = "P1", **detail: object) -> AuditEntry:
    return AuditEntry(at=NOW, incident_id=incident, kind=kind, detail=detail)


def question(**changes: object) -> ApprovalRequest:
    fields = {
        "id": "A1",
        "incident_id": "P1",
        "plan_hash": "f" * 64,
        "required": 2,
        "team": "platform",
        "question": "Fail over redis/cache?",
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=15),
    }
    return ApprovalRequest.model_validate({**fields, **changes})


def answer(person: str, approve: bool = True) -> Answer:
    return Answer(person=person, approve=approve, via="cli", at=NOW, reason="looks right")


async def asked(store: Either, **changes: object) -> IncidentRecord:
    stored = await store.create(record(), ())
    return await store.advance(stored, Step(to=State.AWAITING_APPROVAL, approval=question(**changes)))


async def test_an_accepted_event_is_read_back_as_it_came(store: Either) -> None:
    assert await store.accept(event(), b"{}", NOW)
    (row,) = await rows_of(store)
    assert await store.inbox(row) == event()


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"delivery_id": "other", "occurred_at": NOW + timedelta(seconds=1)},
        {"event_id": "other", "occurred_at": NOW + timedelta(seconds=1)},
        {"event_id": "other", "delivery_id": "other"},
    ],
    ids=["same delivery", "same event", "same delivery id", "same occurrence"],
)
async def test_the_same_event_is_accepted_once(store: Either, again: dict[str, object]) -> None:
    assert await store.accept(event(), b"{}", NOW)
    assert not await store.accept(event(**again), b"{}", NOW)


async def test_the_same_ids_at_another_door_are_another_event(store: Either) -> None:
    assert await store.accept(event(), b"{}", NOW)
    assert await store.accept(event(door="alertmanager"), b"{}", NOW)


async def test_events_about_no_incident_are_told_apart_by_their_ids(store: Either) -> None:
    assert await store.accept(event(1, incident_id=None), b"{}", NOW)
    assert await store.accept(event(2, incident_id=None), b"{}", NOW)


async def test_of_sixteen_racing_deliveries_one_is_accepted(store: Either) -> None:
    accepted = await asyncio.gather(*(store.accept(event(delivery_id=f"D{n}"), b"{}", NOW) for n in range(16)))
    assert accepted.count(True) == 1


async def test_racing_events_are_each_told_their_own_fate(store: Either) -> None:
    fates = await asyncio.gather(*(store.accept(event(n // 2), b"{}", NOW) for n in range(200)))
    assert fates.count(True) == 100
    assert all(fates[n] != fates[n + 1] for n in range(0, 200, 2))
    assert sorted([(await store.inbox(row)).event_id for row in await rows_of(store)]) == sorted(f"E{n}" for n in range(100))


async def test_hostile_ids_are_taken_in_once(store: Either) -> None:
    hostile = event(event_id="\x00" + "".join(map(chr, range(0x4E00, 0x4E00 + 9000))), delivery_id="\ud800", incident_id="i" * 5000)
    assert await store.accept(hostile, b"\xff\x00", NOW)
    assert not await store.accept(hostile, b"\xff\x00", NOW)


async def test_events_with_large_bodies_and_hostile_text_arrive_side_by_side(store: Either) -> None:
    """More bytes than one statement takes, and text that an array would have to escape."""
    odd = 'x"} \\ {NULL, "a",\n\t☃ ' * 20
    fates = await asyncio.gather(*(store.accept(event(n, title=odd), bytes([n]) * 9_000_000, NOW) for n in range(6)))
    assert fates == [True] * 6
    rows = [row for n in range(6) for row in range(1, 20) if await _has(store, row, f"E{n}")]
    assert len(rows) == 6
    assert {(await store.inbox(row)).title for row in rows} == {odd}


async def _has(store: Either, row: int, event_id: str) -> bool:
    try:
        return (await store.inbox(row)).event_id == event_id
    except Permanent:
        return False


async def test_an_unknown_inbox_row_is_a_permanent_error(store: Either) -> None:
    with pytest.raises(Permanent, match="no inbox row 99"):
        await store.inbox(99)


async def test_creating_twice_keeps_the_first_and_audits_once(store: Either) -> None:
    first = await store.create(record(reason="first"), (entry("incident_received"),))
    second = await store.create(record(reason="second"), (entry("incident_received"),))
    assert first == second == await store.load("P1")
    assert len(await store.audit(None)) == 1


async def test_an_unknown_incident_loads_as_none(store: Either) -> None:
    assert await store.load("nobody") is None


async def test_hostile_text_is_stored_and_does_not_stick(store: Either) -> None:
    stored = await store.create(record(), (entry("incident_received", text="nul \x00 half \ud83d"),))
    after = await store.advance(
        stored,
        Step(
            to=State.INVESTIGATING,
            changes={"reason": "log line with \x00 and \ud83d", "measured": {"ratio": float("nan"), "most": float("inf")}},
        ),
    )
    loaded = await store.load("P1")
    assert after.version == 1
    assert loaded is not None
    assert loaded.state is State.INVESTIGATING
    assert str(loaded.measured["most"]).startswith("inf") or loaded.measured["most"] == "Infinity"
    assert first_break(await store.audit(None)) is None


async def test_listing_is_newest_first_and_filtered_by_state(store: Either) -> None:
    for n in range(5):
        state = State.RECOVERED if n % 2 else State.VERIFYING
        await store.create(record(n, state=state, received_at=NOW + timedelta(seconds=n)), ())
    assert [r.id for r in await store.listing(None, 3)] == ["P4", "P3", "P2"]
    assert [r.id for r in await store.listing(frozenset({State.RECOVERED}), 10)] == ["P3", "P1"]
    assert await store.listing(frozenset(), 10) == ()


async def test_advance_moves_state_and_version_and_keeps_the_rest(store: Either) -> None:
    stored = await store.create(record(reason="why"), ())
    at = NOW + timedelta(seconds=5)
    step = Step(
        to=State.INVESTIGATING,
        changes={"human_acknowledged": True},
        audit=(AuditEntry(at=at, incident_id="P1", kind="triage_ended"),),
    )
    after = await store.advance(stored, step)
    assert after == record(reason="why", version=1, state=State.INVESTIGATING, human_acknowledged=True, updated_at=at)
    assert await store.load("P1") == after
    assert [r.entry.kind for r in await store.audit("P1")] == ["triage_ended"]


async def test_of_sixteen_concurrent_advances_exactly_one_wins(store: Either) -> None:
    stored = await store.create(record(), ())

    async def attempt(n: int) -> int | None:
        step = Step(to=State.INVESTIGATING, changes={"reason": f"worker {n}"}, audit=(entry("moved", worker=n),))
        try:
            await store.advance(stored, step)
        except Conflict:
            return None
        return n

    winners = [n for n in await asyncio.gather(*(attempt(n) for n in range(16))) if n is not None]
    loaded = await store.load("P1")
    assert len(winners) == 1
    assert loaded is not None
    assert (loaded.version, loaded.reason) == (1, f"worker {winners[0]}")
    assert [r.entry.detail for r in await store.audit(None)] == [{"worker": winners[0]}]


async def test_an_incident_nobody_created_cannot_advance(store: Either) -> None:
    with pytest.raises(Conflict):
        await store.advance(record(), Step(to=State.INVESTIGATING))


@pytest.mark.parametrize("changes", [{"no_such_field": 1}, {"version": 7}, {"state": "recovered"}, {"samples": "text"}])
async def test_changes_that_do_not_fit_are_refused_and_change_nothing(store: Either, changes: dict[str, object]) -> None:
    stored = await store.create(record(), ())
    with pytest.raises(Permanent):
        await store.advance(stored, Step(to=State.INVESTIGATING, changes=changes))
    assert await store.load("P1") == stored


async def test_a_step_that_loses_starts_no_job_and_asks_nobody(store: Either) -> None:
    stored = await store.create(record(), ())
    await store.advance(stored, Step(to=State.INVESTIGATING))
    late = Step(
        to=State.AWAITING_APPROVAL,
        approval=question(),
        jobs=(Job(kind=JobKind.EXPIRE_APPROVAL, incident_id="P1"),),
        audit=(entry("approval_requested"),),
    )
    with pytest.raises(Conflict, match="somebody moved first"):
        await store.advance(stored, late)
    assert await store.approvals(pending_only=False) == ()
    assert await store.audit(None) == ()
    assert await jobs_of(store) == []


async def test_the_jobs_of_a_step_are_on_the_queue_with_the_step(store: Either) -> None:
    stored = await store.create(record(), ())
    later = NOW + timedelta(days=4000)
    jobs = (
        Job(kind=JobKind.EXECUTE, incident_id="P1", arguments={"approval_id": "A1"}),
        Job(kind=JobKind.EXPIRE_APPROVAL, incident_id="P1", at=later),
    )
    await store.advance(stored, Step(to=State.EXECUTING, jobs=jobs))
    assert await jobs_of(store) == [("execute", None, {"approval_id": "A1"}), ("expire_approval", later, {})]


async def test_two_people_grant_what_needs_two(store: Either) -> None:
    await asked(store)
    assert (await store.answer("A1", answer("ada"), NOW)).state is ApprovalState.PENDING
    granted = await store.answer("A1", answer("ben"), NOW)
    assert (granted.state, granted.approvers) == (ApprovalState.GRANTED, ("ada", "ben"))
    assert await store.approval("A1") == granted
    assert await store.approvals(pending_only=True) == ()
    assert [(r.entry.kind, r.entry.actor) for r in await store.audit("P1")] == [
        ("approval_answered", "ada"),
        ("approval_answered", "ben"),
    ]


async def test_one_no_denies(store: Either) -> None:
    await asked(store)
    assert (await store.answer("A1", answer("ada", approve=False), NOW)).state is ApprovalState.DENIED
    with pytest.raises(Conflict, match="takes no more answers"):
        await store.answer("A1", answer("ben"), NOW)


async def test_the_same_person_twice_is_one_person(store: Either) -> None:
    await asked(store)
    results = await asyncio.gather(*(store.answer("A1", answer("ada"), NOW) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(r, Conflict) for r in results) == 3
    stored = await store.approval("A1")
    assert stored is not None
    assert stored.approvers == ("ada",)


async def test_an_answer_after_expiry_or_by_the_requester_is_refused(store: Either) -> None:
    await asked(store, requester="ada")
    with pytest.raises(Conflict, match="expired"):
        await store.answer("A1", answer("ben"), NOW + timedelta(minutes=15))
    with pytest.raises(Conflict, match="cannot also decide"):
        await store.answer("A1", answer("ada"), NOW)


async def test_an_answer_to_no_question_is_a_permanent_error(store: Either) -> None:
    with pytest.raises(Permanent, match="no approval A9"):
        await store.answer("A9", answer("ada"), NOW)


async def test_replacing_an_approval_never_loses_an_answer(store: Either) -> None:
    waiting = await asked(store)
    await store.answer("A1", answer("ada"), NOW)
    with pytest.raises(Conflict, match="answered meanwhile"):
        await store.advance(waiting, Step(to=State.CANCELLED, approval=question(state=ApprovalState.CANCELLED)))
    assert (await store.load("P1")) == waiting


async def test_an_approval_is_consumed_once(store: Either) -> None:
    waiting = await asked(store, required=1)
    granted = await store.answer("A1", answer("ada"), NOW)
    consumed = granted.model_copy(update={"state": ApprovalState.CONSUMED})
    executing = await store.advance(waiting, Step(to=State.EXECUTING, approval=consumed))
    with pytest.raises(Conflict, match="used already"):
        await store.advance(executing, Step(to=State.EXECUTING, approval=consumed))


async def test_approvals_are_listed_newest_first(store: Either) -> None:
    waiting = await asked(store)
    await store.advance(
        waiting, Step(to=State.AWAITING_APPROVAL, approval=question(id="A2", created_at=NOW + timedelta(seconds=1)))
    )
    assert [a.id for a in await store.approvals(pending_only=True)] == ["A2", "A1"]


async def test_the_chain_holds_under_concurrent_appends(store: Either) -> None:
    detail = {"at": NOW, "many": (1, 2.0, 1e16, None), "text": "naïve \u2028"}
    await asyncio.gather(*(store.append_audit(entry("noted", f"P{n % 3}", n=n, **detail)) for n in range(16)))
    records = await store.audit(None)
    assert [r.sequence for r in records] == list(range(1, 17))
    assert first_break(records) is None
    assert await store.audit_break() is None
    assert {r.entry.incident_id for r in await store.audit("P1")} == {"P1"}


async def rows_of(store: Either) -> list[int]:
    """The inbox rows that wait for intake."""
    if isinstance(store, MemoryStore):
        return list(store.take_arrived())
    return [
        row for (row,) in await store._database.rows("SELECT (args->>'row')::int FROM procrastinate_jobs WHERE task_name = 'inbox'")
    ]


async def jobs_of(store: Either) -> list[tuple[str, datetime | None, dict[str, object]]]:
    """(task, due, arguments) of every waiting job, in order."""
    if isinstance(store, MemoryStore):
        return [(job.kind.value, job.at, dict(job.arguments)) for job in store.jobs]
    rows = await store._database.rows("SELECT task_name, scheduled_at, args - 'incident_id' FROM procrastinate_jobs ORDER BY id")
    return [(task, at, arguments) for task, at, arguments in rows]
