"""The stand-in's rollout controller, and the writes that start it, driven by the real adapters."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sre_agent.adapters.kubernetes import KubernetesDeploymentHands, KubernetesNodeHands
from sre_agent.execution.hands import DeploymentRef, NodeRef
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused
from sre_agent.testing.kubernetes.objects import IMAGE
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState, Workload

pytestmark = pytest.mark.slow
START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
RIGHTS = {("patch", "deployments"), ("patch", "deployments/scale"), ("patch", "nodes")}
BAD = IMAGE.replace("1f", "2e")


@pytest.fixture
def api(tmp_path):
    with KubernetesApi(START) as server:
        server.node("node-1")
        server.grant("hands", RIGHTS)
        yield server


@pytest.fixture
def hands(api, tmp_path):
    made = KubernetesDeploymentHands(api.kubeconfig(tmp_path / "write", "hands"), connect_s=1.0, answer_s=1.0)
    yield made
    made.close()


@pytest.fixture
def nodes(api, tmp_path):
    made = KubernetesNodeHands(api.kubeconfig(tmp_path / "write", "hands"), connect_s=1.0, answer_s=1.0)
    yield made
    made.close()


def rolled(api, **changes):
    api.deploy(replace(Workload("api", "voice", replicas=4, followed=True), **changes))
    return next(api.store.of("Deployment"))


def ref(deployment, **changed) -> DeploymentRef:
    meta = deployment["metadata"]
    fields = {"namespace": "voice", "name": "api", "uid": meta["uid"], "resource_version": meta["resourceVersion"]}
    return DeploymentRef(**{**fields, **changed})


def pods(api) -> list[str]:
    return [p["metadata"]["uid"] for p in api.store.of("Pod") if "deletionTimestamp" not in p["metadata"]]


async def test_a_restart_replaces_every_pod_and_never_falls_below_the_floor(api, hands):
    deployment = rolled(api)
    before = set(pods(api))
    dry = await hands.annotate_template(ref(deployment), {"a": "1"}, dry_run=True)
    assert (dry.generation, deployment["metadata"]["generation"], set(pods(api))) == (2, 1, before)
    real = await hands.annotate_template(ref(deployment), {"a": "1"}, dry_run=False)
    assert real.generation == deployment["metadata"]["generation"] == 2
    least = 4
    for _ in range(40):
        api.advance(1)
        least = min(least, deployment["status"]["readyReplicas"])
    status = deployment["status"]
    assert (status["readyReplicas"], status["updatedReplicas"], status["replicas"]) == (4, 4, 4)
    assert least == 3
    assert before.isdisjoint(pods(api))
    assert status["conditions"][-1]["reason"] == "NewReplicaSetAvailable"


async def test_a_template_that_never_gets_ready_stops_and_misses_its_deadline_then_rolls_back_to_the_old_set(api, hands):
    deployment = rolled(api, by_image={BAD: PodScript(PodState.CRASH_LOOP)})
    (old,) = list(api.store.of("ReplicaSet"))
    good = {"metadata": {"labels": {"app": "api"}}, "spec": deployment["spec"]["template"]["spec"]}
    bad = {"metadata": {"labels": {"app": "api"}}, "spec": {**good["spec"], "containers": [{"name": "app", "image": BAD}]}}
    await hands.replace_template(ref(deployment), bad, {"team/note": "x"}, dry_run=False)
    for _ in range(10):
        api.advance(1)
    assert deployment["status"]["readyReplicas"] == 3
    api.advance(700)
    assert deployment["status"]["conditions"][-1]["reason"] == "ProgressDeadlineExceeded"
    await hands.replace_template(ref(deployment), good, {}, dry_run=False)
    for _ in range(20):
        api.advance(1)
    assert deployment["status"]["conditions"][-1]["reason"] == "NewReplicaSetAvailable"
    assert [s for s in api.store.of("ReplicaSet") if s["spec"]["replicas"]] == [old]
    assert old["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert deployment["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "3", "team/note": "x"}


async def test_scaling_goes_through_its_own_right_and_adds_pods(api, hands):
    deployment = rolled(api)
    api.grant("hands", {("patch", "deployments/scale")})
    await hands.scale(ref(deployment), 6, dry_run=True)
    assert deployment["spec"]["replicas"] == 4
    await hands.scale(ref(deployment), 6, dry_run=False)
    for _ in range(6):
        api.advance(1)
    assert (deployment["status"]["readyReplicas"], len(pods(api))) == (6, 6)
    with pytest.raises(Permanent, match=r"patch deployments\.apps in namespace voice"):
        await hands.annotate_template(ref(deployment), {"a": "1"}, dry_run=True)


@pytest.mark.parametrize("changed", [{"resource_version": "1"}, {"uid": "other"}, {"uid": ""}, {"name": "gone"}])
async def test_a_deployment_that_changed_or_is_not_the_one_is_refused(api, hands, changed):
    deployment = rolled(api)
    before = deployment["metadata"]["resourceVersion"]
    for write in (
        hands.annotate_template(ref(deployment, **changed), {"a": "1"}, dry_run=False),
        hands.scale(ref(deployment, **changed), 9, dry_run=False),
        hands.replace_template(ref(deployment, **changed), {}, {}, dry_run=False),
    ):
        with pytest.raises(Refused):
            await write
    assert deployment["metadata"]["resourceVersion"] == before


async def test_a_lost_answer_is_an_unknown_outcome_and_sent_once(api, hands):
    deployment = rolled(api)
    api.fail(Fault(FaultKind.DROP_AFTER, "PATCH", times=5, dry_run=False))
    with pytest.raises(OutcomeUnknown, match="restart deployment voice/api"):
        await hands.annotate_template(ref(deployment), {"a": "1"}, dry_run=False)
    assert sum(r.method == "PATCH" for r in api.requests) == 1


async def test_a_page_that_no_api_server_wrote_is_no_success(api, hands):
    deployment = rolled(api)
    api.fail(Fault(FaultKind.HTML, "PATCH", times=5))
    with pytest.raises(Permanent):
        await hands.scale(ref(deployment), 5, dry_run=True)


async def test_a_cordon_is_ours_until_a_person_cordons_again(api, nodes):
    node = next(api.store.of("Node"))

    def named() -> NodeRef:
        return NodeRef("node-1", node["metadata"]["uid"], node["metadata"]["resourceVersion"])

    def owners() -> list[str]:
        return [m["manager"] for m in node["metadata"]["managedFields"] if "f:unschedulable" in m["fieldsV1"].get("f:spec", {})]

    await nodes.set_unschedulable(named(), True, {"sre-agent/intent": "k"}, dry_run=True)
    assert "unschedulable" not in node["spec"]
    await nodes.set_unschedulable(named(), True, {"sre-agent/intent": "k"}, dry_run=False)
    assert (node["spec"]["unschedulable"], owners()) == (True, ["sre-agent"])
    stale = NodeRef("node-1", node["metadata"]["uid"], "1")
    with pytest.raises(Refused, match="changed since"):
        await nodes.set_unschedulable(stale, False, {}, dry_run=False)
    await nodes.set_unschedulable(named(), False, {"sre-agent/intent": None}, dry_run=False)
    assert ("unschedulable" in node["spec"], owners()) == (False, [])
    assert "sre-agent/intent" not in node["metadata"]["annotations"]
