"""Objects of any shape: a detector that raises loses all it found, so none may, whatever is in a field."""

import copy
import random

import pytest

from sre_agent.wiring.discovery import detectors
from tests.detectors.workload_cases import (
    condition,
    container,
    crashing,
    event,
    log,
    meta,
    node,
    owned,
    pod,
    replica_set,
    running,
    seen,
    service,
    waiting,
    workload,
)

OURS = frozenset(
    {
        *("pods", "probes", "init_containers", "waiting_pods", "starting_pods", "ended_pods", "claims", "volumes", "references"),
        *("pod_creation", "jobs", "evictions", "deletions", "scaled_to_zero", "rollouts", "autoscalers", "disruption_budgets"),
        *("container_limits", "deployments"),
    }
)
JUNK = [
    None,
    1,
    -3,
    "x",
    "",
    [],
    {},
    [None],
    [1],
    {"a": None},
    True,
    [{}],
    [[]],
    2.5,
    "2026-13-45T00:00:00Z",
    {"name": 7},
    [{"type": []}],
]
ROUNDS = 120


def cpu(part: str, percent: int) -> dict:
    return {"type": "Resource", "resource": {"name": "cpu", part: {"averageUtilization": percent}}}


def odds() -> list[dict]:
    """A claim, an autoscaler, a budget, a CronJob and its Job."""
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": meta("data"),
        "spec": {"storageClassName": "x"},
        "status": {"phase": "Pending"},
    }
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta("api"),
        "spec": {
            "maxReplicas": 1,
            "scaleTargetRef": {"name": "api"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu"}}],
        },
        "status": {"currentReplicas": 1, "conditions": [condition("ScalingLimited", "True", reason="TooManyReplicas")]},
    }
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": meta("api"),
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "api"}}},
        "status": {"disruptionsAllowed": 0, "expectedPods": 1},
    }
    cron = {"kind": "CronJob", "metadata": meta("report", 9999), "spec": {"schedule": "*/5 * * * *"}, "status": {}}
    job = workload("Job", "report-1", status={"failed": 3}, ownerReferences=owned("CronJob", "report"))
    return [claim, scaler, budget, cron, job]


def namespace() -> list[dict]:
    """One object of each kind the detectors of workloads read, most of them in trouble."""
    probe = {"httpGet": {"path": "/", "port": 81}}
    spec = {"containers": [container(livenessProbe=probe, ports=[{"containerPort": 80}], env=[{"name": "A", "value": "cart"}])]}
    template = workload("Deployment", "api")["spec"]["template"]
    unplaced = condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes are available: 1 Insufficient cpu.")
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "c", "configMap": {"name": "gone"}}]
    crashed = pod("api-6d4f-x1", crashing(137), spec=spec)
    pods = [
        crashed,
        pod("api-6d4f-x2", waiting("ImagePullBackOff", "manifest unknown")),
        pod("api-6d4f-x3", running(ready=False)),
        pod("api-6d4f-x4", phase="Pending", conditions=[unplaced], spec={"nodeName": "", "volumes": volumes}),
        pod("api-6d4f-x5", waiting("ContainerCreating"), init=[crashing(1, name="i")], spec={"initContainers": [container("i")]}),
        pod("report-1-x", crashing(1), owners=owned("Job", "report-1"), phase="Failed"),
    ]
    pods.append(pod("api-6d4f-x6", phase="Failed", conditions=[condition("DisruptionTarget", "True", 5)]))
    pods[-1]["status"]["reason"] = "Evicted"
    pods[1]["metadata"]["deletionTimestamp"] = "2026-06-09T14:00:00Z"
    controllers = [workload("Deployment", "api"), workload("Deployment", "cart", {"replicas": 0}), workload("StatefulSet", "db")]
    sets = [replica_set("api-6d4f", "api", 2, template, 10, 9), replica_set("api-1", "api", 1, copy.deepcopy(template), 99)]
    told = [event(p, r, "failed liveness probe") for p in pods for r in ("Unhealthy", "Killing", "FailedMount")]
    told.append(event(sets[0], "FailedCreate", "exceeded quota"))
    sets[0]["status"] = {"replicas": 1}
    others = [
        *odds(),
        service("cart"),
        node(unschedulable=True),
        {"kind": "ConfigMap", "metadata": meta("a")},
    ]
    return [
        *pods,
        *controllers,
        workload("DaemonSet", "agent"),
        *sets,
        *told,
        *others,
        {"kind": "StorageClass", "metadata": {"name": "y"}},
    ]


def paths(item: object, above: tuple = ()) -> list[tuple]:
    inside = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    return [above, *(p for key, value in inside for p in paths(value, (*above, key)))]


def spoil(objects: list[dict], chance: random.Random) -> None:
    """One field, anywhere below an object, becomes junk."""
    where = chance.choice([p for p in paths(objects) if len(p) > 1 and p[1] != "kind"])
    target = objects
    for key in where[:-1]:
        target = target[key]
    target[where[-1]] = copy.deepcopy(chance.choice(JUNK))


def ours():
    return [d for d in detectors() if d.__module__.rpartition(".")[2] in OURS]


def test_every_detector_of_workloads_is_tried_and_finds_something_in_what_is_not_spoilt():
    found = {d.__module__.rpartition(".")[2]: d(seen(*namespace())) for d in ours()}
    assert set(found) == OURS
    assert sum(1 for f in found.values() if f) >= 9


@pytest.mark.parametrize("seed", range(4))
def test_no_detector_of_workloads_stumbles_over_a_field_of_any_shape(seed):
    chance = random.Random(seed)
    every = ours()
    lines = log("api-6d4f-x1", "ERROR x")
    for _ in range(ROUNDS // 4):
        objects = namespace()
        for _ in range(6):
            spoil(objects, chance)
        for detect in every:
            detect(seen(*objects, logs=(lines, {"pod": None, "lines": 7})))


@pytest.mark.parametrize(
    "words", ["\x00" * 50_000, "0/" * 25_000, ", 1 " * 20_000, "manifest for " * 5_000, "A" * 100_000, "not " * 20_000]
)
def test_a_hostile_message_of_any_length_is_read_in_time_that_grows_with_it(words):
    sick = [pod("api-6d4f-x1", crashing(1, words)), pod("api-6d4f-x2", waiting("ImagePullBackOff", words))]
    unplaced = condition("PodScheduled", "False", reason="Unschedulable", message=words)
    sick.append(pod("api-6d4f-x3", phase="Pending", conditions=[unplaced], spec={"nodeName": ""}))
    view = seen(*sick, *(event(p, "Failed", words) for p in sick), logs=(log("api-6d4f-x1", *[words] * 5),))
    causes = [f.cause for detect in ours() for f in detect(view)]
    assert len(causes) >= 3
    assert max(map(len, causes)) < 2_000
