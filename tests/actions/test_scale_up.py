"""scale_up against the stand-in API server: a few replicas more, once, or a reason why not."""

from datetime import timedelta

import pytest

from sre_agent.actions.scale_up import ScaleUp
from sre_agent.evidence.kubernetes.deployment_conditions import MOST_ADDED, MOST_ADDED_PCT, added_replicas
from sre_agent.incident.errors import Refused
from sre_agent.policy import whitelist
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState
from sre_agent.verification.workloads import deployment_ok
from tests.actions.workload_stage import DONE, FAILED, NOT_DONE, START, UNREADY, Stage, target

pytestmark = pytest.mark.real
CEILING = {"sre-agent/max-replicas": "8"}


@pytest.fixture
def stage(tmp_path):
    with KubernetesApi(START) as api:
        api.node("node-1")
        made = Stage(api, tmp_path, ScaleUp())
        yield made
        made.close()


def busy(stage, **changes) -> dict:
    return stage.deploy(**{"replicas": 4, "states": (), "annotations": CEILING, **changes})


async def judge(stage, deployment):
    proposal = Proposal(incident_id="Q1", runbook="r", action="scale_up", target=target(deployment), generation="1")
    return deployment_ok(await stage.cluster.objects("Deployment", "voice"), proposal)


def test_what_is_added_is_what_the_policies_allow():
    assert (MOST_ADDED, MOST_ADDED_PCT) == (whitelist.MAX_ADDED_PODS, whitelist.MAX_ADDED_PCT)
    assert [added_replicas(n) for n in (0, 1, 2, 3, 4, 40)] == [0, 0, 1, 1, 2, 2]


async def test_two_replicas_more_and_verification_says_so(stage):
    deployment = busy(stage)
    intent = await stage.intent(deployment)
    assert (intent.precondition["replicas"], intent.precondition["wanted"]) == (4, 6)
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is DONE
    assert "scaled from 4 to 6" in outcome.result
    assert (stage.steps, stage.writes(dry=True), stage.writes()) == (["dry_run", "scale"], 1, 1)
    assert await judge(stage, deployment) == (True, "6 of 6 replicas are ready, 6 of 6 are new")


async def test_replicas_that_never_get_ready_are_a_failure_and_verification_says_so(stage):
    deployment = busy(stage, replacement=UNREADY)
    outcome = await stage.action.effect(await stage.intent(deployment), stage.bench)
    assert outcome.state is FAILED
    assert "not finished within 300 s" in outcome.result
    assert (await judge(stage, deployment))[0] is False


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("deployment-not-all-ready", {"states": (PodScript(PodState.NOT_READY),)}),
        ("deployment-too-small-to-scale", {"replicas": 1}),
        ("deployment-ceiling", {"annotations": {}}),
        ("deployment-ceiling", {"annotations": {"sre-agent/max-replicas": "5"}}),
        ("deployment-ceiling", {"annotations": {"sre-agent/max-replicas": "many"}}),
        ("deployment-gitops-managed", {"annotations": {**CEILING, "argocd.argoproj.io/tracking-id": "x"}}),
        ("deployment-no-room", {"container": {"resources": {"requests": {"cpu": "2500m"}}}}),
        ("deployment-no-room", {"container": {"resources": {"requests": {"memory": "a lot"}}}}),
        ("deployment-touches-behaviour", {"image": "registry.example/shop/app:latest"}),
    ],
)
async def test_a_deployment_in_no_state_to_be_scaled_is_refused(stage, rule, changes):
    assert await stage.refusal(busy(stage, **changes)) == rule


@pytest.mark.parametrize(
    ("rule", "spec"), [("deployment-rollout-paused", {"paused": True}), ("deployment-rollout-unsettled", {"replicas": 5})]
)
async def test_a_deployment_somebody_is_changing_is_refused(stage, rule, spec):
    deployment = busy(stage)
    deployment["spec"] |= spec
    assert await stage.refusal(deployment) == rule


async def test_an_autoscaler_a_quota_and_pods_that_wait_for_room_are_refused(stage):
    deployment = busy(stage)
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    scaler = stage.api.add(
        {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "api", "namespace": "voice"}, "spec": {"scaleTargetRef": ref}}
    )
    assert await stage.refusal(deployment) == "deployment-autoscaler-present"
    stage.api.store.remove(scaler)
    quota = stage.api.add({"kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "voice"}, "spec": {}})
    quota["status"] = {"hard": {"count/pods": "5"}, "used": {"count/pods": "4"}}
    assert await stage.refusal(deployment) == "deployment-quota"
    stage.api.store.remove(quota)
    waiting = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}
    spec = {"containers": [{"name": "app", "image": "x"}]}
    stage.api.add({"kind": "Pod", "metadata": {"name": "w", "namespace": "shop"}, "spec": spec, "status": waiting})
    assert await stage.refusal(deployment) == "deployment-pods-waiting-for-room"


async def test_nodes_that_are_sick_cordoned_or_tainted_have_no_room(stage):
    deployment = busy(stage)
    stage.api.node("node-1", ready=False)
    assert await stage.refusal(deployment) == "deployment-no-room"
    node = stage.api.node("node-1")
    node["spec"] = {"unschedulable": True}
    assert await stage.refusal(deployment) == "deployment-no-room"
    node["spec"] = {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}
    assert await stage.refusal(deployment) == "deployment-no-room"
    node["spec"] = {}
    assert await stage.refusal(deployment) == "allowed"


async def test_a_crash_between_intent_and_effect_and_a_lost_request_are_not_done(stage):
    deployment = busy(stage)
    intent = await stage.intent(deployment)
    assert (await stage.action.recover(intent, stage.bench)).state is NOT_DONE
    stage.api.fail(Fault(FaultKind.DROP_BEFORE, "PATCH", dry_run=False))
    assert (await stage.run(intent)).state is NOT_DONE
    assert (stage.writes(), deployment["spec"]["replicas"]) == (1, 4)


async def test_a_lost_answer_is_observed_and_never_sent_again(stage):
    deployment = busy(stage)
    stage.api.fail(Fault(FaultKind.DROP_AFTER, "PATCH", dry_run=False))
    assert (await stage.run(await stage.intent(deployment))).state is DONE
    assert (stage.writes(), deployment["spec"]["replicas"]) == (1, 6)


async def test_a_halt_and_a_change_in_between_stop_it(stage):
    deployment = busy(stage)
    intent = await stage.intent(deployment)
    stage.on_step["scale"] = lambda: stage.refusals.append(Refused("halted", "the kill switch is engaged"))
    with pytest.raises(Refused, match="halted"):
        await stage.action.effect(intent, stage.bench)
    stage.on_step["scale"] = lambda: stage.api.edit(deployment)
    with pytest.raises(Refused) as refused:
        await stage.action.effect(intent, stage.bench)
    assert (refused.value.rule, deployment["spec"]["replicas"]) == ("k8s-precondition-conflict", 4)


async def test_a_deployment_of_young_pods_counts_them_all(stage):
    deployment = busy(stage, age=timedelta(minutes=1))
    assert await stage.refusal(deployment) == "allowed"
