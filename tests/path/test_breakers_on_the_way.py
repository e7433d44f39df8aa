"""The breakers in the whole walk: tripped by what really was heard and done, and judged again right before the effect."""

from dataclasses import fields

from sre_agent.evidence.source import Scope
from sre_agent.facts.breakers import BreakerFacts, Looks
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.policy.facts import FactContext, Facts
from sre_agent.response.record import State
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.memory_store import MemoryLedger
from sre_agent.testing.rooms import ManualClock, ScriptedAction, ScriptedInvestigator
from sre_agent.testing.walkthrough import AGENT_USER, START, Walkthrough
from sre_agent.triage.triage import Triage
from tests.path.scenes import ID, found, incident, night, restart_facts, restart_found


class Watchful(Walkthrough):
    """A walkthrough whose breakers are read from its own store, ledger and tracker."""

    async def _facts_for(self, context: FactContext) -> Facts:
        self.tracker.own_user = AGENT_USER
        looks = Looks(self.store, self.ledger, self.tracker)
        seen = await BreakerFacts(looks, self.bundle.declared.blocking).collect(context)
        return self.facts(context).model_copy(update=seen)


def watchful(*, restart: bool = False) -> Watchful:
    """A slow Redis that two people must approve, or a pod that may be restarted unasked."""

    def planned(scope: Scope, triage: Triage) -> Investigated:
        plan = (restart_found if restart else found)(scope, triage)
        assert plan.proposal is not None
        known = {"incident_id": scope.incident.id, "cause": "redis_primary_slow"}
        return plan.model_copy(update={"proposal": plan.proposal.model_copy(update=known)})

    clock = ManualClock(START)
    more = {"facts": restart_facts, "action": ScriptedAction(name="restart_pod")} if restart else {}
    made = night(investigator=ScriptedInvestigator(planned), clock=clock, ledger=MemoryLedger(clock=clock.now), **more)
    return Watchful(**{f.name: getattr(made, f.name) for f in fields(made)})


def elsewhere(number: int) -> Incident:
    return incident(id=f"Q0ELSEWHERE{number:03}", service=Reference(id=f"PSVC{number:03}"), labels={"alert_type": "model"})


async def test_a_storm_that_begins_while_people_say_yes_stops_the_plan_before_its_effect() -> None:
    walk = watchful()
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert (await walk.record(ID)).state is State.AWAITING_APPROVAL
    await walk.answer(ID, "ana")
    for number in (2, 3):
        await walk.hear(elsewhere(number), EventKind.TRIGGERED)
    record = await walk.answer(ID, "ben")
    assert record.state is State.HANDED_BACK
    assert record.decision is not None
    assert record.decision.policy_ids == ("deny-storm",)
    assert walk.action.effects == 0
    assert "alert storm" in walk.tracker.notes[ID][-1]


async def test_alerts_in_one_service_more_are_no_storm_and_the_plan_goes_on() -> None:
    walk = watchful()
    await walk.hear(incident(), EventKind.TRIGGERED)
    await walk.hear(elsewhere(2), EventKind.TRIGGERED)
    await walk.answer(ID, "ana")
    assert (await walk.answer(ID, "ben")).state is State.VERIFYING
    assert walk.action.effects == 1


async def test_a_persons_note_makes_the_agent_ask_and_its_own_does_not() -> None:
    for agent, state in (("PPERSON", State.AWAITING_APPROVAL), (AGENT_USER, State.VERIFYING)):
        walk = watchful(restart=True)
        await walk.hear(incident(), EventKind.ANNOTATED, agent=agent)
        await walk.hear(incident(), EventKind.TRIGGERED, agent=None)
        assert (await walk.record(ID)).state is state, agent


async def test_the_next_incident_of_a_service_is_refused_while_an_action_there_is_watched() -> None:
    walk = watchful(restart=True)
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert (await walk.record(ID)).state is State.VERIFYING
    await walk.hear(incident(id="Q0EXAMPLE00002"), EventKind.TRIGGERED)
    record = await walk.record("Q0EXAMPLE00002")
    assert record.state is State.HANDED_BACK
    assert record.decision is not None
    assert record.decision.policy_ids == ("deny-cooldown", "deny-verifying")
    assert walk.action.effects == 1


async def test_an_incident_that_is_opened_a_third_time_within_the_hour_is_noise() -> None:
    walk = watchful()
    await walk.hear(incident(), EventKind.TRIGGERED)
    for minutes in (10, 20):
        walk.clock.advance(300)
        await walk.hear(incident(IncidentStatus.RESOLVED), EventKind.RESOLVED)
        walk.clock.advance(300)
        await walk.hear(incident(), EventKind.REOPENED, agent=None)
        assert ((await walk.record(ID)).state is State.HANDED_BACK) is (minutes == 20)
    record = await walk.record(ID)
    assert record.decision is not None
    assert record.decision.policy_ids == ("deny-flapping",)
