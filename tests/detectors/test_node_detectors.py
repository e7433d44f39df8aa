"""Nodes: why they are not ready, who cordoned them and what waits for it, full ones, and what node-exporter measures."""

import pytest

from sre_agent.detectors.kubernetes import node_metrics, node_room, nodes
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.series import Series
from tests.detectors.neighbourhood import NOW, ago, only, pod, view


def node(name="n1", *, cordoned_by="", pods="110", **conditions):
    said = {"Ready": ("True", ""), **conditions}
    stated = [{"type": k, "status": s, "message": m, "lastTransitionTime": ago(minutes=9)} for k, (s, m) in said.items()]
    fields = [{"manager": cordoned_by, "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}] if cordoned_by else []
    spec = {"unschedulable": True} if cordoned_by else {}
    status = {"conditions": stated, "allocatable": {"pods": pods}}
    return {"kind": "Node", "metadata": {"name": name, "managedFields": fields}, "spec": spec, "status": status}


def pending(message, n=1):
    told = [{"type": "PodScheduled", "status": "False", "message": message, "lastTransitionTime": ago(minutes=5)}]
    return pod("web", n, status={"phase": "Pending", "conditions": told}, nodeName="")


@pytest.mark.parametrize(
    ("conditions", "kind", "reason", "said"),
    [
        ({"Ready": ("Unknown", "Kubelet stopped posting node status.")}, K.NODE_NOT_READY, R.KUBELET_SILENT, "stopped reporting"),
        (
            {"Ready": ("False", "network plugin: cni uninitialized")},
            K.NODE_NOT_READY,
            R.NETWORK_UNAVAILABLE,
            "cni",
        ),
        (
            {"Ready": ("False", "x"), "NetworkUnavailable": ("True", "NoRouteCreated")},
            K.NODE_NOT_READY,
            R.NETWORK_UNAVAILABLE,
            "pod network",
        ),
        ({"Ready": ("False", "PLEG is not healthy")}, K.NODE_NOT_READY, None, "PLEG is not healthy"),
        ({"MemoryPressure": ("True", "")}, K.NODE_PRESSURE, R.MEMORY_PRESSURE, "MemoryPressure"),
        ({"DiskPressure": ("True", "")}, K.NODE_PRESSURE, R.DISK_PRESSURE, "DiskPressure"),
        ({"PIDPressure": ("True", "")}, K.NODE_PRESSURE, R.PID_PRESSURE, "PIDPressure"),
    ],
)
def test_a_node_in_trouble_says_why(conditions, kind, reason, said):
    found = only(nodes.detect(view(node(**conditions))))
    assert (found.kind, found.reason, found.object) == (kind, reason, "node/n1")
    assert said in found.cause


CORDON = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable."


def test_a_cordon_for_which_pods_wait_is_strong_and_says_whose_hand_it_was():
    found = only(node_room.detect(view(node(cordoned_by="kubectl-cordon"), pending(CORDON))))
    assert (found.kind, found.reason, found.strength) == (K.NODE_CORDONED, R.NODES_CORDONED, 0.8)
    assert "by kubectl-cordon" in found.cause
    assert "1 pods find no other place" in found.cause


def test_a_cordon_alone_or_beside_pods_that_wait_for_something_else_is_context():
    for objects in ((), (pending("0/2 nodes are available: 2 Insufficient cpu."),), (pod("api"),)):
        found = only(node_room.detect(view(node(cordoned_by="kubectl"), *objects)))
        assert found.strength < 0.5
    assert node_room.detect(view(node(cordoned_by="sre-agent"))) == ()


def test_the_scheduler_s_event_counts_where_the_pod_says_nothing():
    waiting = pending("")
    about = {"kind": "Pod", "namespace": "shop", "name": waiting["metadata"]["name"]}
    event = {"kind": "Event", "reason": "FailedScheduling", "message": CORDON, "involvedObject": about}
    assert only(node_room.detect(view(node(cordoned_by="x"), waiting, event))).strength == 0.8


FULL = "0/1 nodes are available: 1 Too many pods."


def test_a_full_node_is_told_only_when_pods_wait_for_a_place():
    found = only(node_room.detect(view(node(pods="2"), pod("a"), pod("b"), pending(FULL))))
    assert (found.kind, found.object, found.reason) == (K.NODE_FULL, "node/n1", R.PODS_FULL)
    assert "allocatable pods: 2" in found.cause
    assert node_room.detect(view(node(pods="2"), pod("a"), pod("b"))) == ()
    assert node_room.detect(view(node(pods="2"), pod("a"), pod("b"), pending("0/1: 1 Insufficient memory"))) == ()


def test_of_several_nodes_only_those_whose_pods_are_counted_full_are_named():
    both = (node("n1", pods="1"), node("n2", pods="10"))
    assert only(node_room.detect(view(*both, pod("a"), pending("0/2: 2 Too many pods")))).object == "node/n1"
    assert node_room.detect(view(*[node(n, pods="10") for n in ("n1", "n2")], pod("a"), pending("2 Too many pods"))) == ()


def series(name, *values, **labels):
    start = NOW.timestamp() - 60 * (len(values) - 1)
    return Series(labels={"__name__": name, **labels}, samples=tuple((start + 60 * i, v) for i, v in enumerate(values)))


def measured(*made):
    return view(series=[s.model_dump(mode="json") for s in made])


def disk(*free, **labels):
    at = {"instance": "n1:9100", "mountpoint": "/", **labels}
    return series("node_filesystem_avail_bytes", *free, **at), series("node_filesystem_size_bytes", 100.0, **at)


def test_a_disk_or_memory_that_is_all_but_used_up_is_pressure():
    found = only(node_metrics.detect(measured(*disk(30.0, 4.0, 3.0, 2.0))))
    assert (found.kind, found.object, found.reason) == (K.NODE_PRESSURE, "node/n1", R.DISK_PRESSURE)
    assert "2.0% of its disk /" in found.cause
    assert found.onset is not None
    memory = [
        series("node_memory_MemAvailable_bytes", 1.0, 1.0, 1.0, node="W1"),
        series("node_memory_MemTotal_bytes", 100.0, node="W1"),
    ]
    assert only(node_metrics.detect(measured(*memory))).reason is R.MEMORY_PRESSURE


@pytest.mark.parametrize(
    "made",
    [
        disk(3.0, 3.0, 40.0),  # it was freed
        disk(3.0, 3.0),  # too few
        disk(3.0, 3.0, 3.0, fstype="tmpfs"),
        disk(3.0, 3.0, float("nan")),
        disk(3.0, 3.0, 3.0)[:1],  # of what?
        (disk(3.0, 3.0, 3.0)[0], series("node_filesystem_size_bytes", 0.0, instance="n1:9100", mountpoint="/")),
    ],
)
def test_space_that_came_back_and_numbers_that_say_nothing_are_left_alone(made):
    assert node_metrics.detect(measured(*made)) == ()
