"""Controllers: refused pods, stuck rollouts, workloads at zero, autoscalers and budgets, and the same at rest."""

import pytest

from sre_agent.detectors.kubernetes import autoscalers, disruption_budgets, pod_creation, rollouts, scaled_to_zero
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from tests.detectors.workload_cases import (
    condition,
    container,
    crashing,
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
QUOTA = 'Error creating: pods "api-6d4f-x" is forbidden: exceeded quota: team, requested: cpu=1, used: cpu=4, limited: cpu=4'


def lacking(replicas: int = 3, there: int = 1) -> dict:
    made = replica_set("api-6d4f", "api", 2, {}, 30, replicas)
    made["status"] = {"replicas": there}
    return made


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (QUOTA, R.QUOTA_EXCEEDED),
        ("failed quota: team: must specify limits.cpu for: app", R.QUOTA_EXCEEDED),
        ("maximum memory usage per Container is 512Mi, but limit is 1Gi", R.LIMIT_RANGE),
        ('error looking up service account shop/api: serviceaccount "api" not found', R.SERVICE_ACCOUNT_MISSING),
        ('violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false', R.POD_SECURITY),
        ("no PriorityClass with name gold was found", R.PRIORITY_CLASS_MISSING),
        ('admission webhook "policy.example" denied the request: no latest tag', R.ADMISSION_DENIED),
        ('Internal error occurred: failed calling webhook "inject.example": connect: connection refused', R.ADMISSION_UNREACHABLE),
        ('Pod "x" is invalid: spec.containers[0].resources.requests: Invalid value: "2": must be less', R.SETTINGS_REJECTED),
    ],
)
def test_a_refused_pod_is_the_deployments_matter_with_the_api_servers_reason(message, reason):
    short = lacking()
    (finding,) = pod_creation.detect(seen(short, event(short, "FailedCreate", message)))
    assert (finding.kind, finding.object, finding.reason) == (K.POD_CREATION_REFUSED, "deployment/api", reason)
    assert finding.cause.startswith("2 of 3 pods of deployment api are refused")


def test_the_condition_of_a_deployment_tells_it_without_events():
    told = condition("ReplicaFailure", "True", reason="FailedCreate", message=QUOTA.removeprefix("Error creating: "))
    sick = workload("Deployment", "api", {"replicas": 3}, {"replicas": 1, "conditions": [told]})
    (finding,) = pod_creation.detect(seen(sick))
    assert finding.reason is R.QUOTA_EXCEEDED
    assert finding.onset is not None


@pytest.mark.parametrize(
    ("kind", "spec", "status"),
    [
        ("StatefulSet", {"replicas": 2}, {"replicas": 0}),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "currentNumberScheduled": 1}),
        ("Job", {"parallelism": 1}, {"active": 0}),
    ],
)
def test_other_controllers_that_lack_pods_are_named_themselves(kind, spec, status):
    short = workload(kind, "db", spec, status)
    (finding,) = pod_creation.detect(seen(short, event(short, "FailedCreate", QUOTA)))
    assert finding.object == f"{kind.lower()}/db"


def test_a_refusal_that_was_followed_by_pods_is_history():
    whole, old = lacking(3, 3), lacking()
    assert pod_creation.detect(seen(whole, event(whole, "FailedCreate", QUOTA))) == ()
    assert pod_creation.detect(seen(old, event(old, "FailedCreate", QUOTA, last=50))) == ()
    done = workload("Job", "db", status={"active": 0, "conditions": [condition("Complete", "True")]})
    assert pod_creation.detect(seen(done, event(done, "FailedCreate", QUOTA))) == ()


def late(**status) -> dict:
    told = condition("Progressing", "False", 12, reason="ProgressDeadlineExceeded", message='ReplicaSet "api-6d4f" has timed out')
    wants = {"replicas": 2, "updatedReplicas": 1, "unavailableReplicas": 1, "conditions": [told], **status}
    return workload("Deployment", "api", {"replicas": 2}, wants)


def test_a_rollout_that_no_pod_explains_is_stuck():
    (finding,) = rollouts.detect(seen(late(), pod(POD, waiting("ContainerCreating"))))
    assert (finding.kind, finding.object) == (K.ROLLOUT_STUCK, "deployment/api")
    assert "1 of 2 pods are of the new revision; not ready: api-6d4f-x1" in finding.cause


@pytest.mark.parametrize("sick", [pod(POD, crashing(1)), pod(POD, waiting("ImagePullBackOff"))])
def test_a_rollout_whose_pods_show_why_is_left_to_them(sick):
    assert rollouts.detect(seen(late(), sick)) == ()


def test_a_rollout_that_ended_or_is_refused_is_not_stuck():
    assert rollouts.detect(seen(late(updatedReplicas=2, unavailableReplicas=0))) == ()
    refused = late()
    refused["status"]["conditions"].append(condition("ReplicaFailure", "True"))
    assert rollouts.detect(seen(refused)) == ()


def test_a_paused_deployment_matters_when_a_change_waits_or_the_alert_names_it():
    paused = workload("Deployment", "api", {"paused": True, "replicas": 2}, {"updatedReplicas": 0})
    (quiet,) = rollouts.detect(seen(paused))
    assert quiet.reason is R.SUSPENDED
    assert quiet.strength < 0.5 < rollouts.detect(seen(paused, labels={"deployment": "api"}))[0].strength
    assert rollouts.detect(seen(workload("Deployment", "api", {"paused": True}))) == ()


def stateful(revision: str, **spec) -> tuple[dict, dict]:
    broken = pod("db-0", crashing(1), owners=owned("StatefulSet", "db"))
    broken["metadata"]["labels"]["controller-revision-hash"] = revision
    return workload("StatefulSet", "db", spec, {"updateRevision": "db-new", "currentRevision": "db-old"}), broken


def test_a_stateful_set_waits_for_a_broken_pod_of_an_older_revision():
    (finding,) = rollouts.detect(seen(*stateful("db-old")))
    assert finding.object == "statefulset/db"
    assert "waits for its pod db-0" in finding.cause
    assert rollouts.detect(seen(*stateful("db-new"))) == ()
    assert rollouts.detect(seen(*stateful("db-old", podManagementPolicy="Parallel"))) == ()


def test_a_daemon_set_that_lacks_pods_for_no_reason_of_theirs_is_told():
    short = workload("DaemonSet", "agent", {}, {"numberUnavailable": 1, "desiredNumberScheduled": 2})
    unready = pod(
        "agent-x1", running(ready=False, since=1), owners=owned("DaemonSet", "agent"), conditions=[condition("Ready", "False", 1)]
    )
    assert rollouts.detect(seen(short, unready, node()))[0].object == "daemonset/agent"
    silent = node()
    silent["status"]["conditions"][0]["status"] = "Unknown"
    assert rollouts.detect(seen(short, unready, silent)) == ()


def zero(name: str = "cart", kind: str = "Deployment") -> dict:
    return workload(kind, name, {"replicas": 0}, {"replicas": 0, "readyReplicas": 0})


def test_a_workload_at_zero_is_missed_by_its_service_its_callers_and_the_alert():
    caller = pod(POD, crashing(1), spec={"containers": [container(env=[{"name": "CART_URL", "value": "http://cart:80/"}])]})
    (served,) = scaled_to_zero.detect(seen(zero(), service("cart")))
    (called,) = scaled_to_zero.detect(seen(zero(), service("cart"), caller))
    (named,) = scaled_to_zero.detect(seen(zero(), labels={"deployment": "cart"}))
    assert (served.kind, served.object) == (K.WORKLOAD_SCALED_TO_ZERO, "deployment/cart")
    assert served.strength < called.strength < named.strength
    assert "api-6d4f-x1 in trouble call it" in called.cause


def test_a_scaling_within_the_window_is_enough_and_an_older_one_is_not():
    told = "Scaled down replica set cart-55 from 2 to 0"
    assert scaled_to_zero.detect(seen(zero(), event(zero(), "ScalingReplicaSet", told, last=5)))
    assert scaled_to_zero.detect(seen(zero(), event(zero(), "ScalingReplicaSet", told, last=200))) == ()
    assert (
        scaled_to_zero.detect(seen(zero(), event(zero(), "ScalingReplicaSet", "Scaled up replica set cart-55 to 10", last=5))) == ()
    )


@pytest.mark.parametrize(
    "objects",
    [
        (zero(),),
        (zero(), service("other")),
        (zero("cart"), service("cart"), pod("cart-blue-1", running())),
        (workload("Deployment", "cart"), service("cart")),
        (replica_set("cart-11", "cart", 1, {"metadata": {"labels": {"app": "cart"}}}, 99, 0), service("cart")),
    ],
)
def test_a_workload_that_rests_at_zero_and_that_nobody_misses_is_left_alone(objects):
    assert scaled_to_zero.detect(seen(*objects)) == ()


def test_a_daemon_set_that_no_node_suits_runs_nowhere():
    template = {"metadata": {"labels": {"app": "agent"}}, "spec": {"nodeSelector": {"never": "true"}, "containers": []}}
    nowhere = workload("DaemonSet", "agent", {"template": template}, {"desiredNumberScheduled": 0})
    (finding,) = scaled_to_zero.detect(seen(nowhere, labels={"daemonset": "agent"}))
    assert finding.reason is R.NODE_SELECTOR
    assert "never=true" in finding.cause
    assert scaled_to_zero.detect(seen(nowhere)) == ()


def scaler(*conditions: dict, at: int = 5, use: int = 90, age: float = 999) -> dict:
    target = {"kind": "Deployment", "name": "api"}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
    now = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": use}}}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta("api", age),
        "spec": {"maxReplicas": 5, "scaleTargetRef": target, "metrics": [metric]},
        "status": {"currentReplicas": at, "currentMetrics": [now], "conditions": list(conditions)},
    }


LIMITED = condition("ScalingLimited", "True", reason="TooManyReplicas")
BLIND = condition("ScalingActive", "False", reason="FailedGetResourceMetric", message="missing request for cpu in container app")


def test_an_autoscaler_at_its_maximum_that_wants_more_is_told_with_its_metric():
    (finding,) = autoscalers.detect(seen(scaler(LIMITED)))
    assert (finding.kind, finding.object) == (K.AUTOSCALER_AT_LIMIT, "hpa/api")
    assert "cpu is at 90 %, its target is 60 %" in finding.cause


@pytest.mark.parametrize(
    "item",
    [
        scaler(LIMITED, use=60),
        scaler(LIMITED, at=3),
        scaler(condition("ScalingLimited", "True", reason="TooFewReplicas")),
        scaler(),
    ],
)
def test_an_autoscaler_at_its_target_or_with_room_is_well(item):
    assert autoscalers.detect(seen(item)) == ()


def test_an_autoscaler_that_reads_no_metrics_is_blind_but_not_while_it_is_new_or_at_rest():
    (finding,) = autoscalers.detect(seen(scaler(BLIND)))
    assert finding.kind is K.AUTOSCALER_BLIND
    assert "missing request for cpu" in finding.cause
    assert autoscalers.detect(seen(scaler(BLIND, age=2))) == ()
    assert autoscalers.detect(seen(scaler(condition("ScalingActive", "False", reason="ScalingDisabled")))) == ()
    assert autoscalers.detect(seen(scaler(condition("ScalingActive", "True")))) == ()


@pytest.mark.parametrize("item", [scaler(BLIND), scaler(LIMITED)])
def test_an_autoscaler_of_pods_in_trouble_speaks_only_when_the_alert_is_about_it(item):
    assert autoscalers.detect(seen(item, pod(POD, crashing(1)))) == ()
    assert autoscalers.detect(seen(item, pod(POD, crashing(1)), labels={"hpa": "api"}))
    assert autoscalers.detect(seen(item, pod("cart-77-1", crashing(1))))


def test_a_blind_autoscaler_that_the_alert_names_is_strong():
    named = seen(scaler(BLIND), labels={"horizontalpodautoscaler": "api"})
    assert autoscalers.detect(named)[0].strength > 0.8


def budget(healthy: int = 2, allowed: int = 0) -> dict:
    status = {"disruptionsAllowed": allowed, "expectedPods": 2, "currentHealthy": healthy, "desiredHealthy": 2}
    return {
        "kind": "PodDisruptionBudget",
        "metadata": meta("api"),
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "api"}}},
        "status": status,
    }


def test_a_budget_that_holds_up_a_drain_is_told_with_the_node():
    (finding,) = disruption_budgets.detect(seen(budget(), pod(POD), node(unschedulable=True)))
    assert (finding.kind, finding.object) == (K.DISRUPTION_BUDGET_BLOCKS, "poddisruptionbudget/api")
    assert "node node-1 is cordoned" in finding.cause
    assert "minAvailable 2" in finding.cause
    refused = event(pod(POD), "FailedEviction", "Cannot evict pod as it would violate the pod's disruption budget.")
    assert disruption_budgets.detect(seen(budget(), refused))[0].strength > 0.8


def test_a_budget_that_allows_nothing_while_nobody_asks_is_normal():
    assert disruption_budgets.detect(seen(budget(), pod(POD), node())) == ()
    assert disruption_budgets.detect(seen(budget(allowed=1), pod(POD), node(unschedulable=True))) == ()
    assert disruption_budgets.detect(seen(budget(), pod(POD), node("node-2", unschedulable=True))) == ()


def test_a_budget_whose_pods_are_unready_is_their_symptom():
    assert disruption_budgets.detect(seen(budget(healthy=1), pod(POD), node(unschedulable=True)))[0].strength < 0.5
