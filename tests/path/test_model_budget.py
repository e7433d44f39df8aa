"""What a model costs is kept with the incident: over rounds, withdrawals and investigations that came to nothing."""

from dataclasses import replace

from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.handback.note import render
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import IncidentStatus
from sre_agent.response import lifecycle
from sre_agent.response.document import as_stored
from sre_agent.response.follow_up import note_content
from sre_agent.response.record import IncidentRecord, JobKind, State
from sre_agent.testing.rooms import ScriptedInvestigator
from sre_agent.web.metrics import Metrics
from tests.path.scenes import DIAGNOSIS, ID, PROPOSAL, Investigated, incident, night

USAGE = ModelUsage(reasoner="openai", calls=3, input_tokens=900, output_tokens=80, usd=0.01, seconds=2.5, answered=3)


def found_by_a_model(scope, triage):
    return Investigated(diagnosis=DIAGNOSIS.model_copy(update={"usage": USAGE}), proposal=PROPOSAL, applicable=("redis-failover",))


async def entries(walk):
    return [r.entry for r in await walk.store.audit(ID)]


async def reopened(walk):
    await walk.pass_time(60, step=60)
    await walk.hear(incident(IncidentStatus.RESOLVED), EventKind.RESOLVED)
    await walk.hear(incident(), EventKind.REOPENED)


async def test_a_reopened_incident_gets_no_fresh_budget_and_its_note_tells_the_sum():
    thinker = ScriptedInvestigator(found_by_a_model)
    walk = night(investigator=thinker)
    await walk.hear(incident(), EventKind.TRIGGERED)
    await reopened(walk)
    await reopened(walk)
    record = await walk.record(ID)
    assert record.round == 3
    assert [s.calls for s in thinker.told] == [0, 3, 6]
    assert thinker.told[2] == USAGE.spend.plus(USAGE.spend)
    assert (record.model_total.calls, record.model_total.usd) == (9, 0.03)
    assert as_stored(record) == record
    assert "Model, all rounds of this incident: 9 request(s), 0.0300 USD" in render(note_content(record, {}, ""))


async def test_looking_again_right_before_the_action_costs_nothing():
    walk = night(investigator=ScriptedInvestigator(found_by_a_model))
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    await walk.answer(ID, "ben")
    assert walk.action.effects == 1
    assert (await walk.record(ID)).model_spent == {1: USAGE.spend}


async def test_an_investigation_that_nobody_waits_for_any_more_is_paid_for_all_the_same():
    class Overtaken(ScriptedInvestigator):
        """A person resolves the incident while the model is still thinking."""

        async def investigate(self, scope, triage, thread, spent=None):
            now = walk.clock.now()
            await walk.responder.walk.advance(ID, lambda r: lifecycle.on_event(r, EventKind.RESOLVED, now))
            return await super().investigate(scope, triage, thread, spent)

    walk = night(investigator=Overtaken(found_by_a_model))
    await walk.hear(incident(), EventKind.TRIGGERED)
    record = await walk.record(ID)
    assert record.state is State.CANCELLED
    assert record.model_spent == {1: USAGE.spend}
    (paid,) = [e for e in await entries(walk) if e.kind == "model_paid"]
    assert paid.detail["model"]["calls"] == 3


async def test_what_an_investigation_left_that_failed_for_good_counts_once():
    left = Spend(calls=2, input_tokens=500, usd=0.02, lost=1, answered=1)

    walk = night(investigator=ScriptedInvestigator(found_by_a_model, left={f"{ID}:1": left}))
    forgotten: list[str] = []

    async def forget(thread):
        forgotten.append(thread)

    walk.responder = replace(walk.responder, forget=forget)
    now = walk.clock.now()
    await walk.store.create(IncidentRecord(id=ID, received_at=now, updated_at=now, state=State.INVESTIGATING), ())
    for _ in range(2):
        await walk.responder.give_up(ID, "the job failed", JobKind.INVESTIGATE)
        await walk.responder.investigate(ID)
    record = await walk.record(ID)
    assert record.state is State.HANDED_BACK
    assert record.model_spent == {1: left}
    assert set(forgotten) == {f"{ID}:1"}
    assert [e.kind for e in await entries(walk)].count("model_paid") == 1


async def test_a_record_of_an_older_version_has_spent_nothing():
    now = incident().created_at
    stored = IncidentRecord(id=ID, received_at=now, updated_at=now).model_dump(mode="json")
    del stored["model_spent"]
    assert IncidentRecord.model_validate(stored).model_total == Spend()


async def test_metrics_count_what_the_audit_tells():
    metrics = Metrics()
    walk = night(investigator=ScriptedInvestigator(found_by_a_model))
    await walk.hear(incident(), EventKind.TRIGGERED)
    for entry in await entries(walk):
        metrics.observe(entry)
    lost = USAGE.model_copy(update={"calls": 4, "answered": 2, "lost": 1, "fallback": "model-slow", "dropped": 2})
    metrics.observe(
        AuditEntry(at=walk.clock.now(), incident_id=ID, kind="model_paid", detail={"model": lost.model_dump(mode="json")})
    )
    metrics.observe(AuditEntry(at=walk.clock.now(), incident_id=ID, kind="x", detail={"model": {"calls": "many"}}))
    told = metrics.exposition()[0].decode().splitlines()
    assert 'sre_agent_model_calls_total{result="answered"} 5.0' in told
    assert 'sre_agent_model_calls_total{result="unanswered"} 1.0' in told
    assert 'sre_agent_model_calls_total{result="lost"} 1.0' in told
    assert 'sre_agent_model_tokens_total{direction="input"} 1800.0' in told
    assert 'sre_agent_model_tokens_total{direction="output"} 160.0' in told
    assert "sre_agent_model_usd_total 0.02" in told
    assert 'sre_agent_model_fallbacks_total{reason="model-slow"} 1.0' in told
    assert "sre_agent_model_claims_dropped_total 2.0" in told


async def test_rules_alone_leave_no_trace_of_a_model():
    walk = night()
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert (await walk.record(ID)).model_spent == {}
    assert all("model" not in e.detail for e in await entries(walk))
