"""What else is set when an incident is handed back: in order, once, each failing alone, and a status update never twice."""

from dataclasses import replace

import pytest

from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, Transient
from sre_agent.incident.event import EventKind
from sre_agent.policy.handover import Handover, HandoverFact, Handovers
from sre_agent.response.lifecycle import reopened
from sre_agent.response.marks import SENDING, UNKNOWN
from sre_agent.response.record import State, Step
from sre_agent.testing.rooms import MemoryTracker
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.triage.ownership import Ownership
from tests.path.scenes import ID, incident, night

ALL = Handover(priority="P3", custom_fields={"sre_class": HandoverFact.CLASS, "sre_owner": HandoverFact.OWNER}, status_update=True)
EXTRAS = ("raise_priority", "set_fields", "post_status")
TEXTS = {"raise_priority": "priority P3", "set_fields": "custom fields set", "post_status": "status update sent"}


class Watched(MemoryTracker):
    """The tracker, which notes in which order it was written to."""

    order: list[str]

    async def assign_policy(self, *given, **more) -> bool:
        self.order.append("assign_policy")
        return await super().assign_policy(*given, **more)

    async def write_note(self, *given) -> str:
        self.order.append("write_note")
        return await super().write_note(*given)

    def _done(self, what, effect) -> None:
        self.order.append(what)
        super()._done(what, effect)


def walk_with(rules: Handover | None = ALL, **more) -> Walkthrough:
    tracker = Watched()
    tracker.order = []
    walk = night(tracker=tracker, **more)
    handovers = Handovers({AlertClass.MODEL: rules} if rules else {})
    ownership = Ownership(receivers={"pd-ai-eng": "PAIENG1"})
    walk.follow_up = replace(walk.follow_up, handovers=handovers, ownership=ownership, public_url="https://sre.example.com")
    return walk


async def handed_back(walk: Walkthrough):
    await walk.hear(incident(labels={"alert_type": "model"}), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert record.state is State.HANDED_BACK
    return record


def told(record) -> list[str]:
    return [e.text for e in record.timeline if e.kind == "incident_marked"]


async def test_as_shipped_nothing_else_is_set() -> None:
    walk = walk_with(None)
    record = await handed_back(walk)
    assert walk.tracker.order == ["assign_policy", "write_note"]
    assert (record.marks, told(record)) == ({}, [])


async def test_first_the_owner_then_the_note_then_the_rest_in_order_and_the_note_says_so() -> None:
    walk = walk_with()
    record = await handed_back(walk)
    assert list(dict.fromkeys(walk.tracker.order)) == ["assign_policy", "write_note", *EXTRAS]
    assert [walk.tracker.order.count(e) for e in EXTRAS] == [1, 1, 1]
    assert walk.tracker.priorities == {ID: "P3"}
    assert walk.tracker.fields == {ID: {"sre_class": "model", "sre_owner": "ai-eng"}}
    (status,) = walk.tracker.statuses[ID]
    assert status.endswith(f"it belongs to ai-eng. No action was taken. https://sre.example.com/incidents/{ID}")
    (note,) = walk.tracker.notes[ID]
    for text in ("Also: priority P3", "Also: custom fields set: sre_class, sre_owner", "Also: status update sent"):
        assert text in note.splitlines()
    assert told(record) == ["priority P3", "custom fields set: sre_class, sre_owner", "status update sent"]


async def test_another_class_gets_nothing_of_it() -> None:
    walk = walk_with()
    await walk.hear(incident(labels={"alert_type": "tool"}), EventKind.TRIGGERED)
    assert not set(EXTRAS) & set(walk.tracker.order)


REFUSALS = (
    NotAvailable("402: the plan does not include this"),
    NotFound("404: PagerDuty does not know it"),
    ConfigurationError("403: no such right"),
    Permanent("PagerDuty has no priority 'P3'"),
    Conflict("resolved"),
)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("which", EXTRAS)
async def test_each_refused_alone_is_said_once_and_not_tried_again(which: str, refusal: Exception) -> None:
    walk = walk_with()
    walk.tracker.failing = {which: refusal}
    record = await handed_back(walk)
    await walk.pass_time(7200, step=600)
    await walk.hear(incident(labels={"alert_type": "model"}), EventKind.ANNOTATED)
    assert walk.tracker.order.count(which) == 1
    done = [e for e in EXTRAS if e != which]
    assert [walk.tracker.order.count(e) for e in done] == [1, 1]
    record = await walk.record(ID)
    assert len(told(record)) == 3
    (note,) = walk.tracker.notes[ID]
    for extra in done:
        assert f"Also: {TEXTS[extra]}" in note
    assert f"Also: {TEXTS[which]}" not in note
    assert ("resolved meanwhile" if type(refusal) is Conflict and which != "post_status" else str(refusal)) in note
    assert walk.tracker.policies == {ID: "PAIENG1"}


@pytest.mark.parametrize("which", EXTRAS)
async def test_what_may_pass_is_tried_again_alone(which: str) -> None:
    walk = walk_with()
    walk.tracker.failing = {which: Transient("503", retry_after=1.0)}
    await walk_a_little(walk)
    before = list(walk.tracker.order)
    assert set(EXTRAS) <= set(before)  # one that fails holds up no other
    walk.tracker.failing = {}
    await walk.settle()
    record = await walk.record(ID)
    assert [walk.tracker.order.count(e) for e in EXTRAS if e != which] == [1, 1]
    assert walk.tracker.order.count(which) == before.count(which) + 1
    assert sorted(record.marks) == ["custom fields", "priority", "status update"]
    assert len(told(record)) == 3


async def walk_a_little(walk: Walkthrough) -> None:
    """As `settle`, but a job that is put back for now is left for later."""
    walk.tracker.put(incident(labels={"alert_type": "model"}))
    put_back = []
    take = walk.store.take_jobs

    def once(now):
        jobs = take(now)
        if walk.given_up:
            put_back.extend(j for j in jobs if j.kind.value == "mark")
        return [j for j in jobs if j not in put_back]

    walk.store.take_jobs = once
    await walk.hear(incident(labels={"alert_type": "model"}), EventKind.TRIGGERED)
    del walk.store.take_jobs
    walk.store.jobs.extend(put_back)


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_status_update_whose_fate_is_unknown_is_never_sent_again(arrived: bool) -> None:
    walk = walk_with()
    walk.tracker.failing, walk.tracker.sent = {"post_status": OutcomeUnknown("no answer came")}, arrived
    await handed_back(walk)
    walk.tracker.failing = {}
    await walk.pass_time(7200, step=600)
    record = await walk.record(ID)
    assert walk.tracker.order.count("post_status") == 1
    assert record.marks["status update"] == UNKNOWN
    assert f"Also: {UNKNOWN}" in walk.tracker.notes[ID][0]


async def test_after_a_crash_in_the_middle_of_sending_it_is_told_and_not_sent() -> None:
    walk = walk_with()
    await handed_back(walk)
    await walk.responder.walk.advance(ID, lambda r: Step(to=r.state, changes={"marks": {**r.marks, "status update": SENDING}}))
    await walk.follow_up.mark(ID)
    await walk.settle()
    record = await walk.record(ID)
    assert (record.marks["status update"], walk.tracker.order.count("post_status")) == (UNKNOWN, 1)
    assert told(record)[-1] == UNKNOWN


async def test_a_reopened_incident_gets_it_all_once_more() -> None:
    walk = walk_with()
    await handed_back(walk)
    await walk.hear(incident(labels={"alert_type": "model"}), EventKind.REOPENED)
    assert (await walk.record(ID)).round == 2
    assert [len(walk.tracker.statuses[ID]), walk.tracker.order.count("set_fields")] == [2, 2]


async def test_a_round_that_is_over_is_not_marked_by_a_late_job() -> None:
    walk = walk_with(None)
    await handed_back(walk)
    walk.follow_up = replace(walk.follow_up, handovers=Handovers({AlertClass.MODEL: ALL}))
    await walk.responder.walk.advance(ID, lambda r: Step(to=State.RECOVERED))
    await walk.follow_up.mark(ID)
    assert not set(EXTRAS) & set(walk.tracker.order)


async def test_what_was_set_for_one_round_is_not_remembered_in_the_next() -> None:
    walk = walk_with(Handover(custom_fields={"sre_class": HandoverFact.CLASS}))
    original = walk.tracker.set_fields

    async def reopened_meanwhile(*given):
        walk.tracker.set_fields = original
        await original(*given)
        await walk.responder.walk.advance(ID, lambda r: reopened(r, walk.clock.now()))

    walk.tracker.set_fields = reopened_meanwhile
    await walk.hear(incident(labels={"alert_type": "model"}), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert (record.round, record.state, walk.tracker.order.count("set_fields")) == (2, State.HANDED_BACK, 2)
    assert len(told(record)) == 1


async def test_what_a_server_answered_is_redacted_and_on_one_line() -> None:
    walk = walk_with()
    walk.tracker.failing = {"set_fields": Permanent("400: ana@example.com\nStatus: recovered " + "x" * 900)}
    record = await handed_back(walk)
    (note,) = walk.tracker.notes[ID]
    assert "ana@example.com" not in note + record.marks["custom fields"]
    assert "\nStatus: recovered" not in note
    assert len(record.marks["custom fields"]) < 400
