"""The guard's facts about a Deployment, from a live (stand-in) cluster: right when clear, restrictive when not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sre_agent.facts.kubernetes_deployment import KubernetesDeploymentFacts
from sre_agent.policy.facts import Facts, TargetDeclaration
from sre_agent.sources.kubernetes import KubernetesCluster
from sre_agent.testing.kubernetes_api import KubernetesApi, PodScript, PodState, Workload
from tests.actions.test_rollback_deployment import BAD, change
from tests.actions.workload_stage import target
from tests.facts.test_kubernetes_target import START, context

pytestmark = pytest.mark.slow
UNREADY = PodScript(PodState.NOT_READY)


@pytest.fixture
def api():
    with KubernetesApi(START) as server:
        server.node("node-1")
        yield server


@pytest.fixture
def facts(api, tmp_path):
    cluster = KubernetesCluster(api.kubeconfig(tmp_path / "read"))

    async def collect(action="rollout_restart", declared=None, **changes) -> dict:
        asked = context(target(next(api.store.of("Deployment")), **changes))
        proposal = asked.proposal.model_copy(update={"action": action})
        asked = asked.model_copy(update={"proposal": proposal, "declaration": declared or TargetDeclaration()})
        return await KubernetesDeploymentFacts(cluster).collect(asked)

    yield collect
    cluster.close()


def deploy(api, **changes):
    fields = {"replicas": 5, "states": (UNREADY,), "followed": True, "age": timedelta(hours=2), **changes}
    api.deploy(replace(Workload("api", "voice"), **fields))


async def test_a_degraded_deployment_of_a_pinned_image_can_be_restarted(api, facts):
    deploy(api)
    assert await facts() == {
        "target_resolved": True,
        "unmet": (),
        "touches_behaviour": False,
        "rollout_in_progress": False,
        "replicas_ready": 4,
        "replicas_desired": 5,
        "pods_touched": 5,
        "pods_touched_pct": 100,
    }


async def test_every_condition_that_does_not_hold_is_named_at_once(api, facts):
    deploy(api, replicas=1, container={"readinessProbe": None}, states=())
    got = await facts()
    assert got["unmet"] == ("too-few-replicas", "no-readiness-probe", "nothing-unhealthy")


async def test_prompts_in_the_image_or_an_image_that_may_move_touch_behaviour(api, facts):
    deploy(api)
    assert (await facts(declared=TargetDeclaration(has_prompts=True)))["touches_behaviour"] is True
    next(api.store.of("Deployment"))["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/app:1"
    assert (await facts())["touches_behaviour"] is True


async def test_a_deployment_that_is_not_the_named_one_is_not_resolved(api, facts):
    deploy(api)
    for changes in ({"uid": "other"}, {"uid": None}, {"name": "other"}, {"namespace": None}):
        assert await facts(**changes) == {"target_resolved": False}


async def test_an_action_nobody_here_knows_is_never_met(api, facts):
    deploy(api)
    got = await facts(action="restart_pod")
    assert (got["unmet"], got["touches_behaviour"]) == (("action-unknown",), True)


async def test_the_names_are_those_of_the_facts_and_other_kinds_are_left_to_others(api, facts):
    deploy(api)
    assert set(await facts()) <= set(Facts.model_fields)
    assert await facts(kind="Pod") == {}


async def test_a_busy_deployment_with_a_ceiling_and_room_can_be_scaled(api, facts):
    deploy(api, states=(), annotations={"sre-agent/max-replicas": "7"})
    got = await facts(action="scale_up")
    assert (got["unmet"], got["touches_behaviour"], got["rollout_in_progress"]) == ((), False, False)
    assert (got["pods_touched"], got["pods_touched_pct"], got["replicas_ready"]) == (2, 40, 5)


async def test_a_new_revision_that_crashes_can_be_rolled_back_unless_prompts_are_in_its_image(tmp_path):
    with KubernetesApi(START - timedelta(minutes=10)) as api:
        api.node("node-1")
        deploy(api, states=(), by_image={BAD: PodScript(PodState.CRASH_LOOP)})
        deployment = next(api.store.of("Deployment"))
        change(api, deployment, image=BAD)
        for _ in range(60):
            api.advance(10)
        cluster = KubernetesCluster(api.kubeconfig(tmp_path / "read"))
        asked = context(target(deployment))
        proposal = asked.proposal.model_copy(update={"action": "rollback_deployment"})
        asked = asked.model_copy(update={"proposal": proposal})
        got = await KubernetesDeploymentFacts(cluster).collect(asked)
        assert (got["unmet"], got["touches_behaviour"], got["rollout_in_progress"]) == ((), False, True)
        declared = asked.model_copy(update={"declaration": TargetDeclaration(has_prompts=True)})
        assert (await KubernetesDeploymentFacts(cluster).collect(declared))["touches_behaviour"] is True
        early = asked.incident.model_copy(update={"created_at": START - timedelta(minutes=11)})
        before = await KubernetesDeploymentFacts(cluster).collect(asked.model_copy(update={"incident": early}))
        assert before["unmet"] == ("changed-too-long-ago",)
        cluster.close()
