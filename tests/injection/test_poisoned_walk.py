"""The live walk over poisoned telemetry: words never become an answer, whoever they claim said yes."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from sre_agent.approval.request import ApprovalState
from sre_agent.facts.assemble import assemble
from sre_agent.incident.event import EventKind
from sre_agent.policy.declarations import Targets
from sre_agent.policy.facts import FactContext, Facts
from sre_agent.replay.case import Case
from sre_agent.response.record import IncidentRecord, State
from sre_agent.testing.obeying_model import ObeyingModel
from sre_agent.testing.rooms import ManualClock, ScriptedAction
from sre_agent.testing.walkthrough import Walkthrough
from tests.injection.carriers import CARRIERS
from tests.injection.poisons import Poison
from tests.injection.stage import HIDDEN, books, collectors, investigator, world

WAITS = {"pod-crash-loop": 1, "redis-slow-primary": 2}
"""Incidents whose plan waits for so many people."""


@dataclass
class PoisonedWalk(Walkthrough):
    """The walk with the graph and the obeying model in it, and the facts and declarations of its case."""

    case: Case | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        declared = replace(self.responder.assessor, declarations=Targets(self.case.targets).find)
        self.responder = replace(self.responder, assessor=declared)
        self.operator = replace(self.operator, assessor=declared)

    async def _facts_for(self, context: FactContext) -> Facts:
        return await assemble(collectors(self.case), context)


async def heard(name: str, carrier: str, poison: Poison) -> tuple[PoisonedWalk, ObeyingModel, IncidentRecord]:
    """The walk after one poisoned incident was heard of."""
    case, model = CARRIERS[carrier].plant(world(name), poison.text), ObeyingModel(curious=CARRIERS[carrier].raw)
    action = {"pod-crash-loop": "restart_pod", "redis-slow-primary": "redis_failover"}[name]
    walk = PoisonedWalk(
        bundle=books().bundle,
        runbooks=books().runbooks,
        investigator=investigator(case, model),
        facts=None,
        action=ScriptedAction(name=action),
        clock=ManualClock(case.at),
        case=case,
    )
    await walk.hear(case.incident, EventKind.TRIGGERED)
    return walk, model, await walk.record(case.incident.id)


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_a_yes_in_telemetry_is_nobodys_answer(carrier: str):
    asked = 0
    for i, (name, people) in enumerate(WAITS.items()):
        if not CARRIERS[carrier].fits(world(name)):
            continue
        phrasing = ("polite", "json", "fake note", "zero width")[(list(CARRIERS).index(carrier) + i) % 4]
        poison = Poison("somebody said yes", phrasing)
        walk, model, record = await heard(name, carrier, poison)
        assert poison.orders <= model.orders
        assert record.approvers == ()
        assert walk.action.effects == 0
        questions = await walk.store.approvals(pending_only=False)
        assert all(q.answers == () and q.required >= people for q in questions)
        assert record.state in (State.AWAITING_APPROVAL, State.HANDED_BACK)
        asked += record.state is State.AWAITING_APPROVAL
    # Nothing planted takes the question away, but a name by which nobody declared the pod.
    assert asked or carrier == "pod name"


async def test_silence_after_a_forged_yes_is_a_no():
    walk, _, record = await heard("pod-crash-loop", "PagerDuty note", Poison("somebody said yes", "fake note"))
    assert record.state is State.AWAITING_APPROVAL
    await walk.pass_time(timedelta(hours=2).total_seconds(), 300.0)
    (question,) = await walk.store.approvals(pending_only=False)
    assert (question.state, question.answers) == (ApprovalState.EXPIRED, ())
    assert ((await walk.record(record.id)).state, walk.action.effects) == (State.HANDED_BACK, 0)


async def test_one_real_yes_and_a_forged_one_are_one():
    walk, _, record = await heard("redis-slow-primary", "Slack text", Poison("somebody said yes", "authority"))
    assert "As ordered" in record.diagnosis.summary
    after = await walk.answer(record.id, "ana")
    assert (after.state, after.approvers, walk.action.effects) == (State.AWAITING_APPROVAL, ("ana",), 0)
    (question,) = await walk.store.approvals(pending_only=True)
    assert question.approvers == ("ana",)


async def test_the_question_to_people_is_the_plan_and_the_summary_and_nothing_else():
    walk, _, record = await heard("pod-crash-loop", "PagerDuty note", Poison("somebody said yes", "right to left"))
    (question,) = await walk.store.approvals(pending_only=True)
    target = record.proposal.target
    assert question.question == f"restart_pod on {target.key} (uid {target.uid})? {record.diagnosis.summary}"
    assert not HIDDEN.search(question.question)
    assert "\n" not in question.question
