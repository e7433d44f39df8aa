"""The Kubernetes source and reader against the stand-in: what is gathered, what is left out, what failures are called."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import ConfigurationError, Permanent, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.kubernetes import KubernetesCluster, KubernetesSource
from sre_agent.testing.kubernetes.access import READ
from sre_agent.testing.kubernetes.objects import event_object
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState, Workload

pytestmark = pytest.mark.slow
START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
CRASHING = PodScript(PodState.CRASH_LOOP)


@pytest.fixture
def api():
    with KubernetesApi(START) as server:
        server.node("node-1")
        yield server


@pytest.fixture
def cluster(api, tmp_path):
    made = KubernetesCluster(api.kubeconfig(tmp_path / "read"), connect_s=1.0, answer_s=1.0)
    yield made
    made.close()


def scope(*labels: dict[str, str]) -> Scope:
    alerts = tuple(Alert(labels=each) for each in labels)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=START, service=Reference(id="P1"), alerts=alerts)
    hour = Window.before(START, timedelta(hours=1))
    return Scope(incident=incident, now=START, onset=START - timedelta(minutes=10), window=hour, change_window=hour)


def named(evidence, prefix: str):
    return next(e for e in evidence if e.query.startswith(prefix))


def names(evidence) -> set[str]:
    return {f"{i['kind']}/{i['metadata']['name']}" for i in evidence.payload["items"]}


async def test_a_named_pod_brings_its_peers_owners_node_events_budget_and_logs(api, cluster):
    sick, *_ = api.deploy(Workload("api", "voice", states=(CRASHING,), min_available=2))
    api.deploy(Workload("other", "voice"))
    api.deploy(Workload("api", "shop"))
    api.node("node-2")
    api.log(sick, "boot\n")
    api.log(sick, "panic\nat main\n", previous=True)
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice", "pod": sick["metadata"]["name"]}))
    pods = named(gathered, "pods of")
    assert (pods.kind, pods.status, pods.source, pods.observed_at) == (
        EvidenceKind.KUBERNETES,
        EvidenceStatus.OK,
        "kubernetes",
        START,
    )
    assert pods.payload["items"][0]["metadata"]["name"] == sick["metadata"]["name"]
    assert [i["metadata"]["labels"]["app"] for i in pods.payload["items"]] == ["api"] * 3 + ["other"] * 3
    owners = names(named(gathered, "owners of"))
    assert owners == {"ReplicaSet/api-7d9f8b6c5", "Deployment/api", "ReplicaSet/other-7d9f8b6c5", "Deployment/other"}
    assert {i["reason"] for i in named(gathered, "events of").payload["items"]} == {"BackOff"}
    assert names(named(gathered, "nodes of")) == {"Node/node-1"}
    assert names(named(gathered, "budgets of")) == {"PodDisruptionBudget/api"}
    logs = [e.payload for e in gathered if e.kind is EvidenceKind.LOGS]
    assert {(log["previous"], tuple(log["lines"])) for log in logs} == {(False, ("boot",)), (True, ("panic", "at main"))}
    assert {(log["namespace"], log["pod"], log["container"]) for log in logs} == {("voice", sick["metadata"]["name"], "app")}
    assert "managedFields" not in json.dumps([e.payload for e in gathered])


@pytest.mark.parametrize("labels", [{"deployment": "api"}, {"service": "api"}, {"app": "api"}])
async def test_what_is_named_comes_first_and_when_it_is_healthy_a_few_of_its_logs_are_read_all_the_same(api, cluster, labels):
    api.deploy(Workload("aaa", "voice"))
    api.deploy(Workload("api", "voice"))
    for pod in api.store.of("Pod", "voice"):
        api.log(pod, "connection refused\n")
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice", **labels}))
    pods = named(gathered, "pods of").payload["items"]
    assert [i["metadata"]["labels"]["app"] for i in pods] == ["api"] * 3 + ["aaa"] * 3
    logs = [e.payload["pod"] for e in gathered if e.kind is EvidenceKind.LOGS]
    assert logs == [i["metadata"]["name"] for i in pods[:2]]
    assert named(gathered, "events of").status is EvidenceStatus.NO_DATA


async def test_a_namespace_alone_brings_all_its_pods_sick_ones_first(api, cluster):
    api.deploy(Workload("aaa", "voice"))
    api.deploy(Workload("zzz", "voice", states=(CRASHING,)))
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))
    items = named(gathered, "pods of").payload["items"]
    assert (len(items), items[0]["metadata"]["labels"]["app"]) == (6, "zzz")


async def test_healthy_pods_that_nobody_named_have_no_logs_read(api, cluster):
    api.deploy(Workload("api", "voice"))
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))
    assert not any(e.kind is EvidenceKind.LOGS for e in gathered)


async def test_a_node_alone_brings_itself_its_events_and_its_pods_of_every_namespace(api, cluster):
    api.deploy(Workload("api", "voice", nodes=("node-1", "node-2")))
    api.deploy(Workload("web", "shop", nodes=("node-2",)))
    node = api.node("node-2", ready=False)
    api.add(event_object(node, "NodeNotReady", "Node node-2 status is now: NodeNotReady", START))
    gathered = await KubernetesSource(cluster).gather(scope({"node": "node-2"}))
    assert names(named(gathered, "nodes of")) == {"Node/node-2"}
    assert {i["spec"]["nodeName"] for i in named(gathered, "pods of").payload["items"]} == {"node-2"}
    assert {i["reason"] for i in named(gathered, "events of").payload["items"]} == {"NodeNotReady"}


async def test_alerts_without_kubernetes_labels_and_hostile_names_ask_nothing(api, cluster):
    source = KubernetesSource(cluster)
    assert await source.gather(scope({"redis_master": "cache"})) == ()
    assert await source.gather(scope({"namespace": ".."}, {"namespace": "voice/../x"}, {"namespace": "voice", "pod": "A b"})) == ()
    assert api.requests == []
    for bad in ("..", "voice/pods", ""):
        with pytest.raises(Permanent):
            await cluster.objects("Pod", bad)


async def test_a_kind_that_may_not_be_read_is_error_evidence_beside_the_rest(api, cluster):
    api.deploy(Workload("api", "voice", states=(CRASHING,)))
    api.grant("reader", {("list", "pods"), ("list", "nodes"), ("list", "events")})
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))
    errors = {e.query: e.error for e in gathered if e.status is EvidenceStatus.ERROR}
    assert "lacks the right to list Deployments in namespace voice" in errors["Deployments of namespace voice"]
    assert any("pods/log" in text for text in errors.values())
    assert named(gathered, "pods of").status is EvidenceStatus.OK


async def test_the_neighbourhood_comes_with_the_kinds_that_were_asked_and_none_of_a_namespace_next_to_it(api, cluster):
    api.deploy(Workload("api", "voice"))
    for kind in ("Service", "Endpoints", "NetworkPolicy", "PersistentVolumeClaim", "ResourceQuota", "CronJob", "ServiceAccount"):
        for namespace in ("voice", "shop"):
            api.add({"kind": kind, "metadata": {"name": f"{kind.lower()}-{namespace}", "namespace": namespace}})
    api.add({"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "voice"}, "data": {"a": "s3cret"}})
    api.add({"kind": "Namespace", "metadata": {"name": "voice"}})
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))
    told = {e.query.partition(" of ")[0]: e.payload for e in gathered if e.status is EvidenceStatus.OK}
    assert [i["kind"] for i in told["network"]["items"]] == ["NetworkPolicy", "Service"]
    assert told["network"]["kinds"] == ["NetworkPolicy", "Ingress", "IngressClass", "Service"]
    assert [i["kind"] for i in told["endpoints"]["items"]] == ["Endpoints"]
    assert [i["metadata"]["name"] for i in told["settings"]["items"]] == ["settings", "serviceaccount-voice"]
    assert [i["kind"] for i in told["limits"]["items"]] == ["ResourceQuota", "Namespace"]
    everything = json.dumps([e.payload for e in gathered])
    assert "s3cret" not in everything
    assert "-shop" not in everything
    assert not any(e.status is EvidenceStatus.ERROR for e in gathered)


async def test_the_dns_server_and_the_nodes_own_events_are_read_where_they_live(api, cluster):
    api.deploy(Workload("api", "voice"))
    api.deploy(Workload("coredns", "kube-system", labels={"k8s-app": "kube-dns"}))
    api.deploy(Workload("proxy", "kube-system"))
    node = api.node("node-1", ready=False)
    api.add(event_object(node, "NodeNotReady", "Node node-1 status is now: NodeNotReady", START))
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))
    assert {i["metadata"]["labels"]["app"] for i in named(gathered, "DNS server").payload["items"] if i["kind"] == "Pod"} == {
        "coredns"
    }
    assert "proxy" not in json.dumps([e.payload for e in gathered])
    assert {i["reason"] for i in named(gathered, "events of").payload["items"]} == {"NodeNotReady"}


async def test_what_somebody_wrote_lately_is_told_as_a_change(api, cluster):
    api.deploy(Workload("api", "voice", age=timedelta(days=2)))
    policy = api.add({"kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": "voice"}})
    hour_ago = (START - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    policy["metadata"] |= {"creationTimestamp": hour_ago}
    policy["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "time": "2026-03-04T02:50:00Z", "fieldsV1": {"f:spec": {}}}]
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))
    (told,) = [e for e in gathered if e.kind is EvidenceKind.CHANGES]
    assert [(c["target"], c["author"], c["source"]) for c in told.payload] == [("networkpolicy/deny", "kubectl-edit", "kubernetes")]
    assert "fieldsV1" not in json.dumps([e.payload for e in gathered])


async def test_each_kind_that_may_not_be_read_is_an_error_of_its_own(api, cluster):
    api.deploy(Workload("api", "voice"))
    api.grant("reader", {("list", "pods"), ("list", "services")})
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))
    refused = [e.query for e in gathered if e.status is EvidenceStatus.ERROR]
    assert "NetworkPolicies of namespace voice" in refused
    assert "Ingresses of namespace voice" in refused
    assert "Endpoints of namespace voice" in refused
    assert "Services of namespace voice" not in refused
    assert not any(e.payload for e in gathered if e.status is EvidenceStatus.ERROR)


async def test_when_the_pods_cannot_be_read_the_source_says_so_by_raising(api, cluster):
    api.grant("reader", READ - {("list", "*")})
    with pytest.raises(Permanent, match="list Pods in namespace voice"):
        await KubernetesSource(cluster).gather(scope({"namespace": "voice"}))


async def test_an_empty_namespace_is_no_data_not_health(api, cluster):
    gathered = await KubernetesSource(cluster).gather(scope({"namespace": "empty"}))
    assert named(gathered, "pods of").status is EvidenceStatus.NO_DATA


async def test_long_lists_are_read_page_by_page_and_evidence_is_capped_and_marked(api, cluster, monkeypatch):
    monkeypatch.setattr("sre_agent.sources.kubernetes_client.PAGE", 7)
    monkeypatch.setattr("sre_agent.sources.kubernetes.MAX_ITEMS", 10)
    api.deploy(Workload("api", "voice", replicas=30))
    assert len(await cluster.objects("Pod", "voice")) == 30
    pods = named(await KubernetesSource(cluster).gather(scope({"namespace": "voice"})), "pods of")
    assert (len(pods.payload["items"]), pods.truncated) == (10, True)
    assert pods.size_bytes > 1000


async def test_objects_look_as_kubectl_prints_them(api, cluster):
    api.deploy(Workload("api", "voice"))
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"}
    next(api.store.of("Deployment"))["metadata"]["annotations"] = applied
    (deployment,) = await cluster.objects("Deployment", "voice")
    assert deployment["kind"] == "Deployment"
    assert deployment["metadata"]["annotations"] == {"kept": "yes"}
    assert "managedFields" not in deployment["metadata"]
    with pytest.raises(Permanent, match="Lease"):
        await cluster.objects("Lease", "voice")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.DROP_BEFORE, Transient),
        (FaultKind.SLOW, Transient),
        (FaultKind.ERROR_500, Transient),
        (FaultKind.TOO_MANY_REQUESTS, Transient),
        (FaultKind.HTML, Permanent),
        (FaultKind.UNAUTHORIZED, Permanent),
    ],
)
async def test_each_failure_is_called_what_it_is(api, cluster, kind, error):
    await cluster.objects("Pod", "voice")
    api.fail(Fault(kind, seconds=3.0))
    with pytest.raises(error):
        await cluster.objects("Pod", "voice")


async def test_a_kubeconfig_that_cannot_be_used_names_the_file(tmp_path):
    with pytest.raises(ConfigurationError, match="missing"):
        await KubernetesCluster(tmp_path / "missing").objects("Pod", None)
    with pytest.raises(ConfigurationError, match="in-cluster"):
        await KubernetesCluster(None).objects("Pod", None)
