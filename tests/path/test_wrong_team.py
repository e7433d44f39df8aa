"""An incident acknowledged by a team that does not own it: handed on once, with a note, in both orders; and never in a loop."""

from dataclasses import replace

import pytest

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import IncidentStatus
from sre_agent.response.record import State
from sre_agent.routing.file import Routing
from sre_agent.testing.rooms import ScriptedAction, ScriptedInvestigator
from sre_agent.testing.walkthrough import AGENT_USER
from tests.path.scenes import BUNDLE, ID, incident, night, restart_facts, restart_found

ANA, BEN, DEV = "P00000ANA", "P00000BEN", "P00000DEV"  # platform, platform, ai-eng: policies/data/teams.yaml
RECEIVERS = {"pd-platform": "PPLAT01", "pd-ai-eng": "PAIENG1", "default": "PDEFLT1"}
WHY = "acknowledged by Ana Example of platform; this is a model incident and belongs to ai-eng"
ACKED = IncidentStatus.ACKNOWLEDGED


def routed(receivers=None, **more):
    ownership = Routing(receivers=RECEIVERS if receivers is None else receivers, teams=BUNDLE.declared.ownership.teams)
    bundle = replace(BUNDLE, declared=replace(BUNDLE.declared, ownership=ownership))
    return night(bundle=bundle, **more)


def model(status=IncidentStatus.TRIGGERED):
    return incident(status=status, labels={"alert_type": "model"})


async def handed_back(walk):
    await walk.hear(model(), EventKind.TRIGGERED)
    assert (await walk.record(ID)).state is State.HANDED_BACK
    assert walk.tracker.assigned == [(ID, "PAIENG1", False)]


def kinds(record):
    return [e.kind for e in record.timeline]


def test_the_shipped_relation_names_teams_of_the_shipped_people() -> None:
    assert BUNDLE.declared.ownership.teams == {"pd-platform": ("platform",), "pd-ai-eng": ("ai-eng",)}


async def test_a_wrong_team_after_the_verdict_is_handed_on_and_the_note_says_why() -> None:
    walk = routed()
    await handed_back(walk)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    assert walk.tracker.assigned == [(ID, "PAIENG1", False), (ID, "PAIENG1", True)]
    record = await walk.record(ID)
    assert kinds(record)[-2:] == ["wrong_team_acknowledged", "incident_handed_on"]
    (note,) = walk.tracker.notes[ID]
    assert f"Wrong team: {WHY}: handed on to pd-ai-eng (escalation policy PAIENG1)" in note.splitlines()
    entries = [r.entry for r in await walk.store.audit(ID)]
    assert [e.detail["text"] for e in entries if e.kind == "wrong_team_acknowledged"] == [WHY]


async def test_a_wrong_team_before_the_verdict_is_handed_on_by_the_hand_back_itself_which_says_so() -> None:
    walk = routed()
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    record = await walk.record(ID)
    assert (record.state, record.human_acknowledged) == (State.HANDED_BACK, True)
    assert walk.tracker.assigned == [(ID, "PAIENG1", True)]
    (note,) = walk.tracker.notes[ID]
    assert f"Wrong team: {WHY}: handed on to pd-ai-eng (escalation policy PAIENG1)" in note.splitlines()
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, BEN)
    assert len(walk.tracker.assigned) == 1  # once a round, whatever the order


async def test_the_agents_own_moves_as_webhooks_tell_them_move_nothing() -> None:
    walk = routed()
    await handed_back(walk)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    for kind in (EventKind.DELEGATED, EventKind.REASSIGNED, EventKind.ANNOTATED, EventKind.UNACKNOWLEDGED, EventKind.ACKNOWLEDGED):
        await walk.hear(model(), kind, AGENT_USER)
    for kind in (EventKind.DELEGATED, EventKind.REASSIGNED):  # as a stranger's, where the agent does not know its own user
        await walk.hear(model(), kind, "PNOBODY")
    assert len(walk.tracker.assigned) == 2
    assert (await walk.record(ID)).state is State.HANDED_BACK


async def test_the_same_team_again_is_told_and_not_moved_and_told_once() -> None:
    walk = routed()
    await handed_back(walk)
    for person in (ANA, BEN, ANA, BEN):
        walk.clock.advance(60)
        await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, person)
    assert len(walk.tracker.assigned) == 2
    assert kinds(await walk.record(ID)).count("wrong_team_acknowledged") == 2
    assert "acknowledged like that again, and not moved again" in walk.tracker.notes[ID][0]


@pytest.mark.parametrize("agent", ["PNOBODY", None, "", DEV, AGENT_USER])
async def test_owners_strangers_automation_and_the_agent_itself_move_nothing(agent) -> None:
    walk = routed()
    await handed_back(walk)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, agent)
    record = await walk.record(ID)
    assert (len(walk.tracker.assigned), record.handed_on) == (1, None)


@pytest.mark.parametrize("teams", [{}, {"pd-platform": ("platform",)}])
async def test_where_no_team_is_declared_for_the_receiver_nobody_is_wrong(teams) -> None:
    walk = routed()
    ownership = Routing(receivers=RECEIVERS, teams=teams)
    assessor = replace(walk.responder.assessor, ownership=ownership)
    walk.responder, walk.follow_up = (
        replace(walk.responder, assessor=assessor),
        replace(walk.follow_up, ownership=ownership),
    )
    await handed_back(walk)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    assert len(walk.tracker.assigned) == 1


async def test_without_an_escalation_policy_it_is_told_and_stays_where_it_is() -> None:
    walk = routed(receivers={"pd-ai-eng": "", "default": ""})
    await walk.hear(model(), EventKind.TRIGGERED)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    assert walk.tracker.assigned == []
    assert f"Wrong team: {WHY}: not moved: its receiver has no escalation policy (routing.yaml)" in walk.tracker.notes[ID][0]


async def test_nothing_is_moved_while_an_action_runs_or_is_being_verified() -> None:
    walk = routed(facts=restart_facts, investigator=ScriptedInvestigator(restart_found), action=ScriptedAction(name="restart_pod"))
    seen = []

    async def meanwhile(target, bench):
        seen.append((await walk.record(ID)).state)
        event = IncidentEvent(
            door="pagerduty",
            kind=EventKind.ACKNOWLEDGED,
            type_name="incident.acknowledged",
            event_id="E",
            delivery_id="D",
            incident_id=ID,
            occurred_at=walk.clock.now(),
            agent_id=DEV,
        )
        await walk.responder.take(event)
        return {}

    walk.action.precondition = meanwhile
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert seen == [State.EXECUTING]
    record = await walk.record(ID)
    # People came first: the step was not taken, and then the hand-back handed the incident on, once.
    assert (record.state, walk.action.effects) == (State.HANDED_BACK, 0)
    assert walk.tracker.assigned == [(ID, "PPLAT01", True)]
    assert "acknowledged by Dev Example of ai-eng; this is an infra incident and belongs to platform" in walk.tracker.notes[ID][0]


async def test_while_a_question_waits_it_is_remembered_and_the_question_stays() -> None:
    walk = routed()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(status=ACKED), EventKind.ACKNOWLEDGED, DEV)
    record = await walk.record(ID)
    assert (record.state, walk.tracker.assigned) == (State.AWAITING_APPROVAL, [])
    await walk.pass_time(700, step=50)  # nobody answers
    assert walk.tracker.assigned == [(ID, "PPLAT01", True)]


async def test_the_same_delivery_taken_twice_is_one_acknowledgement() -> None:
    walk = routed()
    await handed_back(walk)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    row = len(walk.store._inbox)
    before = await walk.record(ID)
    await walk.responder.take(await walk.store.inbox(row))
    await walk.settle()
    assert (await walk.record(ID)).timeline == before.timeline
    assert len(walk.tracker.assigned) == 2


async def test_a_new_round_may_be_handed_on_again() -> None:
    walk = routed()
    await handed_back(walk)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    await walk.hear(model(), EventKind.REOPENED)
    walk.clock.advance(60)
    await walk.hear(model(ACKED), EventKind.ACKNOWLEDGED, ANA)
    assert [again for _, _, again in walk.tracker.assigned] == [False, True, False, True]
