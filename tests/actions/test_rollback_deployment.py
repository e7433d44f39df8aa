"""rollback_deployment against the stand-in API server: the previous template back, once, or a reason why not."""

from datetime import timedelta

import pytest

from sre_agent.actions.rollback_deployment import RollbackDeployment
from sre_agent.incident.errors import Refused
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.kubernetes.objects import IMAGE
from sre_agent.testing.kubernetes.store import stamp
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState
from sre_agent.verification.workloads import deployment_ok
from tests.actions.workload_stage import DONE, FAILED, KEY, NOT_DONE, START, Stage, target

pytestmark = pytest.mark.real
BAD = IMAGE.replace("1f", "2e")
CRASHING = PodScript(PodState.CRASH_LOOP)


@pytest.fixture
def stage(tmp_path):
    with KubernetesApi(START) as api:
        api.node("node-1")
        made = Stage(api, tmp_path, RollbackDeployment(clock=api.clock))
        yield made
        made.close()


def change(api, deployment: dict, **container) -> None:
    """A deploy by somebody else: fields of the container change, and the rollout begins."""
    with api.lock:
        deployment["spec"]["template"]["spec"]["containers"][0] |= container
        deployment["metadata"]["generation"] += 1
        api.store.touch(deployment)
        api.controllers.refresh()


def regressed(stage, *, changed: dict | None = None, minutes: float = 10, **workload) -> dict:
    """A Deployment of four, two hours old, whose new image crashes; `minutes` have passed since."""
    fields = {"replicas": 4, "states": (), "by_image": {BAD: CRASHING}, **workload}
    deployment = stage.deploy(**fields)
    change(stage.api, deployment, **({"image": BAD} if changed is None else changed))
    for _ in range(10):
        stage.api.advance(1)
    stage.api.advance(minutes * 60 - 10)
    return deployment


def images(api) -> set[str]:
    return {p["spec"]["containers"][0]["image"] for p in api.store.of("Pod") if "deletionTimestamp" not in p["metadata"]}


async def judge(stage, deployment, generation="2"):
    proposal = Proposal(incident_id="Q1", runbook="r", action="r", target=target(deployment), generation=generation)
    return deployment_ok(await stage.cluster.objects("Deployment", "voice"), proposal)


async def test_the_previous_template_comes_back_and_verification_says_so(stage):
    deployment = regressed(stage)
    assert images(stage.api) == {IMAGE, BAD}
    intent = await stage.intent(deployment)
    assert (intent.precondition["from_revision"], intent.precondition["to_revision"]) == (2, 1)
    assert (await judge(stage, deployment))[0] is False
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is DONE
    assert "back from revision 2 to 1" in outcome.result
    assert (stage.steps, stage.writes(dry=True), stage.writes()) == (["dry_run", "rollback"], 1, 1)
    assert images(stage.api) == {IMAGE}
    assert len(list(stage.api.store.of("ReplicaSet"))) == 2
    notes = deployment["metadata"]["annotations"]
    assert notes == {
        "deployment.kubernetes.io/revision": "3",
        "sre-agent/intent": KEY,
        "sre-agent/rolled-back-at": "2026-03-04T03:21:00Z",
    }
    assert await judge(stage, deployment) == (True, "4 of 4 replicas are ready, 4 of 4 are new")


async def test_an_old_version_that_fails_now_as_well_is_a_failure(stage):
    deployment = regressed(stage, by_image={BAD: CRASHING, IMAGE: CRASHING})
    outcome = await stage.action.effect(await stage.intent(deployment), stage.bench)
    assert outcome.state is FAILED
    assert (await judge(stage, deployment))[0] is False


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("deployment-gitops-managed", {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}),
        ("deployment-migration-between", {"annotations": {"sre-agent/migration": "2026-03-04-orders"}}),
        ("deployment-already-rolled-back", {"annotations": {"sre-agent/rolled-back-at": "2026-03-03T20:00:00Z"}}),
        ("deployment-already-rolled-back", {"annotations": {"sre-agent/rolled-back-at": "lately"}}),
        ("allowed", {"annotations": {"sre-agent/rolled-back-at": "2026-03-01T20:00:00Z"}}),
        ("deployment-no-readiness-probe", {"container": {"readinessProbe": None}}),
        ("deployment-new-pods-well", {"by_image": {}}),
        ("deployment-changed-too-long-ago", {"minutes": 121}),
        ("deployment-previous-too-short", {"age": timedelta(minutes=29)}),
        ("deployment-touches-behaviour", {"image": "registry.example/shop/app:1"}),
    ],
)
async def test_a_deployment_in_no_state_to_be_rolled_back_is_refused(stage, rule, changes):
    assert await stage.refusal(regressed(stage, **changes)) == rule


@pytest.mark.parametrize(
    "changed",
    [
        {"image": BAD, "env": [{"name": "MODEL_TEMPERATURE", "value": "0.7"}]},
        {"image": BAD, "args": ["--prompt-version=4"]},
        {"image": BAD, "envFrom": [{"configMapRef": {"name": "settings"}}]},
        {"image": BAD, "resources": {"limits": {"memory": "1Gi"}}},
        {"image": "registry.example/shop/prompt-server@sha256:" + "2e" * 32},
    ],
)
async def test_a_change_of_more_than_an_image_is_not_undone(stage, changed):
    deployment = regressed(stage, changed=changed, by_image={BAD: CRASHING, changed["image"]: CRASHING})
    assert await stage.refusal(deployment) == "deployment-touches-behaviour"


async def test_a_config_written_since_the_old_revision_was_made_is_not_started_with_it(stage):
    deployment = regressed(stage, container={"envFrom": [{"configMapRef": {"name": "settings"}}]})
    item = stage.api.add(
        {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "voice", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    )
    assert await stage.refusal(deployment) == "deployment-touches-behaviour"
    item["metadata"]["managedFields"][0]["time"] = stamp(START - timedelta(days=1))
    assert await stage.refusal(deployment) == "allowed"


async def test_without_a_previous_revision_or_a_sign_that_it_was_well_nothing_is_undone(stage):
    deployment = regressed(stage)
    old = next(
        s for s in stage.api.store.of("ReplicaSet") if s["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    )
    for pod in [p for p in stage.api.store.of("Pod") if p["spec"]["containers"][0]["image"] == IMAGE]:
        stage.api.set_pod(pod, PodScript(PodState.NOT_READY))
    conditions = deployment["status"]["conditions"]
    available = next(c for c in conditions if c["type"] == "Available")
    assert (available["status"], await stage.refusal(deployment)) == ("False", "allowed")
    available["lastTransitionTime"] = stamp(START - timedelta(hours=1))
    assert await stage.refusal(deployment) == "deployment-previous-not-known-well"
    stage.api.store.remove(old)
    assert await stage.refusal(deployment) == "deployment-no-previous-revision"


@pytest.mark.parametrize(
    ("rule", "spec"),
    [("deployment-rollout-paused", {"paused": True}), ("deployment-strategy-not-rolling", {"strategy": {"type": "Recreate"}})],
)
async def test_a_rollout_that_cannot_go_a_few_at_a_time_is_refused(stage, rule, spec):
    deployment = regressed(stage)
    deployment["spec"] |= spec
    assert await stage.refusal(deployment) == rule


async def test_a_newer_deploy_since_the_plan_is_refused(stage):
    deployment = regressed(stage)
    intent = await stage.intent(deployment)
    change(stage.api, deployment, image=IMAGE.replace("1f", "3d"))
    stage.api.advance(1)
    with pytest.raises(Refused):
        await stage.action.effect(intent, stage.bench)
    assert stage.writes() == 0


async def test_a_crash_a_lost_request_and_a_lost_answer(stage):
    deployment = regressed(stage)
    intent = await stage.intent(deployment)
    assert (await stage.action.recover(intent, stage.bench)).state is NOT_DONE
    stage.api.fail(Fault(FaultKind.DROP_BEFORE, "PATCH", dry_run=False))
    assert (await stage.run(intent)).state is NOT_DONE
    assert "sre-agent/intent" not in deployment["metadata"]["annotations"]
    stage.api.faults.clear()
    stage.api.fail(Fault(FaultKind.DROP_AFTER, "PATCH", dry_run=False))
    assert (await stage.run(intent)).state is DONE
    assert (stage.writes(), images(stage.api)) == (2, {IMAGE})


async def test_a_halt_and_a_change_in_between_stop_it(stage):
    deployment = regressed(stage)
    intent = await stage.intent(deployment)
    stage.on_step["rollback"] = lambda: stage.refusals.append(Refused("halted", "the kill switch is engaged"))
    with pytest.raises(Refused, match="halted"):
        await stage.action.effect(intent, stage.bench)
    stage.on_step["rollback"] = lambda: stage.api.edit(deployment)
    with pytest.raises(Refused) as refused:
        await stage.action.effect(intent, stage.bench)
    assert refused.value.rule == "k8s-precondition-conflict"
    assert stage.writes() == 1
    assert images(stage.api) == {IMAGE, BAD}


async def test_a_pipeline_that_deploys_the_bad_version_again_is_a_failure_though_our_mark_is_still_there(stage):
    deployment = regressed(stage)
    intent = await stage.intent(deployment)
    real, done = stage.sleep, []

    async def again(seconds: float) -> None:
        if not done:
            done.append(True)
            change(stage.api, deployment, image=BAD)
        await real(seconds)

    stage.sleep = again
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is FAILED
    assert deployment["metadata"]["annotations"]["sre-agent/intent"] == KEY
