"""Evicted pods, objects that cannot go, and containers on their way to a limit; and the same, over or harmless."""

import pytest

from sre_agent.detectors.kubernetes import container_limits, deletions, ended_pods, evictions
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.events import ObjectEvents, message
from tests.detectors.workload_cases import ago, condition, container, ended, event, meta, node, owned, pod, running, seen, series

NAME = "api-6d4f-x1"
MIB = 1024.0**2


def evicted(words: str, since: float | None = 5, name: str = NAME) -> dict:
    made = pod(name, phase="Failed", age=200)
    made["status"] |= {"reason": "Evicted", "message": words, "containerStatuses": []}
    made["status"]["conditions"] = [] if since is None else [condition("DisruptionTarget", "True", since)]
    return made


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi.", R.MEMORY_PRESSURE),
        ("The node was low on resource: ephemeral-storage. ", R.DISK_PRESSURE),
        ("The node had condition: [DiskPressure]. ", R.DISK_PRESSURE),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", R.DISK_FULL),
        ('Usage of EmptyDir volume "cache" exceeds the limit "500Mi". ', R.DISK_FULL),
        ("The node was low on resource: pids.", R.PID_PRESSURE),
        ("somebody wanted it so", None),
    ],
)
def test_an_evicted_pod_says_what_its_node_was_short_of(words, reason):
    (finding,) = evictions.detect(seen(evicted(words)))
    assert (finding.kind, finding.object, finding.reason) == (K.POD_EVICTED, f"pod/{NAME}", reason)
    assert words.strip() in finding.cause


def test_an_eviction_of_this_morning_is_history_and_one_without_a_time_is_weak():
    assert evictions.detect(seen(evicted("memory", 90))) == ()
    assert evictions.detect(seen(evicted("memory", None)))[0].strength < 0.5
    undated = evicted("memory", None)
    assert evictions.detect(seen(undated, event(undated, "Evicted", "memory", last=3)))[0].strength > 0.7
    assert evictions.detect(seen(pod(NAME, running()))) == ()


def test_twenty_evicted_pods_of_one_workload_are_three_findings():
    assert len(evictions.detect(seen(*(evicted("memory", name=f"api-6d4f-x{i}") for i in range(20))))) == 3


def ending(item: dict, minutes: float, *finalizers: str) -> dict:
    item["metadata"] |= {"deletionTimestamp": ago(minutes), "finalizers": list(finalizers)}
    return item


def test_a_pod_held_by_a_finalizer_names_it():
    (finding,) = deletions.detect(seen(ending(pod(NAME), 9, "example.com/hold")))
    assert (finding.kind, finding.object, finding.reason) == (K.DELETION_STUCK, f"pod/{NAME}", R.FINALIZER)
    assert "example.com/hold" in finding.cause


def test_a_pod_on_a_silent_node_is_a_symptom_of_the_node():
    silent = node()
    silent["status"]["conditions"][0]["status"] = "Unknown"
    (finding,) = deletions.detect(seen(ending(pod(NAME), 9), silent))
    assert finding.reason is R.KUBELET_SILENT
    assert finding.strength < 0.5
    assert deletions.detect(seen(ending(pod(NAME), 9), node()))[0].reason is None


def test_a_namespace_says_itself_what_is_left_in_it():
    item = {"kind": "Namespace", "metadata": {"name": "shop", "deletionTimestamp": ago(30)}, "spec": {"finalizers": ["kubernetes"]}}
    words = "Some content in the namespace has finalizers remaining: example.com/db in 1 resource instances"
    item["status"] = {"phase": "Terminating", "conditions": [condition("NamespaceFinalizersRemaining", "True", message=words)]}
    (finding,) = deletions.detect(seen(item))
    assert finding.object == "namespace/shop"
    assert "example.com/db" in finding.cause


def test_a_claim_in_use_names_the_pod_that_uses_it():
    claim = ending({"kind": "PersistentVolumeClaim", "metadata": meta("data")}, 30, "kubernetes.io/pvc-protection")
    user = pod(NAME, running(), spec={"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]})
    (finding,) = deletions.detect(seen(claim, user))
    assert finding.object == "claim/data"
    assert f"pod {NAME} uses it" in finding.cause


@pytest.mark.parametrize("item", [ending(pod(NAME), 1), ending(pod(NAME), -0.5), pod(NAME)])
def test_a_pod_within_its_grace_is_not_stuck(item):
    assert deletions.detect(seen(item)) == ()


def memory(values: list[float], **more):
    return series("container_memory_working_set_bytes", [v * MIB for v in values], pod=NAME, container="app", **more)


LIMITED = pod(NAME, running(), spec={"containers": [container(resources={"limits": {"memory": "500Mi"}})]})
CLIMB = [200 + 5 * i for i in range(55)]


def test_memory_that_climbs_to_its_limit_is_found_by_the_pods_own_limit_or_a_metric():
    (finding,) = container_limits.detect(seen(LIMITED, metrics=(memory(CLIMB),)))
    assert (finding.kind, finding.object) == (K.POD_MEMORY_GROWS, f"pod/{NAME}")
    assert "470 MiB of its limit of 500 MiB" in finding.cause
    assert set(finding.evidence) == {"e1", "e2"}
    limit = series("kube_pod_container_resource_limits", [500 * MIB], pod=NAME, container="app", resource="memory")
    assert container_limits.detect(seen(metrics=(memory(CLIMB), limit)))


@pytest.mark.parametrize(
    "values",
    [
        [450.0] * 55,
        [200.0] * 25 + [450.0] * 30,
        [200 + 0.5 * i for i in range(55)],
        [200 + (90 if i % 2 else 0) + i for i in range(55)],
        [200 + 5 * i for i in range(50)] + [210 + i for i in range(5)],
        [300.0, 470.0],
    ],
)
def test_memory_that_stands_jumps_breathes_or_began_anew_does_not_grow(values):
    assert container_limits.detect(seen(LIMITED, metrics=(memory(values),))) == ()


def test_memory_without_a_limit_has_nothing_to_grow_to():
    assert container_limits.detect(seen(pod(NAME, running()), metrics=(memory(CLIMB),))) == ()


def throttled(before: float, after: float) -> tuple[dict, dict]:
    shares = [before] * 50 + [after] * 10
    held = [sum(shares[: i + 1]) * 600 for i in range(60)]
    whole = [600.0 * (i + 1) for i in range(60)]
    names = ("container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total")
    return tuple(series(n, v, pod=NAME, container="app") for n, v in zip(names, (held, whole), strict=True))


def test_a_container_that_is_held_back_since_the_onset_is_throttled():
    (finding,) = container_limits.detect(seen(metrics=throttled(0.05, 0.8)))
    assert (finding.kind, finding.object) == (K.POD_CPU_THROTTLED, f"pod/{NAME}")
    assert "in 80% of the periods, before the onset in 5%" in finding.cause
    assert finding.strength > 0.7


def test_a_container_that_is_always_held_back_is_context_and_a_little_is_nothing():
    assert container_limits.detect(seen(metrics=throttled(0.6, 0.65)))[0].strength < 0.5
    assert container_limits.detect(seen(metrics=throttled(0.05, 0.2))) == ()
    assert container_limits.detect(seen(metrics=throttled(0.05, 0.8)[:1])) == ()


def test_events_of_the_newer_api_are_read_as_well():
    item = pod(NAME)
    newer = {"kind": "Event", "reason": "Failed", "note": "no", "regarding": {"kind": "Pod", "name": NAME, "namespace": "shop"}}
    ((_, found),) = ObjectEvents([("e1", newer)]).about(item, "Failed")
    assert message(found) == "no"
    other = {**newer, "regarding": {**newer["regarding"], "uid": "an-earlier-life"}}
    assert ObjectEvents([("e1", other)]).about(item) == []
    del item["metadata"]["uid"]
    assert ObjectEvents([("e1", other)]).about(item) == [("e1", other)]


def over(code: int, *, reason: str = "Error", at: float = 5, **more) -> dict:
    status = {"name": "app", "ready": False, "restartCount": 0, "state": {"terminated": ended(code, reason, "bye", at=at)}}
    return pod("once", status, phase="Failed", **{"owners": [], **more})


def test_a_bare_pod_that_failed_is_told_with_its_exit():
    (finding,) = ended_pods.detect(seen(over(3)))
    assert (finding.kind, finding.reason) == (K.POD_CRASH_LOOP, R.APP_ERROR)
    assert "exit code 3" in finding.cause
    assert "nothing starts it again" in finding.cause
    assert ended_pods.detect(seen(over(137, reason="OOMKilled")))[0].kind is K.POD_OOM_KILLED


@pytest.mark.parametrize("item", [over(0), over(3, at=90), over(3, owners=owned("Job", "once")), evicted("memory")])
def test_a_pod_that_ended_well_or_long_ago_or_belongs_to_a_job_is_not(item):
    assert ended_pods.detect(seen(item)) == ()


def test_a_pod_that_its_node_refused_after_all_was_not_placed():
    refused = pod(NAME, phase="Failed", age=10)
    refused["status"] |= {
        "reason": "OutOfcpu",
        "message": "Pod was rejected: Node didn't have enough resource: cpu",
        "containerStatuses": [],
    }
    (finding,) = ended_pods.detect(seen(refused))
    assert (finding.kind, finding.reason) == (K.POD_UNSCHEDULABLE, R.CPU_SHORT)
    old = pod(NAME, phase="Failed", age=200)
    old["status"]["reason"] = "OutOfcpu"
    assert ended_pods.detect(seen(old)) == ()
