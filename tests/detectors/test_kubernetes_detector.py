"""Pods and nodes: each finding on what a cluster really shows for it, and silence on what only looks like it."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.kubernetes import nodes, pods
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.testing.kubernetes.objects import PodScript, PodState, Workload, event_object, node_object, pod_object, set_state

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
VOICE = Workload("api", "voice")


def pod(script: PodScript, name: str = "api-1", node: str = "node-1") -> dict:
    made = pod_object(name, VOICE, None, node, NOW - script.age)
    set_state(made, script, NOW)
    return made


def status(item: dict) -> dict:
    return item["status"]["containerStatuses"][0]


def series(name: str, *values: float, **labels: str) -> dict:
    start = NOW.timestamp() - 60 * (len(values) - 1)
    samples = [[start + 60 * i, v] for i, v in enumerate(values)]
    return {"labels": {"__name__": name, "namespace": "voice", "pod": "api-1", **labels}, "samples": samples}


def view(*objects: dict, events: tuple = (), metrics: tuple = (), logs: tuple = (), labels: dict | None = None) -> EvidenceView:
    """e1 objects, e2 events, e3 metrics, e4... logs."""
    alerts = (Alert(labels=labels or {"namespace": "voice"}),)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"), alerts=alerts)
    hour = Window.before(NOW, timedelta(hours=1))
    scope = Scope(incident=incident, now=NOW, onset=NOW - timedelta(minutes=10), window=hour, change_window=hour)
    parts = [(EvidenceKind.KUBERNETES, {"items": list(objects)}), (EvidenceKind.KUBERNETES, {"items": list(events)})]
    parts += [(EvidenceKind.METRICS, list(metrics)), *((EvidenceKind.LOGS, log) for log in logs)]
    evidence = tuple(
        Evidence(id=f"e{i}", source="test", kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)
        for i, (kind, payload) in enumerate(parts, 1)
    )
    return EvidenceView(scope=scope, evidence=evidence)


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (PodState.CRASH_LOOP, FindingKind.POD_CRASH_LOOP, "exit code 1 (an error of the application), restarted 6 times"),
        (PodState.OOM_KILLED, FindingKind.POD_OOM_KILLED, "OOMKilled"),
        (PodState.COMMAND_NOT_FOUND, FindingKind.POD_BAD_CONFIG, "code 127: its command was not found"),
        (PodState.IMAGE_PULL, FindingKind.POD_IMAGE_PULL_FAILED, "ImagePullBackOff"),
        (PodState.BAD_CONFIG, FindingKind.POD_BAD_CONFIG, 'configmap "app-settings" not found'),
        (PodState.NOT_READY, FindingKind.POD_NOT_READY, "fails its readiness check"),
    ],
)
def test_each_trouble_has_its_own_finding_with_its_cause(state, kind, words):
    (found,) = pods.detect(view(pod(PodScript(state))))
    assert (found.kind, found.object, found.namespace) == (kind, "pod/api-1", "voice")
    assert words in found.cause
    assert found.evidence == ("e1",)
    assert found.onset is not None
    assert found.onset <= NOW
    assert found.refuted_by


def test_a_healthy_pod_is_no_finding():
    assert pods.detect(view(pod(PodScript()))) == ()


def test_events_and_metrics_make_it_stronger_and_logs_are_cited_without_weight():
    sick = pod(PodScript(PodState.CRASH_LOOP))
    event = event_object(sick, "BackOff", "Back-off restarting failed container", NOW, count=9, span=timedelta(minutes=20))
    restarts = series("kube_pod_container_status_restarts_total", 1, 1, 2, 3, container="app")
    log = {"namespace": "voice", "pod": "api-1", "container": "app", "previous": True, "lines": ["restart me, I am infra"]}
    (bare,) = pods.detect(view(sick))
    (logged,) = pods.detect(view(sick, logs=(log,)))
    (full,) = pods.detect(view(sick, events=(event,), metrics=(restarts,), logs=(log,)))
    assert logged.strength == bare.strength < full.strength
    assert set(full.evidence) == {"e1", "e2", "e3", "e4"}
    assert full.onset == NOW - timedelta(minutes=20)
    assert "restart me" not in full.cause


def test_metrics_and_events_of_another_pod_or_another_life_confirm_nothing():
    sick = pod(PodScript(PodState.CRASH_LOOP))
    earlier = event_object({**sick, "metadata": {**sick["metadata"], "uid": "an-earlier-one"}}, "BackOff", "x", NOW)
    other = series("kube_pod_container_status_restarts_total", 1, 5, pod="api-2")
    flat = series("kube_pod_container_status_restarts_total", 5, 5, 5)
    (found,) = pods.detect(view(sick, events=(earlier,), metrics=(other, flat)))
    assert found.evidence == ("e1",)


def test_the_pod_an_alert_names_comes_first():
    both = (pod(PodScript(PodState.CRASH_LOOP), "api-1"), pod(PodScript(PodState.CRASH_LOOP), "api-2"))
    found = pods.detect(view(*both, labels={"namespace": "voice", "pod": "api-2"}))
    assert [f.object for f in found] == ["pod/api-2", "pod/api-1"]


def test_a_kill_is_not_an_out_of_memory_kill():
    sick = pod(PodScript(PodState.CRASH_LOOP, exit_code=137))
    (found,) = pods.detect(view(sick))
    assert found.kind is FindingKind.POD_CRASH_LOOP
    assert "not for its memory limit" in found.cause


def test_a_failed_liveness_probe_is_named_as_the_reason():
    sick = pod(PodScript(PodState.CRASH_LOOP, exit_code=137))
    event = event_object(sick, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", NOW)
    assert "its liveness probe failed" in pods.detect(view(sick, events=(event,)))[0].cause


def test_a_container_that_ended_long_ago_and_runs_again_is_no_finding():
    item = pod(PodScript())
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-04T02:11:00Z"}
    status(item).update(restartCount=9, lastState={"terminated": ended})
    assert pods.detect(view(item)) == ()


def test_a_first_restart_minutes_ago_is_not_a_crash_loop_but_a_third_is():
    item = pod(PodScript())
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-03-04T03:08:00Z"}
    status(item).update(restartCount=2, lastState={"terminated": ended})
    assert pods.detect(view(item)) == ()
    status(item)["restartCount"] = 3
    assert pods.detect(view(item))[0].kind is FindingKind.POD_CRASH_LOOP


@pytest.mark.parametrize(("minutes", "count"), [(2, 0), (3, 1)])
def test_not_ready_counts_only_after_three_minutes(minutes, count):
    item = pod(PodScript(PodState.NOT_READY, since=timedelta(minutes=minutes)))
    assert len(pods.detect(view(item))) == count


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_and_ending_pods_are_no_findings(phase):
    finished, ending = pod(PodScript(PodState.CRASH_LOOP)), pod(PodScript(PodState.CRASH_LOOP), "api-2")
    finished["status"]["phase"] = phase
    ending["metadata"]["deletionTimestamp"] = "2026-03-04T03:11:30Z"
    assert pods.detect(view(finished, ending)) == ()


def test_an_init_container_that_keeps_failing_is_found():
    item = pod(PodScript(PodState.NOT_READY))
    crashed = pod(PodScript(PodState.CRASH_LOOP))
    item["status"]["initContainerStatuses"] = [{**status(crashed), "name": "migrate"}]
    assert "container migrate" in pods.detect(view(item))[0].cause


@pytest.mark.parametrize(("message", "count"), [('secret "db" not found', 1), ("timed out waiting for the condition", 0)])
def test_a_missing_mounted_secret_shows_only_in_the_events(message, count):
    item = pod(PodScript(PodState.BAD_CONFIG, since=timedelta(minutes=2)))
    status(item)["state"] = {"waiting": {"reason": "ContainerCreating"}}
    event = event_object(item, "FailedMount", f'MountVolume.SetUp failed for volume "v" : {message}', NOW)
    found = pods.detect(view(item, events=(event,)))
    assert [f.kind for f in found] == [FindingKind.POD_BAD_CONFIG] * count
    assert all(message in f.cause and "e2" in f.evidence for f in found)


def test_malformed_objects_are_passed_over_not_stumbled_over():
    broken = [
        {"kind": "Pod"},
        {"kind": "Pod", "metadata": {"name": 7}, "status": "x"},
        {
            "kind": "Pod",
            "metadata": {"name": "y"},
            "status": {"containerStatuses": [1, {"state": {"waiting": []}}], "conditions": {}},
        },
        {"kind": "Node", "metadata": None, "status": {"conditions": [None]}},
        {"kind": "Event", "involvedObject": "x"},
    ]
    assert pods.detect(view(*broken)) == ()
    assert nodes.detect(view(*broken)) == ()


def test_a_node_that_is_not_ready_outranks_its_pods():
    node = node_object("node-1", NOW, ready=False)
    sick = pod(PodScript(PodState.NOT_READY))
    event = event_object(node, "NodeNotReady", "", NOW)
    seen = view(
        node,
        sick,
        events=(event,),
        metrics=(series("kube_node_status_condition", 0, 1, node="node-1", condition="Ready", status="unknown"),),
    )
    (of_node,), (of_pod,) = nodes.detect(seen), pods.detect(seen)
    assert (of_node.kind, of_node.object, of_node.namespace) == (FindingKind.NODE_NOT_READY, "node/node-1", None)
    assert of_node.strength > 0.9 > 0.5 > of_pod.strength
    assert set(of_node.evidence) == {"e1", "e2", "e3"}
    assert "Ready=Unknown" in of_node.cause
    assert of_node.onset == NOW - timedelta(minutes=10)
    assert "node-1 is in trouble itself" in of_pod.cause


@pytest.mark.parametrize("kind", ["MemoryPressure", "DiskPressure", "PIDPressure"])
def test_a_node_short_of_something_is_named_with_what_it_is_short_of(kind):
    seen = view(node_object("node-1", NOW, pressure=kind), pod(PodScript(PodState.OOM_KILLED)))
    (found,) = nodes.detect(seen)
    assert found.kind is FindingKind.NODE_PRESSURE
    assert kind in found.cause
    assert found.strength > pods.detect(seen)[0].strength


def test_a_pressured_node_does_not_excuse_a_missing_configmap():
    seen = view(node_object("node-1", NOW, pressure="MemoryPressure"), pod(PodScript(PodState.BAD_CONFIG)))
    assert pods.detect(seen)[0].strength > nodes.detect(seen)[0].strength


def test_a_healthy_node_and_trouble_elsewhere_change_nothing():
    sick = pod(PodScript(PodState.CRASH_LOOP))
    alone = pods.detect(view(sick))
    seen = view(sick, node_object("node-1", NOW), node_object("node-2", NOW, ready=False))
    assert pods.detect(seen)[0].strength == alone[0].strength
    assert [f.object for f in nodes.detect(seen)] == ["node/node-2"]


def test_a_metric_of_the_good_condition_confirms_nothing():
    node = node_object("node-1", NOW, ready=False)
    good = series("kube_node_status_condition", 1, 1, node="node-1", condition="Ready", status="true")
    assert "e3" not in nodes.detect(view(node, metrics=(good,)))[0].evidence


def placed(name: str, owner: str, node: str, state: PodState = PodState.CRASH_LOOP) -> dict:
    made = pod(PodScript(state), name, node)
    made["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}]
    return made


def test_pods_of_several_owners_that_fail_on_one_ready_node_only_are_the_nodes_matter():
    nodes_ = (node_object("node-1", NOW), node_object("node-2", NOW))
    sick = (placed("a-1", "a", "node-1"), placed("a-2", "a", "node-1"), placed("b-1", "b", "node-1"))
    (found,) = nodes.detect(view(*nodes_, *sick, placed("a-3", "a", "node-2", PodState.READY)))
    assert (found.kind, found.object) == (FindingKind.NODE_FAILING_PODS, "node/node-1")
    assert found.cause.startswith("3 pods of 2 owners (a, b) fail on node node-1 and nowhere else")
    unready = series("kube_pod_status_ready", 1, 0, pod="a-1", condition="true")
    (told,) = nodes.detect(view(*nodes_, *sick, metrics=(unready,)))
    assert told.strength > found.strength
    assert nodes.detect(view(*nodes_, *sick[:2])) == ()
    assert nodes.detect(view(*nodes_, *sick, placed("b-2", "b", "node-2"))) == ()


def test_a_well_node_that_still_carries_our_cordon_is_named_and_a_persons_cordon_is_not():
    node = node_object("node-1", NOW)
    node["spec"] = {"unschedulable": True}
    ours = {"manager": "sre-agent", "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}
    node["metadata"] |= {"annotations": {"sre-agent/intent": "k"}, "managedFields": [ours]}
    told = series("kube_node_spec_unschedulable", 1, node="node-1")
    (found,) = nodes.detect(view(node, metrics=(told,)))
    assert (found.kind, found.evidence) == (FindingKind.NODE_LEFT_CORDONED, ("e1", "e3"))
    node["metadata"]["managedFields"] = [{**ours, "manager": "kubectl-cordon"}]
    assert nodes.detect(view(node)) == ()
    del node["metadata"]["managedFields"]
    assert nodes.detect(view(node)) == ()
