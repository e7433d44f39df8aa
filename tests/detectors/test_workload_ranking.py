"""Whole namespaces through every detector and the ranking: the cause stands first, and what is well stays silent."""

import copy

import pytest

from sre_agent.evidence.finding import FindingKind as K
from sre_agent.investigation.examine import examine
from sre_agent.wiring.discovery import detectors
from tests.detectors.workload_cases import (
    ago,
    condition,
    container,
    crashing,
    ended,
    event,
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

POD = "api-6d4f-x1"


def template(image: str) -> dict:
    return {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [container(image=f"registry.example/shop/app:{image}")]}}


def neighbours(*objects: dict) -> list[dict]:
    """Two well workloads and a node; what is given stands in for its namesake."""
    well = [
        node(),
        workload("Deployment", "web"),
        replica_set("web-55aa", "web", 3, template("1.0"), 500),
        pod("web-55aa-a"),
        service("web"),
        workload("Deployment", "api", {"template": template("1.4")}),
        replica_set("api-6d4f", "api", 2, template("1.4"), 110),
        replica_set("api-1111", "api", 1, template("1.3"), 9000, 0),
        service("api"),
    ]
    given = {(o["kind"], o["metadata"]["name"]) for o in objects}
    return [*(o for o in well if (o["kind"], o["metadata"]["name"]) not in given), *objects]


def placed(message: str) -> list[dict]:
    return [condition("PodScheduled", "False", reason="Unschedulable", message=message)]


LATE = workload(
    "Deployment",
    "api",
    {"template": template("1.4")},
    {
        "unavailableReplicas": 1,
        "conditions": [condition("Progressing", "False", 5, reason="ProgressDeadlineExceeded", message="late")],
    },
)
PULL = pod(POD, waiting("ImagePullBackOff", "manifest unknown"))
CLAIM = {
    "kind": "PersistentVolumeClaim",
    "metadata": meta("data"),
    "spec": {"storageClassName": "fast"},
    "status": {"phase": "Pending"},
}
CLAIMING = {"nodeName": "", "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}
ZERO = workload("Deployment", "cart", {"replicas": 0}, {"replicas": 0, "readyReplicas": 0})
CALLER = {"containers": [container(env=[{"name": "CART", "value": "http://cart:80"}])]}
SCALER = {
    "kind": "HorizontalPodAutoscaler",
    "metadata": meta("api", 9000),
    "spec": {"maxReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "api"}},
    "status": {"currentReplicas": 1, "conditions": [condition("ScalingActive", "False", reason="FailedGetResourceMetric")]},
}
UNREADY = [pod(f"api-6d4f-x{i}", running(ready=False)) for i in range(3)]
GIVEN_UP = condition("Failed", "True", reason="BackoffLimitExceeded")
WHOLE = {"replicas": 3, "updatedReplicas": 3, "conditions": [condition("Progressing", "True", reason="NewReplicaSetAvailable")]}


@pytest.mark.parametrize(
    ("objects", "kind", "first"),
    [
        ([LATE, PULL], K.POD_IMAGE_PULL_FAILED, f"pod/{POD}"),
        ([LATE, pod(POD, crashing(1))], K.POD_CRASH_LOOP, f"pod/{POD}"),
        ([SCALER, pod(POD, crashing(137, reason="OOMKilled"))], K.POD_OOM_KILLED, f"pod/{POD}"),
        (
            [CLAIM, event(CLAIM, "ProvisioningFailed", 'storageclass "fast" not found'),
             pod(POD, phase="Pending", conditions=placed("pod has unbound immediate PersistentVolumeClaims."), spec=CLAIMING)],
            K.CLAIM_UNBOUND, "claim/data",
        ),
        ([ZERO, service("cart"), pod(POD, crashing(1, "cart:80: connection refused"), spec=CALLER)],
         K.WORKLOAD_SCALED_TO_ZERO, "deployment/cart"),
        ([pod("db-1", crashing(1, "permission denied"), owners=owned("StatefulSet", "db")), workload("StatefulSet", "db")],
         K.POD_CRASH_LOOP, "pod/db-1"),
        ([workload("Deployment", "api", {"replicas": 3, "template": template("1.4")}, WHOLE), *UNREADY],
         K.DEPLOYMENT_DEGRADED, "deployment/api"),
        ([workload("Job", "report-1", status={"failed": 4, "conditions": [GIVEN_UP]}),
          pod("report-1-x", {"name": "app", "ready": False, "restartCount": 0, "state": {"terminated": ended(1)}},
              phase="Failed", owners=owned("Job", "report-1"))],
         K.JOB_FAILED, "job/report-1"),
    ],
)  # fmt: skip
def test_the_cause_stands_first(objects, kind, first):
    found = examine(seen(*neighbours(*objects)), detectors())
    assert found.notes == ()
    assert (found.causes[0].kind, found.causes[0].object) == (kind, first)


def test_a_new_revision_that_fails_while_the_old_one_serves_is_the_cause_and_says_what_changed():
    status = {"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "unavailableReplicas": 1}
    moving = workload("Deployment", "api", {"replicas": 2, "template": template("1.4")}, status)
    sets = [replica_set("api-1111", "api", 1, template("1.3"), 4000, 2), replica_set("api-6d4f", "api", 2, template("1.4"), 15, 1)]
    pods = [pod("api-1111-a", age=4000), pod("api-1111-b", age=4000), pod(POD, crashing(1), age=15)]
    found = examine(seen(*neighbours(moving, *sets, *pods)), detectors())
    assert (found.causes[0].kind, found.causes[0].object) == (K.ROLLOUT_REGRESSION, "deployment/api")
    assert "image of app: registry.example/shop/app:1.3 -> registry.example/shop/app:1.4" in found.causes[0].cause


def aged(item: dict, **status) -> dict:
    made = copy.deepcopy(item)
    made["status"] |= status
    return made


WELL = pod(POD)
LAZY = {"kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "x", "volumeBindingMode": "WaitForFirstConsumer"}
EVICTED = {
    "reason": "Evicted",
    "message": "low on memory",
    "containerStatuses": [],
    "conditions": [condition("DisruptionTarget", "True", 800)],
}
SETS = replica_set("api-6d4f", "api", 2, template("1.4"), 110)


@pytest.mark.parametrize(
    "objects",
    [
        [WELL],
        [pod(POD, running(restarts=4, last=ended(1, at=40), since=40)), event(WELL, "BackOff", "Back-off", last=41, first=55)],
        [pod(POD, running(restarts=1, last=ended(143, at=5), since=5))],
        [WELL, event(WELL, "Unhealthy", "Liveness probe failed: connection refused", last=100, first=110)],
        [WELL, event(WELL, "FailedScheduling", "0/2 nodes are available: 2 Insufficient cpu.", last=100)],
        [WELL, aged(pod("api-6d4f-x2", phase="Failed", age=900), **EVICTED)],
        [WELL, SETS, event(SETS, "FailedCreate", "exceeded quota: q", last=20)],
        [pod(POD, waiting("ContainerCreating"), age=0.5)],
        [WELL, LAZY, CLAIM, event(CLAIM, "WaitForFirstConsumer", "waiting for first consumer to be created before binding")],
        [WELL, workload("Job", "m", status={"succeeded": 1, "failed": 3, "conditions": [condition("Complete", "True")]})],
        [
            WELL,
            {
                "kind": "CronJob",
                "metadata": meta("c", 9000),
                "spec": {"schedule": "*/5 * * * *"},
                "status": {"lastScheduleTime": ago(5)},
            },
        ],
        [pod(POD, running(), init=[running("mesh")], spec={"initContainers": [container("mesh", restartPolicy="Always")]})],
        [WELL, ZERO],
    ],
)
def test_what_is_well_or_over_is_silent(objects):
    found = examine(seen(*neighbours(*objects)), detectors())
    assert found.findings == ()
    assert found.outcome.healthy
