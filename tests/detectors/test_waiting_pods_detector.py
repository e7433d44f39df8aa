"""Pods that no node takes: the decisive reason of several, what they ask for, and pods that only just wait."""

import pytest

from sre_agent.detectors.kubernetes import waiting_pods
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from tests.detectors.workload_cases import condition, container, event, node, pod, running, seen

NAME = "api-6d4f-x1"
PREEMPTION = " preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod."


def unplaced(message: str, reason: str = "Unschedulable", age: float = 30, **spec) -> dict:
    told = [condition("PodScheduled", "False", reason=reason, message=message)]
    return pod(NAME, phase="Pending", conditions=told, age=age, spec={"nodeName": "", **spec})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("0/5 nodes are available: 3 Insufficient cpu, 2 node(s) had untolerated taint {dedicated: gpu}.", R.CPU_SHORT),
        ("0/5 nodes are available: 1 Insufficient memory, 4 node(s) didn't match Pod's node affinity/selector.", R.MEMORY_SHORT),
        (
            "0/4 nodes are available: 1 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate, "
            "3 node(s) didn't match node selector.",
            R.NODE_SELECTOR,
        ),
        (
            "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
            "2 node(s) had untolerated taint {maintenance: true}.",
            R.TAINT,
        ),
        ("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.", R.NODES_CORDONED),
        ("0/2 nodes are available: 2 Too many pods.", R.PODS_FULL),
        ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", R.EXTENDED_RESOURCE_SHORT),
        ("0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.", R.HOST_PORT),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", R.VOLUME_ZONE),
        ("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", R.AFFINITY),
        ("0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints.", R.AFFINITY),
        ("0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.", R.NO_MATCHING_VOLUME),
        ("0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.", R.CLAIM_WAITS),
        ('0/2 nodes are available: persistentvolumeclaim "data" not found.', R.CLAIM_MISSING),
        ("no nodes available to schedule pods", R.NO_NODES),
        ("the scheduler says something new", None),
    ],
)
def test_the_decisive_reason_is_found_among_several(message, reason):
    (finding,) = waiting_pods.detect(seen(unplaced(message + PREEMPTION)))
    assert (finding.kind, finding.object, finding.reason) == (K.POD_UNSCHEDULABLE, f"pod/{NAME}", reason)
    assert message[:80] in finding.cause
    assert "victims" not in finding.cause


def test_what_a_pod_asks_for_is_held_against_the_largest_node():
    wants = {
        "containers": [container(resources={"requests": {"cpu": "6500m"}}), container("b", resources={"requests": {"cpu": 1}})]
    }
    short = unplaced("0/2 nodes are available: 2 Insufficient cpu.", **wants)
    nodes = (node(cpu="4"), node("node-2", cpu="8"))
    (finding,) = waiting_pods.detect(seen(short, *nodes))
    assert "it asks for 7.5 cpu, the largest node has 8: it would fit an empty node" in finding.cause
    (partly,) = waiting_pods.detect(seen(short, nodes[0]))
    assert "largest" not in partly.cause


def test_a_selector_that_no_node_answers_is_told_with_what_the_nodes_have():
    wants = {"nodeSelector": {"disk": "ssd", "gpu": "yes"}}
    picky = unplaced("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", **wants)
    (finding,) = waiting_pods.detect(seen(picky, node(labels={"disk": "hdd"})))
    assert "its nodeSelector wants disk=ssd, gpu=yes; the nodes have disk=hdd; no node has a label gpu" in finding.cause


def test_a_node_affinity_is_not_a_node_selector():
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["mars"]}]}]
    wants = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}
    (finding,) = waiting_pods.detect(
        seen(unplaced("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", **wants))
    )
    assert finding.reason is R.AFFINITY
    assert "zone In mars" in finding.cause


def test_a_gated_pod_is_held_back_by_somebody():
    gated = unplaced("", "SchedulingGated", schedulingGates=[{"name": "example.com/quota"}])
    (finding,) = waiting_pods.detect(seen(gated))
    assert finding.reason is R.GATED
    assert "example.com/quota" in finding.cause


def test_a_pod_that_waits_for_its_claim_is_weaker_than_one_that_waits_for_room():
    (claim,) = waiting_pods.detect(seen(unplaced("pod has unbound immediate PersistentVolumeClaims.")))
    (room,) = waiting_pods.detect(seen(unplaced("0/1 nodes are available: 1 Insufficient cpu.")))
    assert claim.strength < room.strength


def silent(age: float = 10, **spec) -> dict:
    made = pod(NAME, phase="Pending", conditions=[condition("X", "True")], age=age, spec=spec)
    made["status"].pop("startTime")
    return made


def test_a_pod_bound_to_a_node_that_does_not_exist_is_found_when_nodes_were_read():
    lost = silent(nodeName="node-9")
    (finding,) = waiting_pods.detect(seen(lost, node(), node("node-2")))
    assert "bound to node node-9, which does not exist (nodes read: node-1, node-2)" in finding.cause
    assert waiting_pods.detect(seen(lost)) == ()
    assert waiting_pods.detect(seen(silent(age=1, nodeName="node-9"), node())) == ()
    assert waiting_pods.detect(seen(silent(nodeName="node-1"), node())) == ()


def test_a_pod_of_a_scheduler_that_says_nothing_is_found_after_a_while():
    assert "the scheduler gang" in waiting_pods.detect(seen(silent(nodeName="", schedulerName="gang")))[0].cause
    assert waiting_pods.detect(seen(silent(1, nodeName="", schedulerName="gang"))) == ()
    assert waiting_pods.detect(seen(silent(nodeName="", schedulerName="default-scheduler"))) == ()


def test_a_pod_that_found_its_node_is_left_alone():
    placed = pod(NAME, running())
    assert (
        waiting_pods.detect(seen(placed, event(placed, "FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu."))) == ()
    )
