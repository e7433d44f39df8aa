"""Nothing is left hanging: a target nobody lets go of, a job that went missing."""

import contextlib

import pytest

from sre_agent.approval.request import Answer
from sre_agent.execution.ledger import Intent
from sre_agent.incident.errors import Transient
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import IncidentStatus
from sre_agent.response.record import IncidentRecord, JobKind, State
from sre_agent.response.sweep import Sweep
from sre_agent.testing.rooms import ScriptedInvestigator
from sre_agent.testing.walkthrough import START
from tests.path.scenes import ID, PROPOSAL, TARGET, found, incident, night


async def test_a_target_that_somebody_never_lets_go_of_ends_with_a_person() -> None:
    walk = night()
    walk.locks.taken.add("RedisMaster/-/cache")
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    given = Answer(person="ben", approve=True, via="cli", at=walk.clock.now())
    question = await walk.store.answer((await walk.record(ID)).approval_id, given, walk.clock.now())
    await walk.responder.answered(question)
    for _ in range(2):
        walk.store.take_jobs(walk.clock.now())
        with contextlib.suppress(Transient):
            await walk.operator.execute(ID)
        walk.clock.advance(301)
    assert (await walk.record(ID)).state is State.EXECUTING
    await walk.operator.execute(ID)
    record = await walk.record(ID)
    assert (record.state, walk.action.effects) == (State.HANDED_BACK, 0)
    assert "held the target" in record.reason


@pytest.mark.parametrize("lost", [JobKind.INVESTIGATE, JobKind.EXECUTE, JobKind.VERIFY, JobKind.EXPIRE_APPROVAL])
async def test_an_incident_whose_job_was_lost_is_found_by_the_sweep(lost) -> None:
    walk = night(investigator=ScriptedInvestigator(found))
    state = {
        JobKind.INVESTIGATE: State.INVESTIGATING,
        JobKind.EXECUTE: State.EXECUTING,
        JobKind.VERIFY: State.VERIFYING,
        JobKind.EXPIRE_APPROVAL: State.AWAITING_APPROVAL,
    }[lost]
    record = IncidentRecord(id=ID, received_at=START, updated_at=START, state=state, approval_id="apr_1")
    await walk.store.create(record, ())
    sweep = Sweep(walk.responder.walk, walk.ledger)
    walk.clock.advance(60)
    assert await sweep.once() == 0
    walk.clock.advance(3600)
    assert await sweep.once() == 1
    assert [j.kind for j in walk.store.jobs] == [lost]
    assert await sweep.once() == 0


async def test_alerts_that_say_model_after_the_yes_stop_the_plan_and_go_to_the_ai_engineers() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    walk.tracker.put(incident(labels={"alert_type": "model"}))
    record = await walk.answer(ID, "ben")
    assert (record.state, walk.action.effects) == (State.HANDED_BACK, 0)
    assert "refuse-not-infra" in record.reason
    assert (record.triage.alert_class, record.triage.receiver) == ("model", "pd-ai-eng")
    (note,) = walk.tracker.notes[ID]
    assert "Class: model; owner: ai-eng" in note
    assert "\nAction\nnot done: " in note


async def test_an_action_left_open_by_a_process_that_woke_too_late_is_looked_at_and_told() -> None:
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(incident(IncidentStatus.RESOLVED, firing=False), EventKind.RESOLVED)
    left = Intent(
        key="f" * 64,
        incident_id=ID,
        action=PROPOSAL.action,
        target_key=TARGET.key,
        service="voice-platform",
        plan_hash="a" * 64,
        permit_id="permit_1",
        pre_state="b" * 64,
        precondition={},
        created_at=walk.clock.now(),
    )
    await walk.ledger.open(left)
    sweep = Sweep(walk.responder.walk, walk.ledger)
    assert await sweep.once() == 0, "it may still be at work"
    walk.clock.advance(400)
    assert await sweep.once() == 1
    assert await sweep.once() == 0, "once is enough for now"
    await walk.settle()
    record = await walk.record(ID)
    assert await walk.ledger.unfinished(ID) == ()
    assert (record.state, walk.action.effects) == (State.CANCELLED, 0)
    assert record.timeline[-1].kind == "intent_closed"
    assert "begun by a process that then slept or died" in record.timeline[-1].text
    assert record.outcome in walk.tracker.notes[ID][-1]
