"""The same promises of PodHands and the reader, kept against the stand-in and, with `-m cluster`, a real API server.

The cluster run uses $KUBECONFIG, whose user must be allowed to make a namespace. It needs no kubelet and no controllers:
pods are made unscheduled, and their status is written by the test.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.config import load_kube_config

from sre_agent.adapters.kubernetes import KubernetesPodHands
from sre_agent.execution.hands import PodRef
from sre_agent.incident.errors import Refused
from sre_agent.sources.kubernetes import KubernetesCluster
from sre_agent.testing.kubernetes.access import EVERYTHING
from sre_agent.testing.kubernetes_api import KubernetesApi

pytestmark = pytest.mark.slow


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cluster is a second world only when the marker expression asks for it."""
    asked = metafunc.config.getoption("markexpr", default="") or ""
    worlds = ["stand-in"]
    if "cluster" in asked and "not cluster" not in asked:
        worlds.append(pytest.param("cluster", marks=pytest.mark.cluster))
    metafunc.parametrize("world", worlds, indirect=True)


class World:
    """A namespace of our own behind a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        configuration = client.Configuration()
        load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
        self.api = client.ApiClient(configuration)
        self.core = client.CoreV1Api(self.api)
        self.namespace = f"sre-agent-{uuid.uuid4().hex[:8]}"
        self.hands = KubernetesPodHands(kubeconfig)
        self.cluster = KubernetesCluster(kubeconfig)
        self.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=self.namespace)))
        # Without a controller manager nobody makes it; with one it is there already; the stand-in needs none.
        with suppress(ApiException):
            account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="default"))
            self.core.create_namespaced_service_account(self.namespace, account)

    def close(self) -> None:
        self.core.delete_namespace(self.namespace)
        self.hands.close()
        self.cluster.close()
        self.api.close()

    def running_pod(self, name: str = "one") -> None:
        """A pod no scheduler takes, whose status says Running and Ready."""
        containers = [client.V1Container(name="app", image="registry.example/none:1")]
        spec = client.V1PodSpec(containers=containers, scheduler_name="nobody", automount_service_account_token=False)
        meta = client.V1ObjectMeta(name=name, labels={"app": "contract"})
        self.core.create_namespaced_pod(self.namespace, client.V1Pod(metadata=meta, spec=spec))
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.core.patch_namespaced_pod_status(name, self.namespace, {"status": status})

    def budget(self, min_available: int) -> None:
        """A disruption budget with nothing to spare, its status written as the disruption controller would."""
        policy = client.PolicyV1Api(self.api)
        selector = client.V1LabelSelector(match_labels={"app": "contract"})
        spec = client.V1PodDisruptionBudgetSpec(min_available=min_available, selector=selector)
        meta = client.V1ObjectMeta(name="none-to-spare")
        policy.create_namespaced_pod_disruption_budget(self.namespace, client.V1PodDisruptionBudget(metadata=meta, spec=spec))
        status = {"observedGeneration": 1, "expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0}
        policy.patch_namespaced_pod_disruption_budget_status("none-to-spare", self.namespace, {"status": status})

    async def ref(self, name: str = "one", **changes: str) -> PodRef:
        """The pod as our own reader sees it."""
        (meta,) = [p["metadata"] for p in await self.cluster.objects("Pod", self.namespace) if p["metadata"]["name"] == name]
        fields = {"namespace": self.namespace, "name": name, "uid": meta["uid"], "resource_version": meta["resourceVersion"]}
        return PodRef(**{**fields, **changes})

    async def alive(self) -> set[str]:
        """Names of pods that nobody is ending."""
        pods = await self.cluster.objects("Pod", self.namespace)
        return {p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"]}


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "cluster":
        if not os.environ.get("KUBECONFIG"):
            pytest.fail("-m cluster needs KUBECONFIG to name a real cluster")
        made = World(Path(os.environ["KUBECONFIG"]))
        yield made
        made.close()
        return
    with KubernetesApi() as api:
        api.grant("admin", EVERYTHING)
        made = World(api.kubeconfig(tmp_path / "config", "admin"))
        yield made
        made.close()


async def test_a_dry_run_leaves_the_very_same_pod(world):
    world.running_pod()
    before = await world.ref()
    await world.hands.evict(before, dry_run=True)
    assert await world.ref() == before


async def test_a_real_eviction_ends_that_pod_and_no_other(world):
    world.running_pod("one")
    world.running_pod("two")
    await world.hands.evict(await world.ref("one"), dry_run=False)
    assert await world.alive() == {"two"}


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("which", ["uid", "resource_version"])
async def test_another_identity_or_an_older_version_is_a_refusal(world, which, dry_run):
    world.running_pod()
    wrong = await world.ref(**{which: str(uuid.uuid4()) if which == "uid" else "1"})
    with pytest.raises(Refused) as refused:
        await world.hands.evict(wrong, dry_run=dry_run)
    assert refused.value.rule == "k8s-precondition-conflict"
    assert await world.alive() == {"one"}


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_budget_with_nothing_to_spare_is_a_refusal(world, dry_run):
    world.running_pod()
    world.budget(1)
    with pytest.raises(Refused) as refused:
        await world.hands.evict(await world.ref(), dry_run=dry_run)
    assert refused.value.rule == "k8s-pdb-exhausted"
    assert await world.alive() == {"one"}


async def test_a_pod_that_is_not_there_is_a_refusal(world):
    with pytest.raises(Refused) as refused:
        await world.hands.evict(PodRef(world.namespace, "nobody", "u", "1"), dry_run=True)
    assert refused.value.rule == "k8s-gone"
