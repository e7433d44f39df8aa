"""A person who acts first wins: acknowledgements and withdrawals, in every place where they can arrive."""

import pytest

from sre_agent.approval.decide import Approvers
from sre_agent.approval.teams import Teams
from sre_agent.asking.desk import AnswerDesk, Given
from sre_agent.incident.errors import Conflict
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import IncidentStatus
from sre_agent.response.lifecycle import on_event
from sre_agent.response.record import State
from sre_agent.testing.rooms import ScriptedAction, ScriptedInvestigator
from sre_agent.testing.turns import at_once
from tests.path.scenes import BUNDLE, ID, approved, incident, night, restart_facts, restart_found


async def test_acknowledged_after_an_automatic_yes_asks_a_person_at_the_last_line() -> None:
    walk = night(facts=restart_facts, investigator=ScriptedInvestigator(restart_found), action=ScriptedAction(name="restart_pod"))
    original = walk.operator.tracker.fetch

    async def acknowledged_meanwhile(incident_id):
        await walk.responder.walk.advance(ID, lambda r: on_event(r, EventKind.ACKNOWLEDGED, walk.clock.now()))
        return await original(incident_id)

    walk.operator.tracker.fetch = acknowledged_meanwhile
    await walk.hear(incident(), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert (record.state, walk.action.effects) == (State.AWAITING_APPROVAL, 0)


async def test_an_acknowledgement_heard_while_the_plan_is_being_carried_out_stops_it_at_the_last_line() -> None:
    walk = night(facts=restart_facts, investigator=ScriptedInvestigator(restart_found), action=ScriptedAction(name="restart_pod"))
    action = walk.action

    async def acknowledged_meanwhile(target, bench):
        await walk.responder.walk.advance(ID, lambda r: on_event(r, EventKind.ACKNOWLEDGED, walk.clock.now()))
        return {}

    action.precondition = acknowledged_meanwhile
    await walk.hear(incident(), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert (record.state, action.effects) == (State.HANDED_BACK, 0)
    assert "a person acknowledged the incident right before the action" in record.reason


async def test_an_acknowledgement_after_two_people_approved_changes_nothing() -> None:
    walk = night()
    action = walk.action

    async def acknowledged_meanwhile(target, bench):
        await walk.responder.walk.advance(ID, lambda r: on_event(r, EventKind.ACKNOWLEDGED, walk.clock.now()))
        return {}

    action.precondition = acknowledged_meanwhile
    await approved(walk)
    assert ((await walk.record(ID)).state, action.effects) == (State.VERIFYING, 1)


async def test_nobody_is_asked_about_a_plan_that_was_withdrawn_while_it_was_judged_again() -> None:
    looks = 0

    def moved_meanwhile(context):
        nonlocal looks
        looks += 1
        if looks == 2:
            withdrawn = on_event(walk.store._records[ID], EventKind.REASSIGNED, walk.clock.now())
            at_once(walk.store.advance(walk.store._records[ID], withdrawn))
        known = restart_facts(context)
        return known.model_copy(update={"human_acknowledged": looks == 2})

    walk = night(facts=moved_meanwhile, investigator=ScriptedInvestigator(restart_found), action=ScriptedAction(name="restart_pod"))
    await walk.hear(incident(), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert (record.state, record.approval_id, walk.action.effects) == (State.HANDED_BACK, None, 0)
    assert "a person reassigned the incident" in record.reason


async def test_an_answer_to_a_plan_withdrawn_a_moment_ago_is_not_taken_whatever_the_door() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    asked = (await walk.record(ID)).approval_id
    desk = AnswerDesk(walk.responder.walk, Teams(BUNDLE.declared.people), Approvers(BUNDLE))
    # Withdrawn, and its question not closed yet.
    await walk.responder.walk.advance(ID, lambda r: on_event(r, EventKind.REASSIGNED, walk.clock.now()))
    for approve in (True, False):
        with pytest.raises(Conflict, match=r"not waited for any more: incident .* is cancelled"):
            await desk.take(Given(asked, "ana", approve, "page"))
    assert (await walk.store.approval(asked)).answers == ()


async def test_the_note_of_a_withdrawn_plan_says_why_it_stopped_and_hands_nobody_anything() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(status=IncidentStatus.RESOLVED), EventKind.RESOLVED)
    (note,) = walk.tracker.notes[ID]
    assert "Why it stopped: the incident was resolved" in note
    assert "yours" not in note
