"""The ledger and the kill switch in memory and in PostgreSQL keep the same promises."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.halt import PostgresHalt
from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.execution.budget import Limits
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import Conflict, Permanent, Refused
from sre_agent.policy.facts import SpentBudget
from sre_agent.testing.memory_store import MemoryHalt, MemoryLedger, MemoryStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WIDE = Limits(per_target_30m=100, per_service_6h=100, global_1h=100, global_24h=100, in_flight_global=3, failovers_per_incident=100)


@dataclass
class Side:
    """One implementation under test: ledgers over the same rows, whatever their limits."""

    database: Database | None
    store: PostgresStore | MemoryStore
    halt: PostgresHalt | MemoryHalt
    memory: MemoryLedger | None = None

    def ledger(self, limits: Limits | None = None) -> PostgresLedger | MemoryLedger:
        limits = limits or Limits()
        if self.database is not None:
            return PostgresLedger(self.database, limits)
        assert isinstance(self.halt, MemoryHalt)
        fresh = MemoryLedger(limits, halt=self.halt)
        if self.memory is not None:
            fresh._rows = self.memory._rows
        self.memory = fresh
        return fresh


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.slow)])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "memory":
        store = MemoryStore()
        yield Side(None, store, MemoryHalt(store=store))
        return
    async with Database(request.getfixturevalue("database_url"), max_size=20) as pool:
        await request.getfixturevalue("wipe")(pool)
        yield Side(pool, PostgresStore(pool), PostgresHalt(pool))


def intent(n: int, **changes: object) -> Intent:
    fields = {
        "key": f"key-{n}",
        "incident_id": f"P{n}",
        "action": "restart_pod",
        "target_key": f"Pod/shop/web-{n}",
        "service": f"service-{n}",
        "plan_hash": "f" * 64,
        "permit_id": f"permit-{n}",
        "precondition": {"uid": "u-1", "resourceVersion": "7"},
        "created_at": NOW,
    }
    return Intent.model_validate({**fields, **changes})


async def done(ledger: PostgresLedger | MemoryLedger, row: Intent, state: IntentState = IntentState.DONE) -> None:
    await ledger.open(row)
    await ledger.close(row.key, state, "")


async def test_an_intent_is_read_back_as_it_was_written(side: Side) -> None:
    ledger = side.ledger()
    assert await ledger.open(intent(1)) == intent(1) == await ledger.find("key-1")
    assert await ledger.find("key-2") is None


async def test_opening_the_same_key_again_returns_the_row_as_it_stands(side: Side) -> None:
    ledger = side.ledger()
    await ledger.open(intent(1))
    await ledger.step("key-1", "pause", {"old_primary": "10.0.0.1:6379"})
    again = await ledger.open(intent(1, permit_id="permit-of-a-second-run"))
    assert (again.steps, again.permit_id) == (("pause",), "permit-1")


async def test_a_closed_row_is_returned_and_not_opened_anew(side: Side) -> None:
    ledger = side.ledger()
    await done(ledger, intent(1))
    assert (await ledger.open(intent(1))).state is IntentState.DONE


async def test_steps_are_kept_in_order_and_scratch_is_merged(side: Side) -> None:
    ledger = side.ledger()
    await ledger.open(intent(1))
    await ledger.step("key-1", "pause", {"epoch": 4, "old": "a"})
    row = await ledger.step("key-1", "failover", {"epoch": 5})
    assert (row.steps, row.scratch) == (("pause", "failover"), {"epoch": 5, "old": "a"})
    assert await ledger.find("key-1") == row
    assert await ledger.unfinished("P1") == (row,)


async def test_a_closed_row_takes_no_step_and_no_second_end(side: Side) -> None:
    ledger = side.ledger()
    await ledger.open(intent(1))
    closed = await ledger.close("key-1", IntentState.UNKNOWN, "no answer")
    assert (closed.state, closed.result, closed.closed_at is not None) == (IntentState.UNKNOWN, "no answer", True)
    with pytest.raises(Conflict, match="closed as unknown"):
        await ledger.step("key-1", "again", {})
    with pytest.raises(Conflict, match="closed as unknown"):
        await ledger.close("key-1", IntentState.DONE, "")
    assert await ledger.unfinished("P1") == ()


async def test_every_row_of_an_incident_is_told_whatever_became_of_it(side: Side) -> None:
    ledger = side.ledger(WIDE)
    await ledger.open(intent(2, incident_id="P1", created_at=NOW + timedelta(minutes=1)))
    await ledger.open(intent(1))
    await ledger.open(intent(3))
    closed = await ledger.close("key-1", IntentState.FAILED, "refused by the server")
    assert [(row.key, row.state) for row in await ledger.of("P1")] == [
        ("key-1", closed.state),
        ("key-2", IntentState.INTENT),
    ]
    assert await ledger.of("P9") == ()


async def test_of_sixteen_racing_closes_one_wins(side: Side) -> None:
    ledger = side.ledger()
    await ledger.open(intent(1))
    ends = await asyncio.gather(*(ledger.close("key-1", IntentState.DONE, f"{n}") for n in range(16)), return_exceptions=True)
    assert sum(isinstance(end, Intent) for end in ends) == 1


async def test_a_row_nobody_opened_is_a_permanent_error(side: Side) -> None:
    ledger = side.ledger()
    with pytest.raises(Permanent, match="no intent key-9"):
        await ledger.step("key-9", "pause", {})
    with pytest.raises(Permanent, match="still open"):
        await ledger.close("key-9", IntentState.INTENT, "")


async def test_a_permit_opens_one_intent_ever(side: Side) -> None:
    ledger = side.ledger(WIDE)
    await done(ledger, intent(1), IntentState.NOT_DONE)
    with pytest.raises(Refused, match="permit-used"):
        await ledger.open(intent(2, permit_id="permit-1"))


async def refusal(side: Side, row: Intent, limits: Limits | None = None) -> str | None:
    try:
        await side.ledger(limits).open(row)
    except Refused as refused:
        return refused.rule
    return None


async def test_a_target_is_not_touched_twice_within_half_an_hour(side: Side) -> None:
    await done(side.ledger(), intent(1))
    same = {"target_key": "Pod/shop/web-1", "incident_id": "P1"}
    assert await refusal(side, intent(2, **same, created_at=NOW + timedelta(minutes=29, seconds=59))) == "budget-target"
    assert await refusal(side, intent(3, **same, created_at=NOW + timedelta(minutes=30))) is None


@pytest.mark.parametrize("state", [IntentState.FAILED, IntentState.UNKNOWN])
async def test_what_failed_or_may_have_happened_counts_as_done(side: Side, state: IntentState) -> None:
    await done(side.ledger(), intent(1), state)
    assert await refusal(side, intent(2, target_key="Pod/shop/web-1")) == "budget-target"


async def test_what_was_not_done_gives_its_place_back(side: Side) -> None:
    await done(side.ledger(), intent(1, action="redis_failover"), IntentState.NOT_DONE)
    assert await refusal(side, intent(2, action="redis_failover", target_key="Pod/shop/web-1", incident_id="P1")) is None


async def test_a_service_has_three_actions_in_six_hours(side: Side) -> None:
    for n in range(3):
        await done(side.ledger(WIDE), intent(n, service="shop", created_at=NOW + timedelta(hours=n * 1.5)))
    assert await refusal(side, intent(8, service="shop", created_at=NOW + timedelta(hours=5, minutes=59))) == "budget-service"
    assert await refusal(side, intent(9, service="shop", created_at=NOW + timedelta(hours=6))) is None


async def test_there_are_ten_actions_a_day_in_all(side: Side) -> None:
    for n in range(10):
        await done(side.ledger(WIDE), intent(n, created_at=NOW + timedelta(hours=2 * n)))
    assert await refusal(side, intent(20, created_at=NOW + timedelta(hours=23, minutes=59))) == "budget-day"
    assert await refusal(side, intent(21, created_at=NOW + timedelta(hours=24))) is None


async def test_what_was_done_lately_is_listed_oldest_first_with_all_that_is_open_however_old(side: Side) -> None:
    ledger = side.ledger(WIDE)
    await ledger.open(intent(1))
    for n, state in ((2, IntentState.NOT_DONE), (3, IntentState.DONE), (4, IntentState.FAILED)):
        await done(ledger, intent(n, created_at=NOW + timedelta(hours=6 - n), pre_state=f"state-{n}"), state)
    found = await ledger.since(NOW + timedelta(hours=3))
    assert [(i.key, i.state.value, i.pre_state) for i in found] == [
        ("key-1", "intent", ""),
        ("key-2", "not_done", "state-2"),
    ]
    assert len(await ledger.since(NOW + timedelta(hours=2, minutes=59))) == 3


async def test_there_are_five_actions_an_hour_in_all(side: Side) -> None:
    for n in range(5):
        await done(side.ledger(WIDE), intent(n))
    assert await refusal(side, intent(8, created_at=NOW + timedelta(minutes=59))) == "budget-global"
    assert await refusal(side, intent(9, created_at=NOW + timedelta(minutes=60))) is None


async def test_one_action_is_in_flight_at_a_time(side: Side) -> None:
    await side.ledger().open(intent(1))
    assert await refusal(side, intent(2)) == "budget-in-flight"


async def test_one_target_never_has_two_in_flight_whatever_the_limits(side: Side) -> None:
    await side.ledger(WIDE).open(intent(1))
    assert await refusal(side, intent(2, target_key="Pod/shop/web-1"), WIDE) == "budget-in-flight-target"


async def test_an_intent_without_an_end_counts_however_old_it_is(side: Side) -> None:
    await side.ledger(WIDE).open(intent(1, service="shop"))
    spent = await side.ledger().spent("Pod/shop/web-1", "shop", "P1", NOW + timedelta(days=30))
    assert spent == SpentBudget(
        target_actions_30m=1,
        service_actions_6h=1,
        global_actions_1h=1,
        global_actions_24h=1,
        in_flight_target=1,
        in_flight_global=1,
        incident_failovers=0,
    )


async def test_an_incident_gets_one_failover_ever(side: Side) -> None:
    await done(side.ledger(WIDE), intent(1, action="redis_failover"))
    later = {"incident_id": "P1", "created_at": NOW + timedelta(days=9)}
    assert await refusal(side, intent(2, action="redis_failover", **later)) == "budget-failover"
    assert await refusal(side, intent(3, action="restart_pod", **later)) is None


async def test_a_fresh_ledger_has_spent_nothing(side: Side) -> None:
    assert await side.ledger().spent("Pod/a/b", "s", "P1", NOW) == SpentBudget(
        target_actions_30m=0,
        service_actions_6h=0,
        global_actions_1h=0,
        global_actions_24h=0,
        in_flight_target=0,
        in_flight_global=0,
        incident_failovers=0,
    )


@pytest.mark.parametrize(
    ("limits", "same", "rule", "granted"),
    [
        (Limits(), {}, "budget-in-flight", 1),
        (WIDE, {}, "budget-in-flight", 3),
        (WIDE, {"target_key": "Pod/shop/web"}, "budget-in-flight-target", 1),
        (WIDE.model_copy(update={"per_service_6h": 2}), {"service": "shop"}, "budget-service", 2),
    ],
)
async def test_sixteen_racing_opens_never_overspend(
    side: Side, limits: Limits, same: dict[str, object], rule: str, granted: int
) -> None:
    ledger = side.ledger(limits)
    results = await asyncio.gather(*(ledger.open(intent(n, **same)) for n in range(16)), return_exceptions=True)
    assert sum(isinstance(r, Intent) for r in results) == granted
    assert {r.rule for r in results if isinstance(r, Refused)} == {rule}


async def test_sixteen_racing_opens_of_one_key_make_one_row(side: Side) -> None:
    ledger = side.ledger()
    rows = await asyncio.gather(*(ledger.open(intent(1, result=f"run {n}")) for n in range(16)))
    assert len({row.result for row in rows}) == 1


async def test_nothing_is_opened_while_halted_but_what_is_open_can_be_ended(side: Side) -> None:
    ledger = side.ledger(WIDE)
    await ledger.open(intent(1))
    await side.halt.engage("ada", "looks wrong", NOW)
    with pytest.raises(Refused, match="halted"):
        await ledger.open(intent(2))
    assert (await ledger.open(intent(1))).state is IntentState.INTENT
    await ledger.step("key-1", "unpause", {})
    await ledger.close("key-1", IntentState.NOT_DONE, "undone")
    await side.halt.lift("ada", "was a false alarm", NOW)
    assert (await ledger.open(intent(2))).key == "key-2"


async def test_the_switch_says_who_moved_it_and_is_audited(side: Side) -> None:
    assert not await side.halt.halted()
    moved = await side.halt.engage("ada", "looks wrong", NOW)
    assert await side.halt.halted()
    assert (moved.engaged, moved.by, moved.reason, moved.at) == (True, "ada", "looks wrong", NOW)
    assert await side.halt.state() == moved
    await side.halt.engage("ben", "still", NOW)
    await side.halt.lift("ben", "fixed", NOW)
    assert not await side.halt.halted()
    kinds = [(r.entry.kind, r.entry.actor, r.entry.detail) for r in await side.store.audit(None)]
    assert kinds == [
        ("halt_engaged", "ada", {"reason": "looks wrong", "cause": "person"}),
        ("halt_engaged", "ben", {"reason": "still", "cause": "person"}),
        ("halt_lifted", "ben", {"reason": "fixed", "cause": "person"}),
    ]


@pytest.mark.parametrize("field", list(Limits.model_fields))
def test_a_limit_of_zero_or_less_is_a_configuration_nobody_can_write(field: str) -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Limits.model_validate({field: 0})
