"""The button: what a press begins, and that whoever pressed does not decide what comes of it."""

import pytest

from sre_agent.approval.decide import Approvers
from sre_agent.approval.request import ApprovalRequest
from sre_agent.approval.teams import Teams
from sre_agent.asking.desk import AnswerDesk, Given
from sre_agent.incident.errors import Conflict, Refused
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import Incident, IncidentStatus
from sre_agent.policy.facts import Mode
from sre_agent.response.record import ANONYMOUS, IncidentRecord, State
from sre_agent.testing.rooms import ScriptedAction, ScriptedInvestigator
from sre_agent.testing.walkthrough import Walkthrough
from tests.path.scenes import BUNDLE, ID, incident, night, restart_facts, restart_found

ANA, BEN, STRANGER = "P00000ANA", "P00000BEN", "PSTRANG"


def restart(*, acknowledged: bool = False, **more: object) -> Walkthrough:
    """A pod that may be restarted without asking, or by one person's yes where somebody acknowledged the incident."""

    def known(context):
        return restart_facts(context).model_copy(update={"human_acknowledged": acknowledged})

    return night(facts=known, investigator=ScriptedInvestigator(restart_found), action=ScriptedAction(name="restart_pod"), **more)


def desk(walk: Walkthrough) -> AnswerDesk:
    return AnswerDesk(walk.responder.walk, Teams(BUNDLE.declared.people), Approvers(BUNDLE))


async def pressed(walk: Walkthrough, agent: str | None, about: Incident | None = None) -> IncidentRecord:
    await walk.hear(about or incident(), EventKind.REQUESTED, agent)
    return await walk.record(ID)


async def question(walk: Walkthrough) -> ApprovalRequest:
    record = await walk.record(ID)
    assert record.approval_id is not None
    found = await walk.store.approval(record.approval_id)
    assert found is not None
    return found


async def say(walk: Walkthrough, person: str) -> IncidentRecord:
    asked = await question(walk)
    await desk(walk).take(Given(asked.id, person, approve=True, via="slack", plan=asked.plan_hash))
    await walk.settle()
    return await walk.record(ID)


async def test_a_press_on_an_incident_nobody_has_told_of_begins_its_investigation() -> None:
    walk = night()
    record = await pressed(walk, ANA)
    assert (record.state, record.requested_by, record.round) == (State.AWAITING_APPROVAL, "ana", 1)
    assert record.timeline[0].text == "investigation started, asked for by ana"
    audit = [r.entry for r in await walk.store.audit(ID)]
    assert (audit[0].kind, audit[0].actor) == ("investigation_started", "ana")


async def test_whoever_pressed_cannot_approve_and_two_others_can() -> None:
    walk = night()
    await pressed(walk, ANA)
    with pytest.raises(Refused, match="approve-not-requester"):
        await say(walk, "ana")
    assert (await say(walk, "ben")).state is State.AWAITING_APPROVAL
    assert (await say(walk, "cleo")).approvers == ("ben", "cleo")
    assert walk.action.effects == 1


async def test_the_store_itself_takes_no_yes_of_whoever_pressed() -> None:
    walk = night()
    await pressed(walk, ANA)
    with pytest.raises(Conflict, match="asked for this"):
        await walk.answer(ID, "ana")
    assert walk.action.effects == 0


async def test_a_known_presser_needs_no_second_approver_where_one_is_enough() -> None:
    walk = restart(acknowledged=True)
    await pressed(walk, ANA)
    assert (await question(walk)).required == 1
    await say(walk, "ben")
    assert walk.action.effects == 1


@pytest.mark.parametrize(("agent", "requester"), [(None, ANONYMOUS), (STRANGER, f"pagerduty:{STRANGER}")])
async def test_a_presser_who_may_be_anybody_makes_it_two_people(agent: str | None, requester: str) -> None:
    walk = restart(acknowledged=True)
    record = await pressed(walk, agent)
    asked = await question(walk)
    assert (record.requested_by, asked.requester, asked.required) == (requester, requester, 2)
    assert (await say(walk, "ana")).state is State.AWAITING_APPROVAL
    assert walk.action.effects == 0
    await say(walk, "ben")
    assert walk.action.effects == 1


@pytest.mark.parametrize("agent", [None, STRANGER, ANA])
async def test_where_the_policies_need_nobody_a_press_does_not_change_that(agent: str | None) -> None:
    walk = restart()
    record = await pressed(walk, agent)
    assert (record.approval_id, walk.action.effects) == (None, 1)


async def test_a_press_while_one_is_under_way_is_told_once_and_changes_nothing() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    before = await walk.record(ID)
    for _ in range(5):
        after = await pressed(walk, BEN)
    told = [e.text for e in after.timeline if e.kind == "investigation_requested"]
    assert told == ["ben asked for an investigation; one is under way"]
    same = {"version", "updated_at", "timeline"}
    assert after.model_dump(exclude=same) == before.model_dump(exclude=same)
    walk.clock.advance(61)
    assert len([e for e in (await pressed(walk, BEN)).timeline if e.kind == "investigation_requested"]) == 2


async def test_a_press_on_a_finished_incident_starts_a_new_round_of_the_presser() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana", approve=False)
    assert (await walk.record(ID)).state is State.HANDED_BACK
    record = await pressed(walk, ANA)
    assert (record.state, record.round, record.requested_by, record.reason) == (State.AWAITING_APPROVAL, 2, "ana", "")
    with pytest.raises(Refused, match="approve-not-requester"):
        await say(walk, "ana")


async def test_asking_again_does_not_take_an_acknowledgement_back() -> None:
    walk = restart(acknowledged=False)
    await walk.hear(incident(), EventKind.ACKNOWLEDGED)
    await walk.responder.give_up(ID, "a test ends it")
    assert (await pressed(walk, ANA)).human_acknowledged is True


async def test_a_round_that_pagerduty_reopened_is_nobody_s_wish() -> None:
    walk = night()
    await pressed(walk, ANA)
    await walk.answer(ID, "ben", approve=False)
    walk.clock.advance(60)
    await walk.hear(incident(), EventKind.REOPENED)
    assert (await walk.record(ID)).requested_by is None
    assert (await say(walk, "ana")).approvers == ("ana",)


async def test_a_press_on_a_resolved_incident_ends_where_the_fetch_says_so() -> None:
    walk = night()
    record = await pressed(walk, ANA, incident(status=IncidentStatus.RESOLVED))
    assert (record.state, walk.action.effects) == (State.CANCELLED, 0)


async def test_the_agent_s_own_user_asks_for_nothing_and_mode_off_hears_nothing() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.REQUESTED, "PAGENT1")
    assert await walk.store.load(ID) is None
    off = night(mode=Mode.OFF)
    await off.hear(incident(), EventKind.REQUESTED, ANA)
    assert await off.store.load(ID) is None
