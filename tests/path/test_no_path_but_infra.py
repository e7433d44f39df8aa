"""No code path executes an action for class model, tool, mixed or unknown: every class x every registered action x approvals x
model answer. The same plans labelled infra are executed, so that it is the class and nothing else that stands in the way."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sre_agent.evidence.diagnosis import Claim
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.event import EventKind
from sre_agent.policy.declarations import Targets, keys_of
from sre_agent.policy.facts import Claims, Facts, GuardRequest
from sre_agent.policy.guard import Guard
from sre_agent.policy.whitelist import NEVER, WHITELIST
from sre_agent.response.record import State
from sre_agent.runbook.proposal import Investigated, Proposal
from sre_agent.testing.rooms import ScriptedAction, ScriptedInvestigator
from sre_agent.wiring import discovery
from tests.path.scenes import BASES, BUNDLE, DIAGNOSIS, ID, PROPOSAL, RUNBOOKS, facts, incident, night

LABELS = {
    AlertClass.MODEL: ({"alert_type": "model"},),
    AlertClass.TOOL: ({"alert_type": "tool", "tool_name": "crm"},),
    AlertClass.UNKNOWN: ({},),
    AlertClass.MIXED: ({"alert_type": "infra"}, {"alert_type": "model"}),
    "malformed": ({"alert_type": "Infra "},),
    "shouted": ({"alert_type": "INFRA"},),
}
GOOD = {base["proposal"]["action"]: base for base in BASES.values()}
"""Per action, a request that is known to be allowed once enough people have said yes."""
PLANS = {name: Proposal.model_validate({**base["proposal"], "incident_id": ID}) for name, base in GOOD.items()}
UNKNOWN = "delete_everything"
ACTIONS = {**PLANS, UNKNOWN: PROPOSAL.model_copy(update={"action": UNKNOWN})}
MODEL_SAYS = {
    "nothing": {},
    "infra": {"claimed_class": Claim(value=AlertClass.INFRA), "confidence_bp": Claim(value=10_000)},
    "infra, and nominates": {"claimed_class": Claim(value=AlertClass.INFRA), "nominated_runbook": Claim(value="redis-failover")},
    "model": {"claimed_class": Claim(value=AlertClass.MODEL)},
    "veto": {"veto": Claim(value="do not")},
}
CLAIMS = (
    Claims(alert_class=AlertClass.INFRA, confidence_bp=10_000, veto=False),
    Claims(alert_class=AlertClass.MODEL, confidence_bp=10_000, veto=False),
    Claims(alert_class=AlertClass.INFRA, confidence_bp=10_000, veto=True),
)
"""The most that a model can say for a plan, and against it. All other combinations: tests/policy/test_class_gate.py."""
DECLARED = Targets.model_validate({keys_of(PLANS[name].target)[0]: base["declaration"] for name, base in GOOD.items()})
OWNED = replace(BUNDLE, declared=replace(BUNDLE.declared, targets=DECLARED))
"""The shipped policies, with every target of these plans declared by its owners."""
NOW = datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)


def evening(action, plan, claims, acted):
    """A walk in which the investigation proposes `plan` and the collectors answer what is good for its action."""
    diagnosis = DIAGNOSIS.model_copy(update=claims)
    answer = Investigated(diagnosis=diagnosis, proposal=plan, applicable=tuple(RUNBOOKS))
    about = GOOD.get(action, GOOD["redis_failover"])["facts"]
    # What the walk itself knows (class, approvals, freshness) comes from the walk.
    of_target = {
        k: v for k, v in about.items() if k.startswith(("pod", "pdb", "repl", "roll", "rest", "node", "redis", "sentinel"))
    }
    return night(
        bundle=OWNED,
        investigator=ScriptedInvestigator(lambda s, t: answer),
        facts=lambda c: facts(c, **of_target),
        action=acted,
    )


def alerts(labelled):
    return tuple(Alert(labels={"alertname": "A", "redis_master": "cache", **more}) for more in labelled)


def test_every_registered_action_is_held_to_this_and_nothing_else_is_registered() -> None:
    assert set(discovery.actions()) == set(PLANS) == {row.action for row in WHITELIST}
    assert not set(discovery.actions()) & set(NEVER)


@pytest.mark.parametrize("labelled", LABELS, ids=str)
@pytest.mark.parametrize("action", ACTIONS)
async def test_nothing_is_executed_for_any_class_but_infra(labelled, action) -> None:
    for said, claims in MODEL_SAYS.items():
        plan = ACTIONS[action].model_copy(update={"nominated_by_model": "nominates" in said})
        acted = ScriptedAction(name=action)
        walk = evening(action, plan, claims, acted)
        await walk.hear(incident(alerts=alerts(LABELS[labelled])), EventKind.TRIGGERED)
        record = await walk.record(ID)
        assert record.state is State.HANDED_BACK
        assert record.proposal is None
        assert record.approval_id is None
        # People cannot approve what was never asked; an executing job that appears from nowhere finds no plan.
        await walk.operator.execute(ID)
        await walk.pass_time(2)
        assert acted.effects == 0, (labelled, action, said)
        assert await walk.ledger.unfinished(ID) == ()


@pytest.mark.parametrize("action", ACTIONS)
def test_no_permit_is_minted_for_any_class_but_infra_whatever_people_and_model_say(action) -> None:
    guard, good = Guard(OWNED, "sre-agent", b"key"), GOOD.get(action, GOOD["redis_failover"])
    minted = 0
    for actual, labelled, approvals, claims in itertools.product(AlertClass, AlertClass, (0, 1, 2), CLAIMS):
        known = {**good["facts"], "alert_class": actual, "labelled_class": labelled}
        request = GuardRequest(
            agent="sre-agent",
            proposal=ACTIONS[action],
            declaration=good["declaration"],
            facts=Facts.model_validate(known, strict=False),
            claims=claims,
            approvals=approvals,
        )
        _, permit = guard.permit(request, approvals=approvals, permit_id="p", now=NOW)
        minted += permit is not None
        assert permit is None or actual is labelled is claims.alert_class is AlertClass.INFRA
    assert (minted > 0) is (action != UNKNOWN)


@pytest.mark.parametrize("action", PLANS)
async def test_the_same_plan_is_executed_once_when_it_is_infra_and_people_agree(action) -> None:
    acted = ScriptedAction(name=action)
    walk = evening(action, PLANS[action], {}, acted)
    await walk.hear(incident(), EventKind.TRIGGERED)
    for person in ("ana", "ben"):
        if (await walk.record(ID)).state is State.AWAITING_APPROVAL:
            assert acted.effects == 0
            await walk.answer(ID, person)
    assert acted.effects == 1, (await walk.record(ID)).state


@pytest.mark.parametrize("said", [s for s in MODEL_SAYS if s in ("model", "veto")])
@pytest.mark.parametrize("action", PLANS)
async def test_a_model_can_take_permission_away_from_infra(action, said) -> None:
    acted = ScriptedAction(name=action)
    walk = evening(action, PLANS[action], MODEL_SAYS[said], acted)
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert (await walk.record(ID)).state is State.HANDED_BACK
    assert acted.effects == 0
