"""restart_pod against the stand-in API server, on its frozen clock: one eviction, or a reason why not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import Refused
from sre_agent.testing.kubernetes.access import WRITE_PODS
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState
from tests.actions.restart_stage import CRASHING, START, Stage, target

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path):
    with KubernetesApi(START) as api:
        api.node("node-1")
        made = Stage(api, tmp_path)
        yield made
        made.hands.close()
        made.cluster.close()


async def test_an_unhealthy_pod_is_evicted_once_and_its_replacement_seen_ready(stage):
    pod = stage.deploy()
    stage.api.log(pod, "panic: token=abcdef123456\n", previous=True)
    intent = await stage.intent(pod)
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is IntentState.DONE
    assert stage.steps == ["capture_logs", "dry_run", "evict"]
    assert stage.api.evictions == [pod["metadata"]["uid"]]
    assert stage.scratch["previous_logs"]["app"].startswith("panic: token=")
    assert "abcdef123456" not in stage.scratch["previous_logs"]["app"]
    assert outcome.measured is not None
    assert 0 < outcome.measured["gone_s"] <= outcome.measured["ready_s"] < 60
    assert stage.asked >= 1


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_pods_of_other_controllers_come_back_too(stage, kind):
    outcome = await stage.action.effect(await stage.intent(stage.deploy(kind=kind)), stage.bench)
    assert outcome.state is IntentState.DONE


@pytest.mark.parametrize("state", [PodState.OOM_KILLED, PodState.NOT_READY])
async def test_other_troubles_that_a_restart_can_help_are_accepted(stage, state):
    assert (await stage.intent(stage.deploy(states=(PodScript(state),)))).precondition["owner"].startswith("ReplicaSet/")


@pytest.mark.parametrize(
    ("rule", "script"),
    [
        ("pod-healthy", PodScript()),
        ("pod-healthy", PodScript(PodState.NOT_READY, since=timedelta(minutes=2))),
        ("pod-restart-cannot-help", PodScript(PodState.IMAGE_PULL)),
        ("pod-restart-cannot-help", PodScript(PodState.BAD_CONFIG)),
        ("pod-restart-cannot-help", PodScript(PodState.COMMAND_NOT_FOUND)),
        ("pod-too-young", PodScript(PodState.CRASH_LOOP, age=timedelta(minutes=4))),
    ],
)
async def test_a_pod_in_no_state_to_be_restarted_is_refused(stage, rule, script):
    pod = stage.deploy(states=(script,))
    with pytest.raises(Refused) as refused:
        await stage.intent(pod)
    assert refused.value.rule == rule


async def refusal(stage, pod, **changes) -> str:
    with pytest.raises(Refused) as refused:
        await stage.action.precondition(target(pod, **changes), stage.bench)
    assert stage.api.evictions == []
    assert not any(r.path.endswith("/eviction") for r in stage.api.requests)
    return refused.value.rule


async def test_a_pod_that_is_not_the_named_one_is_refused(stage):
    pod = stage.deploy()
    for changes in ({"uid": "other"}, {"uid": None}, {"name": "other"}, {"namespace": "shop"}, {"namespace": None}):
        assert await refusal(stage, pod, **changes) == "pod-gone"


async def test_a_bare_pod_and_a_mirror_pod_are_refused(stage):
    pod = stage.deploy()
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    assert await refusal(stage, pod) == "pod-bare"
    del pod["metadata"]["annotations"]
    owners = pod["metadata"].pop("ownerReferences")
    assert await refusal(stage, pod) == "pod-bare"
    pod["metadata"]["ownerReferences"] = [{**owners[0], "kind": "Job"}]
    assert await refusal(stage, pod) == "pod-bare"


async def test_an_owner_that_is_no_longer_there_brings_nothing_back(stage):
    pod = stage.deploy()
    stage.api.store.remove(next(stage.api.store.of("ReplicaSet")))
    assert await refusal(stage, pod) == "pod-bare"


async def test_a_pod_already_on_its_way_out_is_refused(stage):
    pod = stage.deploy()
    pod["metadata"]["deletionTimestamp"] = "2026-03-04T03:11:00Z"
    assert await refusal(stage, pod) == "pod-terminating"


async def test_a_pod_on_a_node_in_trouble_is_the_nodes_problem(stage):
    pod = stage.deploy()
    stage.api.node("node-1", ready=False)
    assert await refusal(stage, pod) == "pod-node-not-ready"


@pytest.mark.parametrize("change", [{"paused": True}, {"replicas": 4}])
async def test_a_rollout_a_pause_or_a_scaling_under_way_is_refused(stage, change):
    pod = stage.deploy()
    stage.api.edit(next(stage.api.store.of("Deployment")), spec=change)
    assert await refusal(stage, pod) == "pod-rollout-in-progress"


async def test_a_failed_rollout_is_not_a_finished_one(stage):
    pod = stage.deploy()
    failed = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    stage.api.edit(next(stage.api.store.of("Deployment")), status={"conditions": failed})
    assert await refusal(stage, pod) == "pod-rollout-in-progress"


async def test_the_last_ready_replicas_are_not_put_at_risk(stage):
    pod = stage.deploy(replicas=1, min_available=None)
    assert await refusal(stage, pod) == "pod-too-few-ready"


async def test_an_exhausted_budget_is_refused_before_anything_is_sent(stage):
    pod = stage.deploy(min_available=2)
    assert await refusal(stage, pod) == "pod-disruption-budget"


async def test_a_process_without_write_credentials_does_nothing(stage):
    bench = replace(stage.bench, hands=Hands())
    with pytest.raises(Refused) as refused:
        await stage.action.precondition(target(stage.deploy()), bench)
    assert refused.value.rule == "pod-no-access"


async def test_a_pod_that_recovered_meanwhile_is_left_alone(stage):
    pod = stage.deploy()
    intent = await stage.intent(pod)
    stage.on_step["dry_run"] = lambda: stage.api.set_pod(pod, PodScript())
    with pytest.raises(Refused) as refused:
        await stage.action.effect(intent, stage.bench)
    assert refused.value.rule == "pod-healthy"
    assert stage.api.evictions == []


async def test_a_version_that_moved_since_the_plan_is_looked_at_again_not_refused(stage):
    pod = stage.deploy()
    intent = await stage.intent(pod)
    stage.api.edit(pod)
    assert (await stage.action.effect(intent, stage.bench)).state is IntentState.DONE


async def test_a_pod_that_changes_between_the_last_look_and_the_eviction_is_refused_by_the_server(stage):
    pod = stage.deploy()
    intent = await stage.intent(pod)
    stage.on_step["evict"] = lambda: stage.api.edit(pod)
    with pytest.raises(Refused) as refused:
        await stage.action.effect(intent, stage.bench)
    assert refused.value.rule == "k8s-precondition-conflict"
    assert stage.api.evictions == []


async def test_a_halt_after_the_dry_run_stops_before_the_eviction(stage):
    intent = await stage.intent(stage.deploy())
    stage.refusals.append(Refused("halted", "the kill switch is engaged"))
    with pytest.raises(Refused, match="halted"):
        await stage.action.effect(intent, stage.bench)
    assert "evict" not in stage.steps
    assert stage.api.evictions == []


async def test_a_halt_while_the_ledger_was_written_still_stops_the_eviction(stage):
    intent = await stage.intent(stage.deploy())
    stage.on_step["evict"] = lambda: stage.refusals.append(Refused("halted", "the kill switch is engaged"))
    with pytest.raises(Refused, match="halted"):
        await stage.action.effect(intent, stage.bench)
    assert stage.api.evictions == []


async def test_logs_that_cannot_be_saved_stop_the_restart(stage):
    intent = await stage.intent(stage.deploy())
    stage.api.grant("hands", WRITE_PODS - {("get", "pods/log")})
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is IntentState.NOT_DONE
    assert "pods/log" in outcome.result
    assert stage.api.evictions == []


async def test_a_missing_right_to_evict_is_named_and_nothing_is_changed(stage):
    intent = await stage.intent(stage.deploy())
    stage.api.grant("hands", WRITE_PODS - {("create", "pods/eviction")})
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is IntentState.NOT_DONE
    assert "create pods/eviction in namespace voice" in outcome.result


async def test_being_throttled_at_the_eviction_is_not_done(stage):
    intent = await stage.intent(stage.deploy())
    stage.api.fail(Fault(FaultKind.TOO_MANY_REQUESTS, "eviction", dry_run=False))
    assert (await stage.action.effect(intent, stage.bench)).state is IntentState.NOT_DONE
    assert stage.api.evictions == []


async def test_a_replacement_that_crashes_as_well_is_a_failure_not_a_success(stage):
    intent = await stage.intent(stage.deploy(replacement=CRASHING))
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is IntentState.FAILED
    assert "no replacement was ready within 180 s" in outcome.result
    assert len(stage.api.evictions) == 1


async def test_a_pod_that_will_not_end_is_a_failure(stage):
    intent = await stage.intent(stage.deploy(terminate_after_s=100_000))
    outcome = await stage.action.effect(intent, stage.bench)
    assert outcome.state is IntentState.FAILED
    assert "still there 90 s" in outcome.result
