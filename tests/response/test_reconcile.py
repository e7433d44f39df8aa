"""What no delivery told is found by comparing, once, and becomes one investigation."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import IncidentStatus, OpenIncident, Reference
from sre_agent.response.reconcile import AT_ONCE, LOOKBACK, Reconcile
from sre_agent.response.record import State
from sre_agent.testing.walkthrough import START, Walkthrough
from tests.path.scenes import ID, incident, night

INSTALLED = START - timedelta(hours=1)


class There:
    """PagerDuty as it lists things: what is open, and what each incident looked up answers."""

    def __init__(self, *incidents: OpenIncident) -> None:
        self.open: tuple[OpenIncident, ...] | None = incidents
        self.away: Exception | None = None
        self.looked_up: list[str] = []

    async def listed(self, since: datetime) -> tuple[OpenIncident, ...] | None:
        if self.away:
            raise self.away
        return None if self.open is None else tuple(i for i in self.open if i.created_at is None or i.created_at >= since)

    async def standing(self, incident_id: str) -> OpenIncident | None:
        self.looked_up.append(incident_id)
        if self.away:
            raise self.away
        return next((i for i in self.open or () if i.id == incident_id), None)


async def installed() -> datetime:
    return INSTALLED


def passing(walk: Walkthrough, there: There) -> Reconcile:
    return Reconcile(walk.responder.walk, walk.store, there.listed, there.standing, installed)


def open_there(identity: str = ID, created: datetime = START, **more: object) -> OpenIncident:
    fields = {"status": IncidentStatus.TRIGGERED, "service": Reference(id="PSVC001"), "changed_at": created, **more}
    return OpenIncident(id=identity, created_at=created, **fields)


async def run(walk: Walkthrough, there: There) -> Counter[EventKind]:
    found = await passing(walk, there).once()
    await walk.settle()
    return found


async def test_an_open_incident_nobody_told_of_is_investigated() -> None:
    walk, there = night(), There(open_there())
    walk.tracker.put(incident())
    assert await run(walk, there) == {EventKind.TRIGGERED: 1}
    assert (await walk.record(ID)).state is State.AWAITING_APPROVAL
    assert await run(walk, there) == {}


async def test_two_workers_and_the_delivery_that_comes_after_all_make_one_investigation() -> None:
    walk, there = night(), There(open_there())
    walk.tracker.put(incident())
    both = [await passing(walk, there).once() for _ in range(2)]
    assert both == [{EventKind.TRIGGERED: 1}, {}]
    await walk.hear(incident(), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert [e.kind for e in record.timeline].count("investigation_started") == 1
    assert record.round == 1


async def test_a_delivery_that_is_kept_and_not_worked_on_yet_is_not_a_second_investigation() -> None:
    walk, there = night(), There(open_there())
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert await run(walk, there) == {}
    assert (await walk.record(ID)).round == 1


@pytest.mark.parametrize(
    "created",
    [INSTALLED - timedelta(seconds=1), START - LOOKBACK - timedelta(seconds=1)],
    ids=["too early", "too old"],
)
async def test_what_was_open_before_the_installation_or_is_too_old_stays_with_its_people(created: datetime) -> None:
    walk = night()
    assert await run(walk, There(open_there(created=created))) == {}
    assert await walk.store.load(ID) is None


async def test_one_of_which_nobody_says_when_it_began_is_left_alone() -> None:
    walk, there = night(), There(OpenIncident(id=ID, status=IncidentStatus.TRIGGERED, created_at=None, service=Reference(id="P")))
    assert await run(walk, there) == {}


async def test_a_pass_takes_only_so_many_and_the_next_one_goes_on() -> None:
    many = [open_there(f"Q0EXAMPLE{n:05d}", START + timedelta(seconds=n)) for n in range(AT_ONCE + 7)]
    walk, there = night(), There(*reversed(many))
    for one in many:
        walk.tracker.put(incident(id=one.id))
    assert await run(walk, there) == {EventKind.TRIGGERED: AT_ONCE}
    assert await walk.store.load(many[0].id) is not None
    assert await run(walk, there) == {EventKind.TRIGGERED: 7}


async def test_resolved_there_withdraws_the_plan_here() -> None:
    walk, there = night(), There()
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert await run(walk, there) == {EventKind.RESOLVED: 1}
    record = await walk.record(ID)
    assert (record.state, record.reason) == (State.CANCELLED, "the incident was resolved")
    assert await run(walk, there) == {}


async def test_not_being_listed_is_not_being_resolved() -> None:
    old = open_there(created=START - LOOKBACK - timedelta(hours=1))
    walk, there = night(), There(old)
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert await run(walk, there) == {}
    assert there.looked_up == [ID]
    assert (await walk.record(ID)).state is State.AWAITING_APPROVAL


async def test_an_incident_that_cannot_be_looked_up_is_no_reason_to_stop() -> None:
    walk, there = night(), There()
    await walk.hear(incident(), EventKind.TRIGGERED)
    there.away = None
    lost = Reconcile(walk.responder.walk, walk.store, there.listed, _deleted, installed)
    assert await lost.once() == {}
    assert (await walk.record(ID)).state is State.AWAITING_APPROVAL


async def _deleted(incident_id: str) -> OpenIncident | None:
    raise Permanent(f"PagerDuty does not know {incident_id}")


async def cancelled(walk: Walkthrough) -> datetime:
    """An incident that was resolved while people were asked; when it ended here."""
    await walk.hear(incident(), EventKind.TRIGGERED)
    walk.clock.advance(60)
    await walk.hear(incident(status=IncidentStatus.RESOLVED), EventKind.RESOLVED)
    ended = walk.clock.now()
    walk.clock.advance(60)
    walk.tracker.put(incident())
    return ended


async def test_a_reopening_that_nobody_told_of_starts_a_new_round_once() -> None:
    walk = night()
    ended = await cancelled(walk)
    there = There(open_there(changed_at=ended + timedelta(seconds=30)))
    assert await run(walk, there) == {EventKind.REOPENED: 1}
    record = await walk.record(ID)
    assert (record.round, record.state) == (2, State.AWAITING_APPROVAL)
    assert await run(walk, there) == {}


async def test_the_delivery_of_that_reopening_is_late_news() -> None:
    walk = night()
    ended = await cancelled(walk)
    await run(walk, There(open_there(changed_at=ended + timedelta(seconds=30))))
    await walk.answer(ID, "ana", approve=False)
    walk.clock.advance(600)
    late = (await walk.store.heard(START - timedelta(days=1), 100))[0].model_copy(
        update={"door": "pagerduty", "event_id": "E-late", "delivery_id": "D-late", "occurred_at": ended + timedelta(seconds=30)}
    )
    assert late.kind is EventKind.REOPENED
    await walk.store.accept(late, b"{}", walk.clock.now())
    await walk.settle()
    assert (await walk.record(ID)).round == 2
    await walk.hear(incident(), EventKind.REOPENED)  # and a new one is not
    assert (await walk.record(ID)).round == 3


@pytest.mark.parametrize("changed", [None, -30, 0])
async def test_a_list_that_lags_behind_reopens_nothing(changed: int | None) -> None:
    walk = night()
    ended = await cancelled(walk)
    at = None if changed is None else ended + timedelta(seconds=changed)
    assert await run(walk, There(open_there(changed_at=at))) == {}
    assert (await walk.record(ID)).round == 1


async def test_one_that_somebody_acknowledged_after_reopening_is_left_to_them() -> None:
    walk = night()
    ended = await cancelled(walk)
    taken = open_there(changed_at=ended + timedelta(seconds=30), status=IncidentStatus.ACKNOWLEDGED)
    assert await run(walk, There(taken)) == {}


async def test_what_a_person_moved_is_not_reopened_by_comparing() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(), EventKind.REASSIGNED)
    walk.clock.advance(60)
    assert await run(walk, There(open_there(changed_at=walk.clock.now()))) == {}
    assert (await walk.record(ID)).state is State.CANCELLED


async def test_where_it_is_not_known_what_is_sent_here_only_our_own_are_looked_at() -> None:
    walk, there = night(), There()
    there.open = None
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert await run(walk, there) == {EventKind.RESOLVED: 1}


async def test_pagerduty_away_is_told_and_the_next_pass_finds_the_same() -> None:
    walk, there = night(), There(open_there())
    walk.tracker.put(incident())
    there.away = Transient("no answer")
    with pytest.raises(Transient):
        await run(walk, there)
    there.away = None
    assert await run(walk, there) == {EventKind.TRIGGERED: 1}
