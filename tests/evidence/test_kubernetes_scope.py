"""Which objects bear on an alert, in which order, and which logs are worth reading."""

import pytest

from sre_agent.evidence.kubernetes.groups import CLUSTER_KINDS, GROUPS, serves_names
from sre_agent.evidence.kubernetes.scope import Subject, logs_wanted, relevant, subjects
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from tests.detectors.neighbourhood import NOW, ago, deployment, meta, pod, service


def scoped(*objects, **subject):
    by_kind = {}
    for item in objects:
        by_kind.setdefault(item["kind"], []).append(item)
    return relevant(Subject("shop", **subject), by_kind, NOW)


def names(items):
    return [i["metadata"]["name"] for i in items]


def replica_set(name, revision, owner="api", replicas=0):
    owned = [{"kind": "Deployment", "name": owner, "uid": f"uid-shop-{owner}", "controller": True}]
    made = meta(name, annotations={"deployment.kubernetes.io/revision": str(revision)}, ownerReferences=owned, uid=f"uid-rs-{name}")
    return {"kind": "ReplicaSet", "metadata": made, "status": {"replicas": replicas}}


def test_every_alert_of_one_namespace_is_one_subject_with_all_that_its_labels_call_it():
    alerts = tuple(
        Alert(labels={"namespace": "shop", **more}) for more in ({"pod": "a-1"}, {"deployment": "api", "service": "Front End"}, {})
    )
    incident = Incident(id="Q", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P"), alerts=alerts)
    (found,) = subjects(incident)
    assert (found.pods, found.workloads, found.hints) == ({"a-1"}, {("Deployment", "api")}, {"Front End"})
    assert "Front End" not in found.names


@pytest.mark.parametrize(
    "subject",
    [
        {"pods": frozenset({"web-5d9f8b6c57-00002"})},
        {"workloads": frozenset({("Deployment", "web")})},
        {"hints": frozenset({"web"})},
    ],
)
def test_what_is_named_comes_first_then_what_is_in_trouble_then_the_rest(subject):
    rs = [replica_set(f"{n}-5d9f8b6c57", 1, n, 2) for n in ("api", "bad", "web")]
    for item, name in zip(rs, ("api", "bad", "web"), strict=True):
        item["metadata"]["uid"] = f"uid-rs-{name}"
    pods = [pod("api"), pod("bad", up=False), pod("web", 1), pod("web", 2)]
    found = scoped(*pods, *rs, *(deployment(n) for n in ("api", "bad", "web")), **subject)
    assert [n.partition("-")[0] for n in names(found["Pod"])] == ["web", "web", "bad", "api"]
    assert names(found["Deployment"])[0] == "web"


def test_a_pod_that_is_named_comes_before_its_peers():
    found = scoped(pod("web", 1), pod("web", 2), pods=frozenset({"web-5d9f8b6c57-00002"}))
    assert names(found["Pod"])[0].endswith("00002")


def test_objects_without_uids_are_told_apart_by_name():
    bare = [pod("a"), pod("b"), deployment("a"), deployment("b")]
    for item in bare:
        item["metadata"].pop("uid")
    found = scoped(*bare, workloads=frozenset({("Deployment", "b")}))
    assert names(found["Deployment"]) == ["b", "a"]


def test_the_rollout_history_is_the_newest_three_and_those_with_pods():
    sets = [replica_set(f"api-{n}", n, replicas=int(n == 2)) for n in range(1, 8)]
    assert names(scoped(deployment("api"), *sets)["ReplicaSet"]) == ["api-7", "api-6", "api-5", "api-2"]


def test_workloads_that_are_short_of_pods_come_before_those_that_are_not():
    found = scoped(deployment("ok"), deployment("none", replicas=0, ready=0), deployment("short", replicas=3, ready=1))
    assert names(found["Deployment"]) == ["none", "short", "ok"]


def cluster(kind, name, **more):
    return {"kind": kind, "metadata": {"name": name}, **more}


def test_of_the_cluster_only_what_the_namespace_refers_to_or_would_need_is_kept():
    wide = [
        cluster("PersistentVolume", "mine", spec={"claimRef": {"namespace": "shop"}}),
        cluster("PersistentVolume", "theirs", spec={"claimRef": {"namespace": "x"}}),
        cluster("PersistentVolume", "free", status={"phase": "Available"}),
        cluster("StorageClass", "fast"),
        cluster("IngressClass", "nginx"),
        cluster("PriorityClass", "high"),
        cluster("Namespace", "shop"),
        cluster("Namespace", "x"),
        cluster("Node", "n1"),
        cluster("Node", "n2"),
    ]
    found = scoped(pod("api"), *wide)
    kept = {kind: names(found[kind]) for kind in CLUSTER_KINDS}
    assert kept == {
        "Node": ["n1"],
        "PersistentVolume": ["mine"],
        "StorageClass": [],
        "IngressClass": [],
        "PriorityClass": [],
        "Namespace": ["shop"],
    }
    claim = {"kind": "PersistentVolumeClaim", "metadata": meta("data"), "status": {"phase": "Pending"}}
    ingress = {"kind": "Ingress", "metadata": meta("web")}
    waiting = pod("web", status={"phase": "Pending"}, nodeName="", priorityClassName="high")
    found = scoped(pod("api"), claim, ingress, waiting, *wide)
    assert names(found["PersistentVolume"]) == ["mine", "free"]
    assert [names(found[k]) for k in ("StorageClass", "IngressClass", "PriorityClass")] == [["fast"], ["nginx"], ["high"]]
    assert names(found["Node"]) == ["n1", "n2"]  # a pod without a node may want any


def test_warnings_come_before_other_events_and_of_each_the_newest_first():
    def event(name, kind, minutes):
        about = {"kind": "Pod", "name": "api-5d9f8b6c57-00001", "namespace": "shop", "uid": "uid-shop-api-5d9f8b6c57-00001"}
        return {
            "kind": "Event",
            "metadata": meta(name),
            "type": kind,
            "involvedObject": about,
            "lastTimestamp": ago(minutes=minutes),
        }

    mine = [event("n", "Normal", 1), event("old", "Warning", 9), event("new", "Warning", 2)]
    strange = {**event("x", "Warning", 1), "involvedObject": {"kind": "Pod", "name": "gone"}}
    assert names(scoped(pod("api"), strange, *mine)["Event"]) == ["new", "old", "n"]


def running(made):
    made["status"]["containerStatuses"] = [
        {"name": "main", "ready": True, "state": {"running": {"startedAt": ago(hours=1)}}, "restartCount": 0}
    ]
    return made


def test_logs_are_those_of_sick_pods_and_of_what_is_named_when_that_is_well():
    web, other = running(pod("web")), running(pod("other"))
    sick = running(pod("bad", up=False))
    sick["status"]["containerStatuses"][0]["ready"] = False
    named = Subject("shop", workloads=frozenset({("Deployment", "web")}), hints=frozenset({"web"}))

    def wanted(subject, *pods):
        return [pod for _, pod, _, _ in logs_wanted(subject, {"Pod": list(pods)}, NOW)]

    assert wanted(named, web, other, sick) == ["web-5d9f8b6c57-00001", "bad-5d9f8b6c57-00001"]
    assert wanted(Subject("shop"), web, other, sick) == ["bad-5d9f8b6c57-00001"]
    assert wanted(Subject("shop", hints=frozenset({"bad"})), web, other, sick) == ["bad-5d9f8b6c57-00001"]


def test_every_kind_is_in_one_group_and_the_dns_server_is_known_by_its_label_and_place():
    kinds = [k for group in GROUPS.values() for k in group]
    assert len(kinds) == len(set(kinds))
    assert set(kinds) >= CLUSTER_KINDS
    assert serves_names(pod("coredns", namespace="kube-system", labels={"k8s-app": "kube-dns"}))
    assert not serves_names(pod("coredns", labels={"k8s-app": "kube-dns"}))
    assert not serves_names(service("kube-dns", namespace="kube-system"))
