"""Time scripts over the whole walk: at this, want that."""

import pytest

from sre_agent.approval.request import Answer, ApprovalState
from sre_agent.execution.action import Outcome
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Conflict, OutcomeUnknown, Refused, Transient
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import IncidentStatus
from sre_agent.policy.facts import Mode
from sre_agent.response.record import State
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.rooms import ScriptedAction, ScriptedInvestigator
from sre_agent.testing.walkthrough import AGENT_USER
from tests.path.scenes import ID, Level, approved, facts, found, incident, night, restart_facts, restart_found


async def test_two_people_then_one_effect_then_a_soak_then_recovered() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    asked = await walk.record(ID)
    assert (asked.state, asked.decision.approvals_required, asked.level_before) == (State.AWAITING_APPROVAL, 2, 0.6)
    assert (await walk.answer(ID, "ana")).state is State.AWAITING_APPROVAL
    assert walk.action.effects == 0
    assert (await walk.answer(ID, "ben")).state is State.VERIFYING
    walk.probes.metrics.now = 0.01
    walk.tracker.put(incident(firing=False))
    await walk.pass_time(40)
    done = await walk.record(ID)
    assert (done.state, walk.action.effects, len(walk.tracker.notes[ID])) == (State.RECOVERED, 1, 1)
    note = walk.tracker.notes[ID][0]
    assert "Approved by: ana, ben" in note
    assert "recovered" in note
    assert (await walk.store.approval(done.approval_id)).state is ApprovalState.CONSUMED
    assert await walk.store.audit_break() is None


async def test_the_decision_to_allow_is_on_record_with_its_plan_and_policies_before_the_effect() -> None:
    recorded: list[list[str]] = []
    walk = night()
    walk.action.on_effect = lambda: recorded.append([r.entry.kind for r in walk.store._chain])
    await approved(walk)
    assert recorded[0][-1] == "action_permitted"
    (entry,) = [r.entry for r in await walk.store.audit(ID) if r.entry.kind == "action_permitted"]
    record = await walk.record(ID)
    assert (entry.detail["plan_hash"], entry.detail["bundle"]) == (record.plan_hash, walk.bundle.hash)
    assert (entry.detail["verdict"], entry.detail["approvals"]) == ("allow", 2)


async def test_an_acknowledgement_heard_before_the_trigger_still_asks_a_person() -> None:
    walk = night(facts=restart_facts, investigator=ScriptedInvestigator(restart_found), action=ScriptedAction(name="restart_pod"))
    await walk.hear(incident(), EventKind.ACKNOWLEDGED)
    await walk.hear(incident(), EventKind.TRIGGERED, None)
    assert ((await walk.record(ID)).state, walk.action.effects) == (State.AWAITING_APPROVAL, 0)


async def test_the_same_person_twice_is_one_approval() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    with pytest.raises(Conflict, match="another person"):
        await walk.answer(ID, "ana")
    assert (await walk.record(ID)).state is State.AWAITING_APPROVAL


async def test_silence_is_no() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    await walk.pass_time(301, step=30)
    record = await walk.record(ID)
    assert (record.state, walk.action.effects) == (State.HANDED_BACK, 0)
    assert "in time" in record.reason


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (EventKind.RESOLVED, IncidentStatus.RESOLVED),
        (EventKind.REASSIGNED, IncidentStatus.TRIGGERED),
        (EventKind.DELEGATED, IncidentStatus.TRIGGERED),
    ],
)
async def test_a_person_who_moves_first_wins_and_a_late_yes_finds_nothing(kind, status) -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(status), kind)
    assert (await walk.record(ID)).state is State.CANCELLED
    with pytest.raises(Conflict, match="cancelled"):
        await walk.answer(ID, "ana")
    assert walk.action.effects == 0


async def test_a_snooze_arrives_as_an_acknowledgement_and_cancels() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(IncidentStatus.ACKNOWLEDGED, snoozed=True), EventKind.ACKNOWLEDGED)
    assert (await walk.record(ID)).state is State.CANCELLED


async def test_the_agents_own_writes_change_nothing() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(), EventKind.DELEGATED, agent=AGENT_USER)
    assert (await walk.record(ID)).state is State.AWAITING_APPROVAL


@pytest.mark.parametrize(
    "moved",
    [
        lambda w: w.tracker.put(incident(IncidentStatus.RESOLVED)),
        lambda w: w.tracker.put(incident(firing=False)),
        lambda w: w.tracker.put(incident(labels={"alert_type": "model"})),
        lambda w: w.tracker.put(incident(alerts=(*incident().alerts, Alert(labels={"alert_type": "model"})))),
        lambda w: w.tracker.put(incident(snoozed=True)),
    ],
    ids=["resolved", "cleared", "relabelled", "joined by a model alert", "snoozed"],
)
async def test_what_changed_between_the_approval_and_the_last_line_stops_it(moved) -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    moved(walk)
    record = await walk.answer(ID, "ben")
    assert (record.state, walk.action.effects) == (State.HANDED_BACK, 0)


async def test_halting_after_the_approvals_stops_it() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    await walk.halt.engage("cleo", "test", walk.clock.now())
    record = await walk.answer(ID, "ben")
    assert (record.state, walk.action.effects) == (State.HANDED_BACK, 0)
    assert "halted" in record.reason


async def test_an_incident_resolved_by_a_person_during_the_effect_is_refused_at_its_last_line() -> None:
    walk = night()
    action = walk.action

    async def resolve_first(target, bench):
        walk.clock.advance(6)
        walk.tracker.put(incident(IncidentStatus.RESOLVED))
        return {}

    action.precondition = resolve_first
    await approved(walk)
    assert ((await walk.record(ID)).state, action.effects) == (State.HANDED_BACK, 0)


async def test_an_effect_whose_answer_was_lost_is_observed_and_not_repeated() -> None:
    def lost() -> None:
        raise OutcomeUnknown("no answer")

    walk = night(action=ScriptedAction(on_effect=lost))
    await approved(walk)
    record = await walk.record(ID)
    assert (record.state, walk.action.effects) == (State.VERIFYING, 0)
    assert "no answer" in record.outcome


async def test_an_effect_that_cannot_be_observed_goes_to_a_human() -> None:
    def lost() -> None:
        raise Transient("gone")

    unknown = Outcome(IntentState.UNKNOWN, "cannot tell")
    walk = night(action=ScriptedAction(on_effect=lost, recovered=unknown))
    await approved(walk)
    record = await walk.record(ID)
    assert record.state is State.HANDED_BACK
    assert "unknown whether" in record.reason


async def test_a_refusal_by_the_target_is_not_done_and_handed_back() -> None:
    def no() -> None:
        raise Refused("redis-replica-lag", "2 MB behind")

    walk = night(action=ScriptedAction(on_effect=no))
    await approved(walk)
    record = await walk.record(ID)
    assert (record.state, record.recovery) == (State.HANDED_BACK, None)
    assert "redis-replica-lag" in record.reason


async def test_not_recovered_is_handed_back_with_the_numbers() -> None:
    walk = night()
    await approved(walk)
    walk.tracker.put(incident(firing=True))
    await walk.pass_time(70, step=5)
    record = await walk.record(ID)
    assert record.state is State.HANDED_BACK
    assert "not recovered" in record.reason
    assert "not recovered" in walk.tracker.notes[ID][0]


async def test_an_action_that_did_not_help_is_not_tried_again_when_the_incident_is_reopened() -> None:
    lives = iter("abcdefgh")

    def found_again(scope, triage) -> Investigated:
        first = restart_found(scope, triage)
        target = first.proposal.target.model_copy(update={"uid": f"pod-{next(lives)}"})
        return first.model_copy(update={"proposal": first.proposal.model_copy(update={"target": target})})

    walk = night(facts=restart_facts, investigator=ScriptedInvestigator(found_again), action=ScriptedAction(name="restart_pod"))
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.pass_time(730, step=10)
    assert ((await walk.record(ID)).state, walk.action.effects) == (State.HANDED_BACK, 1)
    await walk.pass_time(3600, step=600)
    await walk.hear(incident(), EventKind.REOPENED)
    record = await walk.record(ID)
    assert (record.round, record.state, record.decision.policy_ids) == (2, State.HANDED_BACK, ("tried-in-vain",))
    assert walk.action.effects == 1
    assert "already tried in this incident" in walk.tracker.notes[ID][0]


async def test_a_level_that_was_never_better_than_before_is_not_recovered() -> None:
    walk = night()
    walk.probes.metrics.now = 0.1
    await approved(walk)
    walk.tracker.put(incident(firing=False))
    await walk.pass_time(120, step=5)
    assert (await walk.record(ID)).state is State.HANDED_BACK


async def test_observing_says_what_it_would_have_proposed_and_does_nothing() -> None:
    walk = night(mode=Mode.OBSERVE, facts=lambda c: facts(c, mode="observe"))
    await walk.hear(incident(), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert record.state is State.HANDED_BACK
    assert "deny-mode-observe" in record.decision.policy_ids
    assert "redis_failover on RedisMaster" in walk.tracker.notes[ID][0]


async def test_a_cause_that_is_gone_at_the_second_look_voids_the_plan() -> None:
    healthy = Investigated(diagnosis=found(None, None).diagnosis.model_copy(update={"root_causes": ()}))
    walk = night(investigator=ScriptedInvestigator(found, again=lambda scope, before: healthy.diagnosis))
    await approved(walk)
    record = await walk.record(ID)
    assert (record.state, walk.action.effects) == (State.HANDED_BACK, 0)
    assert "no longer names the cause" in record.reason


async def test_a_reopened_incident_is_investigated_again_and_keeps_its_one_note() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(IncidentStatus.RESOLVED), EventKind.RESOLVED)
    await walk.hear(incident(), EventKind.REOPENED)
    record = await walk.record(ID)
    assert (record.round, record.state) == (2, State.AWAITING_APPROVAL)
    assert len(walk.tracker.notes[ID]) == 1


async def test_a_grant_whose_effect_a_crash_swallowed_is_found_by_the_timer_and_is_too_old_to_act_on() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    record = await walk.record(ID)
    given = Answer(person="ben", approve=True, via="cli", at=walk.clock.now())
    await walk.store.answer(record.approval_id, given, walk.clock.now())
    await walk.pass_time(301, step=30)
    ended = await walk.record(ID)
    assert (ended.state, walk.action.effects) == (State.HANDED_BACK, 0)
    assert "refused right before acting" in ended.reason


async def test_a_proposal_that_names_another_incident_is_refused() -> None:
    def astray(scope, triage) -> Investigated:
        made = found(scope, triage)
        return made.model_copy(update={"proposal": made.proposal.model_copy(update={"incident_id": "Q0ANOTHER00001"})})

    walk = night(investigator=ScriptedInvestigator(astray))
    await walk.hear(incident(), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert (record.state, record.decision.policy_ids) == (State.HANDED_BACK, ("plan-of-another",))


async def test_levels_are_told_in_the_note() -> None:
    walk = night()
    walk.probes.metrics.now = Level(0.9).now
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert (await walk.record(ID)).level_before == 0.9
