"""cordon_node and uncordon_node against the stand-in API server: a sick node takes no new pods, and only our cordon is undone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from kubernetes import client
from kubernetes.config import load_kube_config

from sre_agent.actions.cordon_node import CordonNode
from sre_agent.actions.uncordon_node import UncordonNode
from sre_agent.adapters.kubernetes.connection import FIELD_MANAGER
from sre_agent.evidence.kubernetes.kept import OUR_HAND, cordoned_by
from sre_agent.execution.hands import Hands
from sre_agent.incident.errors import Refused
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.kubernetes.access import EVERYTHING
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState, Workload
from sre_agent.verification.workloads import node_ok
from tests.actions.workload_stage import DONE, FAILED, KEY, NOT_DONE, START, UNKNOWN, Stage, target

pytestmark = pytest.mark.slow
CRASHING = PodScript(PodState.CRASH_LOOP)
SICK = "worker-2"
WORKERS = ("worker-1", SICK, "worker-3")


@pytest.fixture
def api():
    with KubernetesApi(START) as server:
        for name in WORKERS:
            server.node(name)
        yield server


@pytest.fixture
def stage(api, tmp_path):
    made = Stage(api, tmp_path, CordonNode(clock=api.clock))
    yield made
    made.close()


@pytest.fixture
def back(api, tmp_path):
    """The stage of the way back."""
    folder = tmp_path / "back"
    folder.mkdir()
    made = Stage(api, folder, UncordonNode(clock=api.clock))
    yield made
    made.close()


def node(api, name: str = SICK) -> dict:
    return api.store.find("Node", "", name)


def fail_there(api, *, each: int = 2, owners: int = 2) -> None:
    """`owners` Deployments of three, one pod a node; their first `each` pods on the sick node crash."""
    for i in range(owners):
        states = tuple(CRASHING if n < each else PodScript(restarts=0) for n in range(4))
        nodes = (*(SICK for _ in range(each)), "worker-1", "worker-3", "worker-1")
        api.deploy(Workload(f"api-{i}", "voice", replicas=4, states=states, nodes=nodes))


async def judge(stage, action: str = "cordon_node"):
    proposal = Proposal(incident_id="Q1", runbook="r", action=action, target=target(node(stage.api)))
    return node_ok(await stage.cluster.objects("Node", None), await stage.cluster.objects("Pod", None), proposal)


async def test_a_node_where_pods_of_several_owners_fail_is_cordoned_and_marked(stage):
    fail_there(stage.api)
    assert (await judge(stage))[0] is False
    outcome = await stage.action.effect(await stage.intent(node(stage.api)), stage.bench)
    assert outcome.state is DONE
    assert (stage.steps, stage.writes(dry=True), stage.writes()) == (["dry_run", "cordon"], 1, 1)
    assert node(stage.api)["spec"]["unschedulable"] is True
    assert node(stage.api)["metadata"]["annotations"]["sre-agent/intent"] == KEY
    assert await judge(stage) == (True, "the node takes no new pods; 0 pods wait for room")
    waiting = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}
    spec = {"containers": [{"name": "app", "image": "x"}]}
    stage.api.add({"kind": "Pod", "metadata": {"name": "w", "namespace": "shop"}, "spec": spec, "status": waiting})
    assert await judge(stage) == (False, "the node takes no new pods; 1 pods wait for room")


@pytest.mark.parametrize(
    ("rule", "failing"),
    [
        ("node-nothing-wrong-here", {"owners": 0}),
        ("node-nothing-wrong-here", {"owners": 1, "each": 3}),
        ("node-nothing-wrong-here", {"owners": 2, "each": 1}),
        ("allowed", {"owners": 3, "each": 1}),
    ],
)
async def test_too_few_pods_or_owners_prove_nothing(stage, rule, failing):
    fail_there(stage.api, **failing)
    assert await stage.refusal(node(stage.api)) == rule


async def test_under_pressure_one_pod_of_each_of_two_owners_is_enough(stage):
    stage.api.node(SICK, pressure="DiskPressure")
    fail_there(stage.api, each=1)
    assert await stage.refusal(node(stage.api)) == "allowed"


async def test_pods_that_fail_elsewhere_too_or_for_their_own_configuration_do_not_count(stage):
    fail_there(stage.api)
    sick = [p for p in stage.api.store.of("Pod") if p["spec"]["nodeName"] == SICK]
    elsewhere = next(p for p in stage.api.store.of("Pod") if p["spec"]["nodeName"] == "worker-3")
    stage.api.set_pod(elsewhere, CRASHING)
    assert await stage.refusal(node(stage.api)) == "node-nothing-wrong-here"
    stage.api.set_pod(elsewhere, PodScript())
    assert await stage.refusal(node(stage.api)) == "allowed"
    for pod in sick[:2]:
        stage.api.set_pod(pod, PodScript(PodState.BAD_CONFIG))
    assert await stage.refusal(node(stage.api)) == "node-nothing-wrong-here"


async def test_what_is_about_the_node_itself_is_refused(stage):
    fail_there(stage.api)
    sick = node(stage.api)
    for changes in ({"uid": "other"}, {"uid": None}, {"name": "worker-1"}):
        assert await stage.refusal(sick, **changes) == "node-gone"
    sick["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    assert await stage.refusal(sick) == "node-control-plane"
    del sick["metadata"]["labels"]["node-role.kubernetes.io/control-plane"]
    sick["spec"] = {"unschedulable": True}
    assert await stage.refusal(sick) == "node-already-cordoned"
    assert await stage.refusal(stage.api.node(SICK, ready=False)) == "node-not-ready"


async def test_what_is_about_the_other_nodes_is_refused(stage):
    fail_there(stage.api)
    stage.api.node("worker-3", pressure="MemoryPressure")
    assert await stage.refusal(node(stage.api)) == "node-trouble-elsewhere"
    stage.api.node("worker-3")["spec"] = {"unschedulable": True}
    assert await stage.refusal(node(stage.api)) == "node-too-many-cordoned"
    stage.api.node("worker-3")
    for name, zone in zip(WORKERS, ("a", "b", "a"), strict=True):
        node(stage.api, name)["metadata"]["labels"]["topology.kubernetes.io/zone"] = zone
    assert await stage.refusal(node(stage.api)) == "node-last-node-of-pool"


async def test_no_room_elsewhere_is_refused(stage):
    fail_there(stage.api)
    for name in ("worker-1", "worker-3"):
        node(stage.api, name)["status"]["allocatable"]["pods"] = "5"
    assert await stage.refusal(node(stage.api)) == "allowed"
    node(stage.api, "worker-3")["status"]["allocatable"]["pods"] = "4"
    assert await stage.refusal(node(stage.api)) == "node-no-room-elsewhere"
    waiting = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}
    spec = {"containers": [{"name": "app", "image": "x"}]}
    stage.api.add({"kind": "Pod", "metadata": {"name": "w", "namespace": "shop"}, "spec": spec, "status": waiting})
    assert await stage.refusal(node(stage.api)) == "node-pods-waiting-for-room"


async def test_a_process_without_write_credentials_does_nothing(stage):
    fail_there(stage.api)
    with pytest.raises(Refused) as refused:
        await stage.action.precondition(target(node(stage.api)), replace(stage.bench, hands=Hands()))
    assert refused.value.rule == "node-no-access"


async def test_a_crash_a_lost_request_and_a_lost_answer(stage):
    fail_there(stage.api)
    intent = await stage.intent(node(stage.api))
    assert (await stage.action.recover(intent, stage.bench)).state is NOT_DONE
    stage.api.fail(Fault(FaultKind.DROP_BEFORE, "PATCH", dry_run=False))
    assert (await stage.run(intent)).state is NOT_DONE
    assert "unschedulable" not in node(stage.api)["spec"]
    stage.api.faults.clear()
    stage.api.fail(Fault(FaultKind.DROP_AFTER, "PATCH", dry_run=False))
    assert (await stage.run(intent)).state is DONE
    assert stage.writes() == 2  # one a run: never a second for the same


async def test_a_halt_and_a_change_in_between_stop_it(stage):
    fail_there(stage.api)
    intent = await stage.intent(node(stage.api))
    stage.on_step["cordon"] = lambda: stage.refusals.append(Refused("halted", "the kill switch is engaged"))
    with pytest.raises(Refused, match="halted"):
        await stage.action.effect(intent, stage.bench)
    stage.on_step["cordon"] = lambda: stage.api.edit(node(stage.api))
    with pytest.raises(Refused) as refused:
        await stage.action.effect(intent, stage.bench)
    assert refused.value.rule == "k8s-precondition-conflict"
    assert "unschedulable" not in node(stage.api)["spec"]


async def test_a_cordon_by_somebody_else_meanwhile_is_not_taken_for_ours(stage):
    fail_there(stage.api)
    sick = node(stage.api)
    sent = {"resource_version": sick["metadata"]["resourceVersion"]}
    left = (await stage.intent(sick)).model_copy(update={"steps": ("dry_run", "cordon"), "scratch": sent})
    stage.api.edit(sick, spec={"unschedulable": True})
    assert (await stage.action.recover(left, stage.bench)).state is NOT_DONE


async def cordon(stage, back) -> dict:
    """Cordon the node with our own hands; then it gets well and eleven minutes pass."""
    fail_there(stage.api)
    assert (await stage.action.effect(await stage.intent(node(stage.api)), stage.bench)).state is DONE
    for pod in list(stage.api.store.of("Pod")):
        stage.api.set_pod(pod, PodScript(restarts=0))
    stage.api.requests.clear()
    stage.api.advance(660)
    return node(stage.api)


async def test_our_own_cordon_is_taken_back_once_the_node_is_well(stage, back):
    sick = await cordon(stage, back)
    assert (await judge(back, "uncordon_node"))[0] is False
    outcome = await back.action.effect(await back.intent(sick), back.bench)
    assert outcome.state is DONE
    assert (back.steps, "unschedulable" in sick["spec"]) == (["dry_run", "uncordon"], False)
    assert "sre-agent/intent" not in sick["metadata"]["annotations"]
    assert (await judge(back, "uncordon_node"))[0] is True


def by_hand(api, folder, body: dict, manager: str) -> None:
    """A person patches the node with kubectl, as its field manager says."""
    api.grant("person", EVERYTHING)
    configuration = client.Configuration()
    load_kube_config(str(api.kubeconfig(folder / "person", "person")), client_configuration=configuration, persist_config=False)
    with client.ApiClient(configuration) as connected:
        patch = client.CoreV1Api(connected).patch_node
        patch(SICK, body, field_manager=manager, _content_type="application/merge-patch+json")


async def test_a_cordon_that_a_person_made_again_is_never_touched(api, stage, back, tmp_path):
    sick = await cordon(stage, back)
    assert cordoned_by(sick) == {OUR_HAND} == {FIELD_MANAGER}
    by_hand(api, tmp_path, {"spec": {"unschedulable": None}}, "kubectl-uncordon")
    by_hand(api, tmp_path, {"spec": {"unschedulable": True}}, "kubectl-cordon")
    assert sick["metadata"]["annotations"]["sre-agent/intent"] == KEY
    api.requests.clear()
    assert await back.refusal(sick) == "node-not-our-cordon"


@pytest.mark.parametrize("what", ["a person's", "not cordoned", "pressure", "failing pods", "well for 5 minutes"])
async def test_what_is_not_ours_or_not_well_stays_as_it_is(api, stage, back, what):
    sick = await cordon(stage, back)
    rule = "node-still-in-trouble"
    match what:
        case "a person's":
            del sick["metadata"]["annotations"]["sre-agent/intent"]
            rule = "node-not-our-cordon"
        case "not cordoned":
            sick["spec"] = {}
            rule = "node-not-cordoned"
        case "pressure":
            next(c for c in sick["status"]["conditions"] if c["type"] == "DiskPressure")["status"] = "True"
        case "failing pods":
            api.set_pod(next(p for p in api.store.of("Pod") if p["spec"]["nodeName"] == SICK), CRASHING)
        case _:
            changed = (api.clock.now() - timedelta(minutes=5)).isoformat()
            next(c for c in sick["status"]["conditions"] if c["type"] == "Ready")["lastTransitionTime"] = changed
    assert await back.refusal(sick) == rule


async def test_a_lost_answer_of_the_way_back_is_observed(stage, back):
    sick = await cordon(stage, back)
    intent = await back.intent(sick)
    back.api.fail(Fault(FaultKind.DROP_AFTER, "PATCH", dry_run=False))
    assert (await back.run(intent)).state is DONE
    assert back.writes() == 1


async def test_a_node_that_vanished_leaves_the_outcome_unknown_and_a_revert_is_a_failure(stage):
    fail_there(stage.api)
    sick = node(stage.api)
    intent = await stage.intent(sick)
    sent = {"resource_version": sick["metadata"]["resourceVersion"]}
    left = intent.model_copy(update={"steps": ("dry_run", "cordon"), "scratch": sent})
    stage.api.store.remove(sick)
    assert (await stage.action.recover(left, stage.bench)).state is UNKNOWN
    stage.api.store._objects["Node", "", SICK] = sick
    real, lists = stage.cluster.objects, []

    async def revert(kind, namespace):
        lists.append(kind)
        if stage.writes() and kind == "Node":
            stage.api.edit(sick, spec={"unschedulable": False})
        return await real(kind, namespace)

    stage.cluster.objects = revert
    assert (await stage.action.effect(intent, stage.bench)).state is FAILED
