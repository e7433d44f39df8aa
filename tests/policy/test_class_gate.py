"""The one promise: nothing but infra is ever acted on, whatever anybody says or approves."""

import itertools
from datetime import UTC, datetime

import pytest

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.decision import Verdict
from sre_agent.policy.facts import Claims

NOW = datetime(2026, 3, 4, 3, 11, 9, tzinfo=UTC)
MODEL_ANSWERS = [
    *[Claims(alert_class=c, confidence_bp=10_000, veto=False) for c in AlertClass],
    Claims(alert_class=AlertClass.INFRA, confidence_bp=0, veto=True),
]


@pytest.mark.parametrize("base", ["good-restart", "good-failover"])
@pytest.mark.parametrize("alert_class", list(AlertClass))
def test_only_infra_labelled_infra_is_ever_allowed(base, alert_class, guard, make) -> None:
    good = make(base)
    for labelled, approvals, claims in itertools.product(AlertClass, (0, 1, 2), MODEL_ANSWERS):
        facts = good.facts.model_copy(update={"alert_class": alert_class, "labelled_class": labelled})
        it = good.model_copy(update={"facts": facts, "claims": claims})
        decision, permit = guard.permit(it, approvals=approvals, permit_id="p1", now=NOW)
        infra = alert_class is AlertClass.INFRA and labelled is AlertClass.INFRA
        if not infra:
            assert decision.verdict is Verdict.HAND_BACK
            assert permit is None
        elif claims.alert_class is AlertClass.INFRA and claims.confidence_bp >= 8000:
            assert (permit is not None) is (approvals >= (2 if base == "good-failover" else 0))
        else:
            assert permit is None


def test_model_regression_is_refused_even_if_approved(guard, make) -> None:
    it = make("good-failover", **{"facts.alert_class": "model", "facts.labelled_class": "model", "claims.alert_class": "model"})
    decision, permit = guard.permit(it, approvals=2, permit_id="p", now=NOW)
    assert permit is None
    assert decision.policy_ids == ("refuse-class-not-infra", "refuse-label-not-infra")


def test_an_action_that_the_schema_does_not_name_is_never_allowed(guard, make) -> None:
    for action in ("delete_namespace", "approve", "runbook", "", 'restart_pod" || true'):
        it = make("good-restart", **{"proposal.action": action})
        for approvals in (0, 1, 2):
            decision, permit = guard.permit(it, approvals=approvals, permit_id="p", now=NOW)
            assert permit is None
            assert decision.verdict is Verdict.DENY
            assert decision.fault is not None or decision.policy_ids == ("default-deny",)
