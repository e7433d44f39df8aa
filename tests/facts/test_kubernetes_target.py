"""The guard's facts about a pod, from a live (stand-in) cluster: right when clear, restrictive when not."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.kubernetes.pod_surroundings import NAMESPACED_KINDS, surroundings
from sre_agent.evidence.kubernetes.state import JsonObject
from sre_agent.facts.kubernetes_target import KubernetesTargetFacts
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Permanent
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.facts import FactContext, Facts, TargetDeclaration
from sre_agent.runbook.proposal import Proposal
from sre_agent.sources.kubernetes import KubernetesCluster
from sre_agent.testing.kubernetes_api import KubernetesApi, PodScript, PodState, Workload
from sre_agent.triage.triage import Triage

pytestmark = pytest.mark.slow
START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
CRASHING = PodScript(PodState.CRASH_LOOP)


@pytest.fixture
def api():
    with KubernetesApi(START) as server:
        server.node("node-1")
        yield server


@pytest.fixture
def facts(api, tmp_path):
    cluster = KubernetesCluster(api.kubeconfig(tmp_path / "read"))

    async def collect(pod, **changes) -> dict:
        meta = pod["metadata"]
        named = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"], **changes}
        return await KubernetesTargetFacts(cluster).collect(context(Target(**named)))

    yield collect
    cluster.close()


def context(target: Target) -> FactContext:
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=START, service=Reference(id="P1"))
    return FactContext(
        incident=incident,
        triage=Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform"),
        diagnosis=Diagnosis(),
        proposal=Proposal(incident_id="Q1", runbook="restart-pod", action="restart_pod", target=target),
        declaration=TargetDeclaration(),
        human_acknowledged=False,
        now=START,
    )


async def test_a_crash_looping_replica_among_healthy_ones_can_be_restarted(api, facts):
    pod = api.deploy(Workload("api", "voice", replicas=4, states=(CRASHING,), min_available=2))[0]
    assert await facts(pod) == {
        "target_resolved": True,
        "unmet": (),
        "touches_behaviour": False,
        "pod_controller_owned": True,
        "pod_unhealthy": True,
        "rollout_in_progress": False,
        "restart_can_help": True,
        "node_ready": True,
        "replicas_ready": 3,
        "replicas_desired": 4,
        "pods_touched": 1,
        "pods_touched_pct": 25,
        "pdb_disruptions_allowed": 1,
    }


async def test_the_share_of_pods_touched_is_rounded_up(api, facts):
    pod = api.deploy(Workload("api", "voice", replicas=3))[0]
    assert (await facts(pod))["pods_touched_pct"] == 34


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_other_controllers_count_their_replicas_too(api, facts, kind):
    got = await facts(api.deploy(Workload("api", "voice", kind=kind, states=(CRASHING,)))[0])
    assert (got["replicas_ready"], got["replicas_desired"], got["rollout_in_progress"]) == (2, 3, False)


async def test_every_answer_is_the_restrictive_one_when_the_pod_is_not_there(api, facts):
    pod = api.deploy(Workload("api", "voice", states=(CRASHING,)))[0]
    for changes in ({"uid": "other"}, {"uid": None}, {"name": "other"}, {"namespace": None}):
        got = await facts(pod, **changes)
        assert (got["target_resolved"], got["restart_can_help"], got["rollout_in_progress"]) == (False, False, True)
        assert (got["replicas_ready"], got["pdb_disruptions_allowed"], got["pods_touched_pct"]) == (0, 0, 100)


async def test_the_names_are_those_of_the_facts_and_other_kinds_are_left_to_others(api, facts):
    pod = api.deploy(Workload("api", "voice"))[0]
    assert set(await facts(pod)) <= set(Facts.model_fields)
    assert await facts(pod, kind="RedisMaster") == {}


async def test_a_kind_that_may_not_be_read_is_an_error_not_a_guess(api, facts):
    pod = api.deploy(Workload("api", "voice"))[0]
    api.grant("reader", {("list", "pods")})
    with pytest.raises(Permanent, match="lacks the right to list"):
        await facts(pod)


@pytest.mark.parametrize("state", [PodState.IMAGE_PULL, PodState.BAD_CONFIG, PodState.COMMAND_NOT_FOUND])
async def test_a_restart_is_no_help_against_images_and_configuration(api, facts, state):
    got = await facts(api.deploy(Workload("api", "voice", states=(PodScript(state),)))[0])
    assert (got["pod_unhealthy"], got["restart_can_help"]) == (True, False)


def built() -> tuple[JsonObject, dict[str, list[JsonObject]], list[JsonObject]]:
    """One crash-looping pod of a healthy Deployment of three, as lists; built without a server."""
    api = KubernetesApi(START)
    api.node("node-1")
    pod = api.deploy(Workload("api", "voice", states=(CRASHING,), min_available=1))[0]
    lists = {kind: list(api.store.of(kind)) for kind in NAMESPACED_KINDS}
    return pod, lists, list(api.store.of("Node"))


def test_two_budgets_a_stale_one_or_an_unreadable_one_allow_nothing():
    pod, lists, nodes = built()
    (budget,) = lists["PodDisruptionBudget"]

    def allowed() -> int:
        seen = surroundings(pod["metadata"]["uid"], lists, nodes)
        assert seen is not None
        return seen.disruptions_allowed

    assert allowed() == 1
    lists["PodDisruptionBudget"] = [budget, budget]
    assert allowed() == 0
    lists["PodDisruptionBudget"] = [{**budget, "metadata": {**budget["metadata"], "generation": 9}}]
    assert allowed() == 0
    lists["PodDisruptionBudget"] = [{**budget, "status": {}}]
    assert allowed() == 0
    lists["PodDisruptionBudget"] = []
    assert allowed() == 1


@pytest.mark.parametrize(
    ("selector", "takes_in"),
    [
        ({}, True),
        (None, False),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["api"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Invented"}]}, True),
    ],
)
def test_budgets_apply_by_their_selector_and_doubtful_ones_apply(selector, takes_in):
    pod, lists, nodes = built()
    budget = lists["PodDisruptionBudget"][0]
    lists["PodDisruptionBudget"] = [{**budget, "spec": {"selector": selector}}]
    seen = surroundings(pod["metadata"]["uid"], lists, nodes)
    assert seen is not None
    assert bool(seen.budgets) is takes_in


def test_an_unknown_owner_is_a_rollout_in_progress_and_no_owner():
    pod, lists, nodes = built()
    lists["ReplicaSet"] = []
    seen = surroundings(pod["metadata"]["uid"], lists, nodes)
    assert seen is not None
    assert (seen.controller_owned, seen.rollout_in_progress, seen.desired) == (False, True, 0)


def test_an_old_out_of_memory_kill_of_a_pod_that_runs_again_is_no_trouble():
    pod, lists, nodes = built()
    ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-03-04T01:00:00Z"}
    status = {"name": "app", "ready": True, "restartCount": 4, "state": {"running": {}}, "lastState": {"terminated": ended}}
    pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [status]}
    seen = surroundings(pod["metadata"]["uid"], lists, nodes)
    assert seen is not None
    assert seen.trouble(START) is None
    ended["finishedAt"] = (START - timedelta(minutes=1)).isoformat()
    assert seen.trouble(START) == "oom_killed"
