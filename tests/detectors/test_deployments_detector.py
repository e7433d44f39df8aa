"""Whole Deployments: each finding on what a cluster shows for it, and silence on what only looks like it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sre_agent.detectors.kubernetes import deployments
from sre_agent.detectors.signals import saturation
from sre_agent.evidence.finding import FindingKind
from sre_agent.testing.kubernetes.store import stamp
from sre_agent.testing.kubernetes_api import KubernetesApi, PodScript, PodState, Workload
from tests.actions.test_rollback_deployment import BAD, change
from tests.detectors.test_kubernetes_detector import NOW, series, view

UNREADY = PodScript(PodState.NOT_READY)
KINDS = ("Deployment", "ReplicaSet", "Pod", "Node", "Event")
LABELS = {"namespace": "voice", "deployment": "api"}


def cluster(**changes) -> tuple[KubernetesApi, list[dict]]:
    """A Deployment of five, two hours old, two of its pods unready; objects as a source would list them."""
    api = KubernetesApi(NOW)
    api.node("node-1")
    fields = {"replicas": 5, "states": (UNREADY, UNREADY), "age": timedelta(hours=2), "followed": True, **changes}
    api.deploy(replace(Workload("api", "voice"), **fields))
    return api, [o for kind in KINDS for o in api.store.of(kind)]


def kinds(*objects: dict, **more) -> list[FindingKind]:
    return [f.kind for f in deployments.detect(view(*objects, labels=LABELS, **more))]


def test_several_unready_pods_on_healthy_nodes_are_the_deployments_matter():
    _, objects = cluster()
    (found,) = deployments.detect(view(*objects, labels=LABELS))
    assert (found.kind, found.object, found.namespace) == (FindingKind.DEPLOYMENT_DEGRADED, "deployment/api", "voice")
    assert found.cause.startswith("2 of 5 pods of deployment api run but fail")
    assert found.onset == NOW - timedelta(minutes=10)


def test_metrics_that_say_the_same_make_it_stronger():
    _, objects = cluster()
    (alone,) = deployments.detect(view(*objects, labels=LABELS))
    unavailable = series("kube_deployment_status_replicas_unavailable", 0, 2, deployment="api")
    (told,) = deployments.detect(view(*objects, labels=LABELS, metrics=(unavailable,)))
    assert told.strength > alone.strength
    assert "e3" in told.evidence


@pytest.mark.parametrize(
    "changes",
    [
        {"states": (UNREADY,)},
        {"states": (UNREADY, UNREADY, PodScript(PodState.CRASH_LOOP))},
        {"states": (UNREADY, UNREADY, PodScript(PodState.IMAGE_PULL))},
        {"states": (PodScript(PodState.NOT_READY, since=timedelta(minutes=2)), UNREADY)},
        {"age": timedelta(minutes=59)},
    ],
)
def test_one_pod_or_another_trouble_or_a_young_template_is_not(changes):
    assert kinds(*cluster(**changes)[1]) == []


def test_unready_pods_on_a_sick_node_are_the_nodes_matter():
    api, objects = cluster()
    api.node("node-1", pressure="MemoryPressure")
    assert kinds(*(o for o in objects if o["kind"] != "Node"), *api.store.of("Node")) == []


@pytest.mark.parametrize("spec", [{"paused": True}, {"replicas": 6}])
def test_a_deployment_that_somebody_is_changing_is_left_alone(spec):
    api, objects = cluster()
    next(api.store.of("Deployment"))["spec"] |= spec
    assert kinds(*objects) == []


def share(*values: float, name: str = "worker_pool_utilization", **labels: str) -> dict:
    made = series(name, *values, **labels)
    if "pod" not in labels:
        del made["labels"]["pod"]
    return made


def saturated(*metrics: dict, **changes) -> list[str]:
    _, objects = cluster(**{"states": (), **changes})
    return [f.cause for f in saturation.detect(view(*objects, labels=LABELS, metrics=metrics))]


FULL = (0.4, 0.9, 0.92, 0.95, 0.97, 0.99, 0.98)


def test_a_share_in_use_above_its_target_for_five_minutes_is_saturation():
    (cause,) = saturated(share(*FULL, deployment="api"))
    assert cause == "all 5 replicas of deployment api are ready and used up for 5 minutes: worker_pool_utilization 98%"


@pytest.mark.parametrize(
    "metric",
    [
        share(0.9, 0.9, 0.9, 0.7, 0.9, 0.9, deployment="api"),
        share(0.9, 0.9, 0.9, deployment="api"),
        share(90, 91, 92, 93, 94, 95, 96, deployment="api"),
        share(*FULL, deployment="other"),
        share(*FULL, deployment="api", name="memory_utilization"),
        share(*FULL, deployment="api", name="requests_in_flight"),
        share(*FULL, pod="api-7d9f8b6c5-00000"),
    ],
)
def test_a_dip_too_little_or_something_else_is_not(metric):
    assert saturated(metric) == []


def test_pods_that_are_all_full_are_and_replicas_that_are_not_ready_are_another_matter():
    api, _ = cluster(states=())
    names = [p["metadata"]["name"] for p in api.store.of("Pod")]
    each = [share(*FULL, pod=name) for name in names]
    objects = [o for kind in KINDS for o in api.store.of(kind)]
    assert len(saturation.detect(view(*objects, labels=LABELS, metrics=tuple(each)))) == 1
    assert saturation.detect(view(*objects, labels=LABELS, metrics=tuple(each[:-1]))) == ()
    assert saturated(share(*FULL, deployment="api"), states=(UNREADY,)) == []


def regressed(**changes) -> tuple[KubernetesApi, list[dict]]:
    """A Deployment whose new image has crashed since it was rolled out, 25 minutes ago; the onset was 10 minutes ago."""
    api = KubernetesApi(NOW - timedelta(minutes=25))
    api.node("node-1")
    fields = {
        "replicas": 4,
        "age": timedelta(hours=2),
        "followed": True,
        "by_image": {BAD: PodScript(PodState.CRASH_LOOP)},
        **changes,
    }
    api.deploy(replace(Workload("api", "voice"), **fields))
    change(api, next(api.store.of("Deployment")), image=BAD)
    for _ in range(150):
        api.advance(10)
    return api, [o for kind in KINDS for o in api.store.of(kind)]


def test_a_new_revision_that_fails_where_the_old_one_was_well_is_a_regression():
    _, objects = regressed()
    (found,) = deployments.detect(view(*objects, labels=LABELS))
    assert (found.kind, found.onset) == (FindingKind.ROLLOUT_REGRESSION, NOW - timedelta(minutes=25) + timedelta(seconds=1))
    assert "of deployment api, in force since 02:46:01, fail; revision 1 was well" in found.cause


@pytest.mark.parametrize(
    "changes",
    [
        {"age": timedelta(minutes=20)},
        {"by_image": {BAD: PodScript(PodState.IMAGE_PULL)}},
        {"by_image": {}},
    ],
)
def test_a_young_predecessor_an_image_that_cannot_be_pulled_and_well_pods_are_not(changes):
    assert kinds(*regressed(**changes)[1]) == []


def test_a_change_after_the_onset_or_long_before_does_not_explain_it():
    api, objects = regressed()
    new = next(s for s in api.store.of("ReplicaSet") if s["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2")
    for minutes in (9, 71):
        new["metadata"]["creationTimestamp"] = stamp(NOW - timedelta(minutes=minutes))
        assert kinds(*objects) == []
