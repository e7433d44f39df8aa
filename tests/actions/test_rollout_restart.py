"""rollout_restart against the stand-in API server: every pod replaced once by the very same template, or a reason why not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sre_agent.actions.rollout_restart import RolloutRestart
from sre_agent.execution.hands import Hands
from sre_agent.incident.errors import Permanent, Refused
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.kubernetes.store import stamp
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState
from sre_agent.verification.workloads import deployment_ok
from tests.actions.workload_stage import DONE, FAILED, KEY, NOT_DONE, START, UNKNOWN, UNREADY, Stage, target

pytestmark = pytest.mark.real
ENV = {"env": [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}]}


@pytest.fixture
def stage(tmp_path):
    with KubernetesApi(START) as api:
        api.node("node-1")
        made = Stage(api, tmp_path, RolloutRestart(clock=api.clock))
        yield made
        made.close()


def uids(api) -> set[str]:
    return {p["metadata"]["uid"] for p in api.store.of("Pod") if "deletionTimestamp" not in p["metadata"]}


def config(api, *, written_ago: timedelta, kind: str = "ConfigMap", name: str = "settings") -> None:
    """A ConfigMap or Secret made a day ago and last written some time ago."""
    made = {"name": name, "namespace": "voice", "creationTimestamp": stamp(START - timedelta(days=1))}
    item = api.add({"kind": kind, "metadata": made, "data": {"level": "not for our eyes"}})
    item["metadata"]["managedFields"][0]["time"] = stamp(START - written_ago)


async def judge(stage, deployment, generation: str):
    proposal = Proposal(incident_id="Q1", runbook="r", action="rollout_restart", target=target(deployment), generation=generation)
    return deployment_ok(await stage.cluster.objects("Deployment", "voice"), proposal)


async def test_every_pod_is_replaced_once_and_verification_says_so(stage):
    deployment = stage.deploy()
    before, intent = uids(stage.api), await stage.intent(deployment)
    assert (await judge(stage, deployment, "1"))[0] is False
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is DONE
    assert stage.steps == ["dry_run", "restart"]
    assert (stage.writes(dry=True), stage.writes()) == (1, 1)
    assert before.isdisjoint(uids(stage.api))
    notes = deployment["spec"]["template"]["metadata"]["annotations"]
    assert notes == {"kubectl.kubernetes.io/restartedAt": "2026-03-04T03:11:00Z", "sre-agent/intent": KEY}
    assert await judge(stage, deployment, "1") == (True, "5 of 5 replicas are ready, 5 of 5 are new")


async def test_new_pods_that_fail_as_well_are_a_failure_and_verification_says_so(stage):
    deployment = stage.deploy(replacement=UNREADY)
    outcome = await stage.action.effect(await stage.intent(deployment), stage.bench)
    assert outcome.state is FAILED
    assert "no new one becomes ready" in outcome.result
    assert (await judge(stage, deployment, "1"))[0] is False
    assert deployment["status"]["readyReplicas"] >= 3


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("deployment-too-few-replicas", {"replicas": 1}),
        ("deployment-no-readiness-probe", {"container": {"readinessProbe": None}}),
        ("deployment-floor", {"states": (UNREADY, UNREADY, UNREADY)}),
        ("deployment-nothing-unhealthy", {"states": ()}),
        ("deployment-nothing-unhealthy", {"states": (PodScript(PodState.NOT_READY, since=timedelta(minutes=2)),)}),
        ("deployment-restart-cannot-help", {"states": (UNREADY, PodScript(PodState.BAD_CONFIG))}),
        ("deployment-touches-behaviour", {"image": "registry.example/shop/app:latest"}),
        ("deployment-touches-behaviour", {"image": "registry.example/shop/app:2.66.0"}),
        ("deployment-touches-behaviour", {"volumes": ({"name": "s", "csi": {"driver": "secrets-store.csi.k8s.io"}},)}),
        ("deployment-touches-behaviour", {"container": ENV}),
    ],
)
async def test_a_deployment_in_no_state_to_be_restarted_is_refused(stage, rule, changes):
    assert await stage.refusal(stage.deploy(**changes)) == rule


@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        ("deployment-rollout-paused", {"paused": True}),
        ("deployment-rollout-unsettled", {"replicas": 7}),
        ("deployment-strategy-not-rolling", {"strategy": {"type": "Recreate"}}),
        ("deployment-floor", {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}}),
    ],
)
async def test_a_rollout_that_is_not_one_of_a_few_at_a_time_is_refused(stage, rule, spec):
    deployment = stage.deploy()
    deployment["spec"] |= spec
    assert await stage.refusal(deployment) == rule


async def test_a_deployment_on_its_way_out_or_not_the_named_one_is_refused(stage):
    deployment = stage.deploy()
    for changes in ({"uid": "other"}, {"uid": None}, {"name": "other"}, {"namespace": "shop"}, {"namespace": None}):
        assert await stage.refusal(deployment, **changes) == "deployment-gone"
    deployment["metadata"]["deletionTimestamp"] = "2026-03-04T03:11:00Z"
    assert await stage.refusal(deployment) == "deployment-terminating"


async def test_a_quota_without_room_for_the_surge_is_refused(stage):
    deployment = stage.deploy()
    quota = {"kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "voice"}, "spec": {"hard": {"pods": "6"}}}
    item = stage.api.add(quota)
    item["status"] = {"hard": {"pods": "6"}, "used": {"pods": "5"}}
    assert await stage.refusal(deployment) == "deployment-quota"
    item["status"]["hard"]["pods"] = "7"
    assert await stage.refusal(deployment) == "allowed"


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
async def test_a_config_written_since_the_replicaset_was_made_is_a_deploy_and_refused(stage, kind):
    ref = {"configMapRef": {"name": "settings"}} if kind == "ConfigMap" else {"secretRef": {"name": "settings"}}
    deployment = stage.deploy(container={"envFrom": [ref]})
    config(stage.api, kind=kind, written_ago=timedelta(hours=3))
    assert await stage.refusal(deployment) == "allowed"
    item = next(stage.api.store.of(kind))
    item["metadata"]["managedFields"][0]["time"] = stamp(START - timedelta(minutes=30))
    assert await stage.refusal(deployment) == "deployment-touches-behaviour"


async def test_what_is_in_a_config_is_never_read(stage):
    config(stage.api, written_ago=timedelta(hours=3))
    (seen,) = await stage.cluster.objects("ConfigMap", "voice")
    assert "not for our eyes" not in str(seen)
    assert seen["metadata"]["managedFields"][0]["time"] == "2026-03-04T00:11:00Z"


async def test_secrets_that_may_not_be_read_stop_the_restart_with_the_right_named(stage):
    deployment = stage.deploy(container={"envFrom": [{"secretRef": {"name": "token"}}]})
    kinds = ("pods", "replicasets", "deployments", "resourcequotas", "horizontalpodautoscalers", "configmaps")
    stage.api.grant("reader", {("list", kind) for kind in kinds})
    with pytest.raises(Permanent, match="lacks the right to list Secrets"):
        await stage.intent(deployment)
    assert stage.writes() == 0


async def test_a_process_without_write_credentials_does_nothing(stage):
    bench = replace(stage.bench, hands=Hands())
    with pytest.raises(Refused) as refused:
        await stage.action.precondition(target(stage.deploy()), bench)
    assert refused.value.rule == "deployment-no-access"


async def test_pods_that_recovered_meanwhile_are_left_alone(stage):
    deployment = stage.deploy()
    intent = await stage.intent(deployment)
    sick = next(p for p in stage.api.store.of("Pod") if p["status"]["conditions"][2]["status"] == "False")
    stage.on_step["dry_run"] = lambda: stage.api.set_pod(sick, PodScript())
    with pytest.raises(Refused, match="nothing-unhealthy"):
        await stage.action.effect(intent, stage.bench)
    assert stage.writes() == 0


async def test_a_deployment_changed_since_the_plan_is_refused(stage):
    deployment = stage.deploy()
    intent = await stage.intent(deployment)
    deployment["metadata"]["generation"] = 2
    deployment["status"]["observedGeneration"] = 2
    with pytest.raises(Refused, match="changed since"):
        await stage.action.effect(intent, stage.bench)
    assert stage.writes() == 0


async def test_a_change_between_the_last_look_and_the_write_is_refused_by_the_server(stage):
    deployment = stage.deploy()
    intent = await stage.intent(deployment)
    stage.on_step["restart"] = lambda: stage.api.edit(deployment)
    with pytest.raises(Refused) as refused:
        await stage.action.effect(intent, stage.bench)
    assert refused.value.rule == "k8s-precondition-conflict"
    assert "annotations" not in deployment["spec"]["template"]["metadata"]


@pytest.mark.parametrize("step", ["dry_run", "restart"])
async def test_a_halt_stops_it_before_the_write(stage, step):
    intent = await stage.intent(stage.deploy())
    stage.on_step[step] = lambda: stage.refusals.append(Refused("halted", "the kill switch is engaged"))
    with pytest.raises(Refused, match="halted"):
        await stage.action.effect(intent, stage.bench)
    assert stage.writes() == 0


async def test_a_missing_right_is_named_and_nothing_is_changed(stage):
    intent = await stage.intent(stage.deploy())
    stage.api.grant("hands", ())
    outcome = await stage.action.effect(intent, stage.bench)
    assert (outcome.state, stage.writes()) == (NOT_DONE, 0)
    assert "patch deployments.apps in namespace voice" in outcome.result


async def test_a_crash_between_intent_and_effect_is_not_made_good_by_a_second_try(stage):
    deployment = stage.deploy()
    intent = await stage.intent(deployment)
    assert (await stage.action.recover(intent, stage.bench)).state is NOT_DONE
    sent = {"resource_version": deployment["metadata"]["resourceVersion"]}
    left = intent.model_copy(update={"steps": ("dry_run", "restart"), "scratch": sent})
    outcome = await stage.action.recover(left, stage.bench)
    assert (outcome.state, stage.writes()) == (NOT_DONE, 0)
    assert "unchanged after" in outcome.result


async def test_a_deployment_that_moved_on_without_our_mark_proves_at_once_that_nothing_was_applied(stage):
    deployment = stage.deploy()
    sent = {"resource_version": deployment["metadata"]["resourceVersion"]}
    left = (await stage.intent(deployment)).model_copy(update={"steps": ("dry_run", "restart"), "scratch": sent})
    stage.api.edit(deployment)
    outcome = await stage.action.recover(left, stage.bench)
    assert outcome.state is NOT_DONE
    assert "the object changed first" in outcome.result


async def test_a_lost_answer_is_observed_and_never_sent_again(stage):
    deployment = stage.deploy()
    before, intent = uids(stage.api), await stage.intent(deployment)
    stage.api.fail(Fault(FaultKind.DROP_AFTER, "PATCH", dry_run=False))
    assert (await stage.run(intent)).state is DONE
    assert stage.writes() == 1
    assert before.isdisjoint(uids(stage.api))


async def test_a_request_lost_on_its_way_is_proved_not_done(stage):
    intent = await stage.intent(stage.deploy())
    stage.api.fail(Fault(FaultKind.DROP_BEFORE, "PATCH", dry_run=False))
    assert (await stage.run(intent)).state is NOT_DONE
    assert stage.writes() == 1


async def test_a_restart_that_somebody_takes_back_is_a_failure(stage):
    deployment = stage.deploy()
    intent = await stage.intent(deployment)
    real = stage.bench.sleep

    async def revert(seconds: float) -> None:
        deployment["spec"]["template"]["metadata"].pop("annotations", None)
        stage.api.edit(deployment)
        await real(seconds)

    outcome = await stage.action.effect(intent, replace(stage.bench, sleep=revert))
    assert outcome.state is FAILED
    assert "taken it back" in outcome.result


async def test_what_cannot_be_seen_stays_unknown(stage):
    deployment = stage.deploy()
    sent = {"resource_version": deployment["metadata"]["resourceVersion"]}
    left = (await stage.intent(deployment)).model_copy(update={"steps": ("dry_run", "restart"), "scratch": sent})
    stage.api.fail(Fault(FaultKind.ERROR_500, "GET", times=10_000))
    assert (await stage.action.recover(left, stage.bench)).state is UNKNOWN
    stage.api.faults.clear()
    stage.api.store.remove(deployment)
    assert (await stage.action.recover(left, stage.bench)).state is UNKNOWN
