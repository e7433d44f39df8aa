"""Causes before symptoms: what explains what, over nodes, owners, claims, stores and calls."""

from datetime import timedelta

import pytest

from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.investigation.rank import rank

LATER = timedelta(minutes=2)


def ref(kind, name):
    return {"kind": kind, "name": name, "controller": True}


def item(kind, name, labels=None, owner=None, **more):
    owners = {"ownerReferences": [owner]} if owner else {}
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop", "labels": labels or {}, **owners}, **more}


def pod(name, app, node="n1", env=None, claim=""):
    spec = {"nodeName": node, "containers": [{"name": "main", "env": [{"name": "URL", "value": v} for v in env or ()]}]}
    if claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    return item("Pod", name, {"app": app}, ref("ReplicaSet", f"{app}-1"), spec=spec)


def service(name, app):
    return item("Service", name, spec={"selector": {"app": app}})


WORLD = [
    pod("web-1-a", "web", env=["redis://cache:6379/0"]),
    pod("cache-1-a", "cache", node="n2", claim="data"),
    item("ReplicaSet", "web-1", owner=ref("Deployment", "web")),
    item("ReplicaSet", "cache-1", owner=ref("Deployment", "cache")),
    service("web", "web"),
    service("cache", "cache"),
]


@pytest.fixture
def order(made):
    def ranked(*findings, world=WORLD, labels=None):
        seen = [made.evidence(EvidenceKind.KUBERNETES, {"items": world}, id="e1")]
        found = rank(findings, made.view(seen, labels=labels or {"alertname": "A", "namespace": "shop"}))
        return [c.object for c in found.causes], [f.object for f in found.findings]

    return ranked


def finding(made, kind, name, strength=0.8, onset=None, namespace="shop"):
    return made.finding(kind=kind, object=name, evidence=("e1",), strength=strength, onset=onset, namespace=namespace)


def test_a_fault_of_what_a_pods_environment_names_explains_the_pod(made, order):
    caller = finding(made, K.POD_CRASH_LOOP, "pod/web-1-a", 0.95, made.ONSET + LATER)
    callee = finding(made, K.POD_IMAGE_PULL_FAILED, "pod/cache-1-a", 0.8, made.ONSET)
    assert order(caller, callee) == (["pod/cache-1-a"], ["pod/cache-1-a", "pod/web-1-a"])


def test_a_service_that_leads_nowhere_explains_its_callers(made, order):
    caller = finding(made, K.POD_NOT_READY, "pod/web-1-a", 0.9)
    assert order(caller, finding(made, K.SERVICE_PORT_MISMATCH, "service/cache"))[0] == ["service/cache"]
    assert len(order(caller, finding(made, K.SERVICE_PORT_MISMATCH, "service/web"))[0]) == 2


def test_what_began_later_or_is_weak_or_is_not_called_explains_no_caller(made, order):
    caller = finding(made, K.POD_CRASH_LOOP, "pod/web-1-a", 0.9, made.ONSET)
    assert len(order(caller, finding(made, K.POD_CRASH_LOOP, "pod/cache-1-a", 0.8, made.ONSET + LATER))[0]) == 2
    assert len(order(caller, finding(made, K.POD_CRASH_LOOP, "pod/cache-1-a", 0.4, made.ONSET - LATER))[0]) == 2
    strangers = [pod("web-1-a", "web"), *WORLD[1:]]
    assert len(order(caller, finding(made, K.POD_CRASH_LOOP, "pod/cache-1-a", 0.8), world=strangers)[0]) == 2


def test_two_that_call_each_other_explain_nothing(made, order):
    circle = [WORLD[0], pod("cache-1-a", "cache", env=["http://web"]), *WORLD[2:]]
    both = finding(made, K.POD_CRASH_LOOP, "pod/web-1-a"), finding(made, K.POD_CRASH_LOOP, "pod/cache-1-a")
    assert sorted(order(*both, world=circle)[0]) == ["pod/cache-1-a", "pod/web-1-a"]


def test_an_unbound_claim_explains_the_pod_that_waits_for_it_and_no_other(made, order):
    claim = finding(made, K.CLAIM_UNBOUND, "claim/data")
    assert order(claim, finding(made, K.POD_UNSCHEDULABLE, "pod/cache-1-a"))[0] == ["claim/data"]
    assert len(order(claim, finding(made, K.POD_UNSCHEDULABLE, "pod/web-1-a"))[0]) == 2


def test_pods_explain_the_rollout_and_the_service_that_stand_on_them(made, order):
    sick = finding(made, K.POD_BAD_CONFIG, "pod/cache-1-a")
    shown = finding(made, K.ROLLOUT_STUCK, "deployment/cache", 0.9), finding(made, K.SERVICE_NO_ENDPOINTS, "service/cache", 0.9)
    assert order(sick, *shown)[0] == ["pod/cache-1-a"]
    assert len(order(sick, finding(made, K.SERVICE_NO_ENDPOINTS, "service/web", 0.9))[0]) == 2


def test_a_cordoned_node_explains_pods_without_a_place_only_when_it_matters(made, order):
    waiting = finding(made, K.POD_UNSCHEDULABLE, "pod/web-1-a").model_copy(update={"reason": FindingReason.NODES_CORDONED})
    short = waiting.model_copy(update={"reason": FindingReason.CPU_SHORT})
    assert len(order(short, finding(made, K.NODE_CORDONED, "node/n1", 0.8, namespace=None))[0]) == 2
    assert order(waiting, finding(made, K.NODE_CORDONED, "node/n1", 0.8, namespace=None))[0] == ["node/n1"]
    assert "pod/web-1-a" in order(waiting, finding(made, K.NODE_CORDONED, "node/n1", 0.3, namespace=None))[0]


def test_an_alert_that_fires_on_purpose_is_healthy_unless_something_else_is_found(made):
    seen = [made.evidence(EvidenceKind.ALERT, [], id="e1")]
    purpose = made.finding(kind=K.ALERT_ALWAYS_FIRES, object="app/a", evidence=("e1",), strength=0.9)
    assert rank([purpose], made.view(seen)).outcome.healthy
    other = made.finding(kind=K.POD_CRASH_LOOP, object="pod/x", evidence=("e1",))
    assert not rank([purpose, other], made.view(seen)).outcome.healthy
    assert not rank([purpose], made.view(seen), trustworthy=False).outcome.healthy
