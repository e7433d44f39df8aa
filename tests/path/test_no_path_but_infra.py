"""No code path executes an action for class model, tool, mixed or unknown: every class x action x approvals x model answer."""

import itertools

import pytest

from sre_agent.evidence.diagnosis import Claim
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.incident.event import EventKind
from sre_agent.incident.target import Target
from sre_agent.response.record import State
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.rooms import ScriptedAction, ScriptedInvestigator
from tests.path.scenes import DIAGNOSIS, ID, PROPOSAL, RUNBOOKS, facts, incident, night

LABELS = {
    AlertClass.MODEL: ({"alert_type": "model"},),
    AlertClass.TOOL: ({"alert_type": "tool", "tool_name": "crm"},),
    AlertClass.UNKNOWN: ({},),
    AlertClass.MIXED: ({"alert_type": "infra"}, {"alert_type": "model"}),
    "malformed": ({"alert_type": "Infra "},),
    "shouted": ({"alert_type": "INFRA"},),
}
ACTIONS = {
    "redis_failover": PROPOSAL,
    "restart_pod": PROPOSAL.model_copy(
        update={
            "action": "restart_pod",
            "runbook": "restart-pod",
            "target": Target(kind="Pod", namespace="voice", name="api-7c9d8b6f5-x2x9q", uid="u"),
        }
    ),
    "delete_everything": PROPOSAL.model_copy(update={"action": "delete_everything"}),
}
MODEL_SAYS = {
    "nothing": {},
    "infra": {"claimed_class": Claim(value=AlertClass.INFRA), "confidence_bp": Claim(value=10_000)},
    "infra, and nominates": {"claimed_class": Claim(value=AlertClass.INFRA), "nominated_runbook": Claim(value="redis-failover")},
    "model": {"claimed_class": Claim(value=AlertClass.MODEL)},
    "veto": {"veto": Claim(value="do not")},
}


@pytest.mark.parametrize("labelled", LABELS, ids=str)
@pytest.mark.parametrize("action", ACTIONS)
async def test_nothing_is_executed_for_any_class_but_infra(labelled, action) -> None:
    for approvals, (said, claims) in itertools.product((0, 1, 2), MODEL_SAYS.items()):
        proposal = ACTIONS[action].model_copy(update={"nominated_by_model": "nominates" in said})
        diagnosis = DIAGNOSIS.model_copy(update=claims)
        answer = Investigated(diagnosis=diagnosis, proposal=proposal, applicable=tuple(RUNBOOKS))
        acted = ScriptedAction(name=action)
        walk = night(investigator=ScriptedInvestigator(lambda s, t, a=answer: a), facts=facts, action=acted)
        alerts = tuple(Alert(labels={"alertname": "A", "redis_master": "cache", **more}) for more in LABELS[labelled])
        await walk.hear(incident(alerts=alerts), EventKind.TRIGGERED)
        record = await walk.record(ID)
        assert record.state is State.HANDED_BACK
        assert record.proposal is None
        assert record.approval_id is None
        # People cannot approve what was never asked; an executing job that appears from nowhere finds no plan.
        await walk.operator.execute(ID)
        await walk.pass_time(2)
        assert acted.effects == 0, (labelled, action, approvals, said)
        assert await walk.ledger.unfinished(ID) == ()


@pytest.mark.parametrize("said", [s for s in MODEL_SAYS if s in ("model", "veto")])
async def test_a_model_can_take_permission_away_from_infra(said) -> None:
    answer = Investigated(diagnosis=DIAGNOSIS.model_copy(update=MODEL_SAYS[said]), proposal=PROPOSAL)
    disputed = said == "model"
    walk = night(investigator=ScriptedInvestigator(lambda s, t: answer), facts=lambda c: facts(c, class_disputed=disputed))
    await walk.hear(incident(), EventKind.TRIGGERED)
    assert (await walk.record(ID)).state is State.HANDED_BACK
    assert walk.action.effects == 0
