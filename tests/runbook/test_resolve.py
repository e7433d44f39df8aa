from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.runbook.resolve import resolve

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
REDIS = {"redis_master": "cache"}
POD = {"namespace": "voice", "pod": "api-7f9c-x2"}


def view(labels, *evidence):
    window = Window.before(NOW, timedelta(hours=1))
    incident = Incident(
        id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P"),
        alerts=tuple(Alert(labels=one) for one in (labels if isinstance(labels, list) else [labels])),
    )  # fmt: skip
    items = tuple(
        Evidence(id=f"e{i}", source="s", kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)
        for i, (kind, payload) in enumerate(evidence, start=1)
    )
    return EvidenceView(scope=Scope(incident=incident, now=NOW, onset=NOW, window=window, change_window=window), evidence=items)


def redis(run_id="r1", told="r1", hosts=("a", "a", "a"), name="cache", error=""):
    return EvidenceKind.REDIS, {
        "name": name,
        "sentinels": [{"address": str(i), "master": {"ip": h, "port": 6379, "runid": told}} for i, h in enumerate(hosts)],
        "nodes": [{"address": "a:6379", "info": {"run_id": run_id} if run_id else {}, "error": error}],
    }


def pods(*items):
    return EvidenceKind.KUBERNETES, {"items": list(items)}


def pod(uid="u1", name="api-7f9c-x2", namespace="voice", owner=("ReplicaSet", "api-7f9c"), phase="Running", **meta):
    owners = [{"kind": owner[0], "name": owner[1], "uid": "o1", "controller": True}] if owner else []
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "ownerReferences": owners, **meta},
        "status": {"phase": phase},
    }


def about(object, namespace=None, kind=FindingKind.REDIS_PRIMARY_SLOW):
    return Finding(kind=kind, object=object, namespace=namespace, cause="c", strength=1.0, evidence=("e1",))


def test_a_redis_master_is_its_primarys_run_id():
    found = resolve("RedisMaster", about("redis/cache"), view(REDIS, redis()))
    assert found is not None
    assert (found.target.kind, found.target.name, found.target.uid, found.generation) == ("RedisMaster", "cache", "r1", "r1")


def test_a_primary_that_hangs_is_known_by_what_the_sentinels_remember():
    found = resolve("RedisMaster", about("redis/cache"), view(REDIS, redis(run_id="", error="timed out")))
    assert found is not None
    assert found.target.uid == "r1"


def test_names_keep_their_case_though_findings_are_lower_case():
    found = resolve("RedisMaster", about("redis/cache"), view({"redis_master": "Cache"}, redis(name="Cache")))
    assert found is not None
    assert found.target.name == "Cache"
    assert resolve("RedisMaster", about("redis/cache"), view({"redis_master": "Cache"}, redis(name="cache"))) is None


def test_two_readings_that_agree_are_one_master():
    assert resolve("RedisMaster", about("redis/cache"), view(REDIS, redis(), redis())) is not None


@pytest.mark.parametrize(
    ("labels", "evidence"),
    [
        (REDIS, []),
        ({}, [redis()]),
        ([REDIS, {"redis_master": "other"}], [redis()]),
        ({"redis_master": ""}, [redis(name="")]),
        ({"redis_master": "other"}, [redis()]),
        (REDIS, [redis(hosts=("a", "a", "b"))]),
        (REDIS, [redis(hosts=())]),
        (REDIS, [redis(run_id="r2")]),
        (REDIS, [redis(), redis(run_id="r2", told="r2")]),
        (REDIS, [redis(run_id="", told="")]),
    ],
)
def test_a_redis_master_that_is_not_exactly_one_live_primary_is_unresolved(labels, evidence):
    assert resolve("RedisMaster", about("redis/cache"), view(labels, *evidence)) is None


def test_a_pod_is_its_uid_and_its_controllers():
    found = resolve("Pod", about("pod/api-7f9c-x2", "voice"), view(POD, pods(pod(), pod("u2", "api-7f9c-zz"))))
    assert found is not None
    assert found.target.model_dump() == {"kind": "Pod", "namespace": "voice", "name": "api-7f9c-x2", "uid": "u1"}
    assert found.generation == "o1"


@pytest.mark.parametrize(
    ("labels", "owner", "resolved"),
    [
        ({"namespace": "voice", "deployment": "api"}, ("ReplicaSet", "api-7f9c"), True),
        ({"namespace": "voice", "deployment": "api"}, ("ReplicaSet", "api-gateway-7f9c"), False),
        ({"namespace": "voice", "statefulset": "db"}, ("StatefulSet", "db"), True),
        ({"namespace": "voice", "statefulset": "db"}, ("StatefulSet", "db2"), False),
        ({"namespace": "voice"}, ("ReplicaSet", "api-7f9c"), False),
        ({"pod": "api-7f9c-x2"}, ("ReplicaSet", "api-7f9c"), False),
        ({"namespace": "other", "pod": "api-7f9c-x2"}, ("ReplicaSet", "api-7f9c"), False),
        ({"namespace": "voice", "pod": "api-7f9c-zz", "deployment": "api"}, ("ReplicaSet", "api-7f9c"), False),
        ({}, ("ReplicaSet", "api-7f9c"), False),
    ],
)
def test_the_alerts_labels_must_name_the_pod_or_its_owner(labels, owner, resolved):
    found = resolve("Pod", about("pod/api-7f9c-x2", "voice"), view(labels, pods(pod(owner=owner))))
    assert (found is not None) is resolved


@pytest.mark.parametrize(
    "items",
    [
        [],
        [pod(uid="")],
        [pod(), pod("u2")],
        [pod(deletionTimestamp="2026-03-04T03:00:00Z")],
        [pod(phase="Succeeded")],
        [pod(phase="Failed")],
        [pod(namespace="other")],
    ],
)
def test_a_pod_that_is_not_exactly_one_live_object_is_unresolved(items):
    assert resolve("Pod", about("pod/api-7f9c-x2", "voice"), view(POD, pods(*items))) is None


def test_a_finding_about_another_kind_of_object_resolves_to_nothing():
    evidence = view({**POD, **REDIS}, pods(pod()), redis())
    assert resolve("Pod", about("redis/cache"), evidence) is None
    assert resolve("Pod", about("pod/api-7f9c-x2"), evidence) is None  # no namespace
    assert resolve("RedisMaster", about("pod/cache"), evidence) is None
    assert resolve("Deployment", about("deployment/api", "voice"), evidence) is None


def deployment(uid="d1", name="api", **meta):
    return {"kind": "Deployment", "metadata": {"name": name, "namespace": "voice", "uid": uid, "generation": 7, **meta}}


def replica_set(owner="api"):
    owners = [{"kind": "Deployment", "name": owner, "uid": "d1", "controller": True}]
    return {"kind": "ReplicaSet", "metadata": {"name": "api-7f9c", "namespace": "voice", "uid": "o1", "ownerReferences": owners}}


DEGRADED = about("deployment/api", "voice", FindingKind.DEPLOYMENT_DEGRADED)


@pytest.mark.parametrize("labels", [{"namespace": "voice", "deployment": "api"}, POD])
def test_a_deployment_named_by_the_alert_or_by_its_pod_is_resolved_at_its_generation(labels):
    found = resolve("Deployment", DEGRADED, view(labels, pods(deployment(), replica_set(), pod())))
    assert found is not None
    assert (found.target.key, found.target.uid, found.generation) == ("Deployment/voice/api", "d1", "7")


@pytest.mark.parametrize(
    ("labels", "objects"),
    [
        ({"namespace": "voice"}, (deployment(),)),
        ({"namespace": "voice", "deployment": "other"}, (deployment(),)),
        ({"namespace": "shop", "deployment": "api"}, (deployment(),)),
        (POD, (deployment(), replica_set(owner="other"), pod())),
        ({"namespace": "voice", "deployment": "api"}, ()),
        ({"namespace": "voice", "deployment": "api"}, (deployment(), deployment(uid="d2"))),
        ({"namespace": "voice", "deployment": "api"}, (deployment(uid=""),)),
        ({"namespace": "voice", "deployment": "api"}, (deployment(generation=None),)),
        ({"namespace": "voice", "deployment": "api"}, (deployment(deletionTimestamp="2026-03-04T03:00:00Z"),)),
    ],
)
def test_a_deployment_that_is_not_exactly_one_or_not_named_is_none(labels, objects):
    assert resolve("Deployment", DEGRADED, view(labels, pods(*objects))) is None


def node(uid="n1", name="Worker-4", **spec):
    return {"kind": "Node", "metadata": {"name": name, "uid": uid}, "spec": spec}


SICK_NODE = about("node/worker-4", None, FindingKind.NODE_FAILING_PODS)


def on_it(**changes):
    return {**pod(**changes), "spec": {"nodeName": "Worker-4"}}


@pytest.mark.parametrize("labels", [{"node": "Worker-4"}, POD])
def test_a_node_is_named_by_the_alert_or_by_a_pod_on_it(labels):
    found = resolve("Node", SICK_NODE, view(labels, pods(node(), on_it())))
    assert found is not None
    assert (found.target.key, found.target.uid, found.generation) == ("Node/-/Worker-4", "n1", "n1/schedulable")
    found = resolve("Node", SICK_NODE, view(labels, pods(node(unschedulable=True), on_it())))
    assert found is not None
    assert found.generation == "n1/cordoned"


@pytest.mark.parametrize(
    ("labels", "objects"),
    [
        ({"node": "worker-5"}, (node(), on_it())),
        ({"namespace": "voice", "pod": "another"}, (node(), on_it())),
        (POD, (node(), pod())),
        ({"node": "Worker-4"}, ()),
        ({"node": "Worker-4"}, (node(), node(uid="n2"))),
        ({"node": "Worker-4"}, (node(uid=""),)),
    ],
)
def test_a_node_that_is_not_exactly_one_or_not_named_is_none(labels, objects):
    assert resolve("Node", SICK_NODE, view(labels, pods(*objects))) is None


def test_the_namespace_of_one_alert_and_the_name_of_another_are_no_place_that_anybody_named():
    mixed = [{"namespace": "voice", "pod": "web-1"}, {"namespace": "shop", "pod": "api-7f9c-x2"}]
    finding = about("pod/api-7f9c-x2", "voice", FindingKind.POD_CRASH_LOOP)
    assert resolve("Pod", finding, view(mixed, pods(pod()))) is None
    assert resolve("Pod", finding, view([*mixed, POD], pods(pod()))) is not None
    owners = [{"namespace": "voice", "deployment": "web"}, {"namespace": "shop", "deployment": "api"}]
    assert resolve("Pod", finding, view(owners, pods(pod()))) is None
    assert resolve("Pod", finding, view([*owners, {"namespace": "voice", "deployment": "api"}], pods(pod()))) is not None
    item = {"kind": "Deployment", "metadata": {"name": "api", "namespace": "voice", "uid": "d1", "generation": 3}}
    whole = about("deployment/api", "voice", FindingKind.DEPLOYMENT_DEGRADED)
    assert resolve("Deployment", whole, view(owners, pods(item))) is None
    assert resolve("Deployment", whole, view([*owners, {"namespace": "voice", "deployment": "api"}], pods(item))) is not None
