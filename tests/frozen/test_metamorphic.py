"""What must not matter: an unrelated sick workload, the order of the objects, what anything is called. And what hides nothing."""

import json
import random
import re

import pytest

from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.series import Series
from tests.frozen.cluster import LATELY, NAMESPACE, World, ago, meta, node
from tests.frozen.examined import examined
from tests.frozen.faults import FAULTS
from tests.frozen.faults_more import FAULTS_MORE

EVERY = {**FAULTS, **FAULTS_MORE}
NAMES = {"web": "facade", "cart": "basket", "mailer": "letters", "redis": "kv", "postgres": "ledgerdb", "n1": "wk-a", "n2": "wk-b"}
_KINDS = ("deployment", "statefulset", "daemonset")


def faulty(name):
    """The world of a fault, its alert naming the workload where there is one."""
    change, _, objects = EVERY[name]
    world = World()
    change(world)
    for kind, _, about in (o.partition("/") for o in objects):
        if kind in _KINDS and "*" not in about and world.labels["namespace"] == NAMESPACE:
            world.labels = {**world.labels, kind: about}
            break
    return world


def first(world):
    """(kind, object) of the first cause."""
    cause = examined(world).root_causes[0]
    return cause.kind, cause.object


def foremost(world):
    """The first cause, and those that only their names put behind it."""
    found = examined(world).root_causes
    return {(c.kind, c.object) for c in found if (c.kind, c.score) == (found[0].kind, found[0].score)}


def renamed(said):
    for old, new in NAMES.items():
        said = re.sub(rf"(?<![A-Za-z]){old}(?![A-Za-z])", new, said)
    return said


@pytest.mark.parametrize("name", EVERY)
def test_an_unrelated_sick_workload_changes_nothing_about_the_first_cause(name):
    alone, beside = faulty(name), faulty(name)
    beside.workload("unrelated", 2, 9999, {})
    beside.crashing("unrelated", 139)
    assert first(beside) == first(alone)


@pytest.mark.parametrize("name", EVERY)
def test_neither_the_order_of_the_objects_nor_their_names_matter(name):
    plain, mixed = faulty(name), faulty(name)
    random.Random(7).shuffle(mixed.items)
    told = foremost(plain)
    assert first(mixed) == first(plain)
    mixed.items = json.loads(renamed(json.dumps(mixed.items)))
    mixed.logs = {(renamed(p), renamed(c)): [renamed(x) for x in lines] for (p, c), lines in mixed.logs.items()}
    mixed.labels = {k: renamed(v) for k, v in mixed.labels.items()}
    mixed.metrics = [Series(labels={k: renamed(v) for k, v in s.labels.items()}, samples=s.samples) for s in mixed.metrics]
    assert foremost(mixed) == {(kind, renamed(about)) for kind, about in told}


def causes(world):
    return {(f.kind, f.object) for f in examined(world).causes}


def crashed(code=139, which=None):
    """web crashes by itself, and the alert is about it."""
    world = World()
    world.labels["deployment"] = "web"
    world.crashing("web", code, which=which)
    return world


def test_one_sick_pod_of_a_service_that_still_answers_hides_no_crash_of_its_callers():
    world = crashed()
    for p in world.waiting("cart", "ImagePullBackOff", "Back-off pulling image", which=[0]):
        p["status"]["conditions"][1]["lastTransitionTime"] = ago(minutes=40)
    assert (K.POD_CRASH_LOOP, "pod/web-5d9c-0") in causes(world)
    for p in world.waiting("cart", "ImagePullBackOff", "Back-off pulling image"):
        p["status"]["conditions"][1]["lastTransitionTime"] = ago(minutes=40)
    assert (K.POD_CRASH_LOOP, "pod/web-5d9c-0") not in causes(world)


def test_a_policy_about_others_hides_no_crash():
    world = World()
    FAULTS["policy_that_lets_nobody_in"][0](world)
    world.crashing("mailer", 139)
    for p in world.pods("mailer"):
        p["status"]["containerStatuses"][0]["lastState"]["terminated"]["finishedAt"] = ago(minutes=1)
    found = causes(world)
    assert (K.POD_CRASH_LOOP, "pod/mailer-5d9c-0") in found
    assert (K.NETWORK_POLICY_DENIES, "networkpolicy/lock-redis") in found
    assert not any(name.startswith("pod/web") for _, name in found)


def silent(world):
    """A node of the cluster that went away, with none of the shop's pods."""
    gone = node("n9")
    for c in gone["status"]["conditions"]:
        c |= {"status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": LATELY}
    world.items.append(gone)
    return world


@pytest.mark.parametrize(
    ("taints", "hidden"),
    [
        ("4 node(s) had untolerated taint {dedicated: gpu}", False),
        ("4 node(s) had untolerated taint {node.kubernetes.io/unreachable: }", True),
        (
            "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 3 node(s) had untolerated taint {dedicated: gpu}",
            True,
        ),
        ("1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }, 3 Insufficient memory", False),
    ],
)
def test_a_silent_node_explains_only_the_pods_that_its_own_taint_keeps_away(taints, hidden):
    world = silent(World())
    world.unplaced("mailer", f"0/4 nodes are available: {taints}. preemption: 0/4 nodes are available")
    assert ((K.POD_UNSCHEDULABLE, "pod/mailer-5d9c-0") not in causes(world)) is hidden


def test_services_that_call_each_other_in_a_ring_do_not_hide_each_other_altogether():
    world = World()
    for name, callee in (("alpha", "bakery"), ("bakery", "carrier"), ("carrier", "alpha")):
        world.workload(name, 1, 8080, {"NEXT": f"http://{callee}:8080"})
        world.service(name, 8080, 8080)
    for name in ("alpha", "bakery", "carrier"):
        world.crashing(name, 1)
    assert {name for kind, name in causes(world) if kind is K.POD_CRASH_LOOP} == {
        "pod/alpha-5d9c-0",
        "pod/bakery-5d9c-0",
        "pod/carrier-5d9c-0",
    }


def test_a_job_of_a_cron_job_explains_the_pod_that_it_made():
    world = World()
    FAULTS_MORE["cron_job_whose_pods_fail"][0](world)
    looping = next(p for p in world.items if p["metadata"]["name"] == "report-29-2")
    ended = looping["status"]["containerStatuses"][0]["state"].pop("terminated")
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    looping["status"]["phase"] = "Running"
    looping["status"]["containerStatuses"][0] |= {"restartCount": 4, "state": state, "lastState": {"terminated": ended}}
    assert {(k, name.partition("-")[0]) for k, name in causes(world)} == {(K.JOB_FAILED, "job/report")}


def test_what_a_problem_detector_says_of_a_node_counts_once_pods_of_several_owners_fail_there():
    world, quiet = World(), World()
    FAULTS_MORE["node_whose_file_system_became_read_only"][0](world)
    assert first(world) == (K.NODE_FAILING_PODS, "node/n2")
    bad = {"type": "KernelDeadlock", "status": "True", "reason": "DockerHung", "lastTransitionTime": LATELY}
    fine = {"type": "EtcdIsVoter", "status": "True", "reason": "MemberNotLearner", "lastTransitionTime": LATELY}
    quiet.get("Node", "n2")["status"]["conditions"] += [bad, fine]
    assert examined(quiet).findings == ()


def test_a_budget_and_an_autoscaler_stand_on_the_pods_they_are_about():
    world = crashed()
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    status = {"currentHealthy": 0, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 2, "observedGeneration": 1}
    world.items.append({"kind": "PodDisruptionBudget", "metadata": meta("web"), "spec": spec, "status": status})
    world.get("Node", "n2")["spec"] = {"unschedulable": True}
    assert not any(kind is K.DISRUPTION_BUDGET_BLOCKS for kind, _ in causes(world))
