"""Shops that are well, or well again, and do not look it: nothing here may be called a cause."""

import copy

from tests.frozen.cluster import DAY, ago, container, meta, pod

WELL = {}


def well(change):
    """Register a state that is well."""
    WELL[change.__name__] = change
    return change


def _job(world, name, owner=None, made=DAY, **status):
    job = {"kind": "Job", "metadata": meta(name, owner=owner, made=made), "spec": {"backoffLimit": 3}, "status": status}
    world.items.append(job)
    return job


def _pod_of(job, name, phase, code):
    labels, spec = {"job-name": job["metadata"]["name"]}, {"containers": [container("work", 0, {})], "restartPolicy": "Never"}
    made = pod(name, job, spec, labels, "n1")
    ended = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "finishedAt": ago(minutes=12)}
    made["status"]["phase"] = phase
    made["status"]["containerStatuses"][0] |= {"ready": False, "state": {"terminated": ended}}
    for c in made["status"]["conditions"]:
        if c["type"] in ("Ready", "ContainersReady"):
            c |= {"status": "False", "reason": "PodCompleted", "lastTransitionTime": ago(minutes=12)}
    return made


@well
def jobs_that_are_done(world):
    done = {"type": "Complete", "status": "True", "lastTransitionTime": ago(minutes=12)}
    for n in (1, 2, 3):
        job = _job(world, f"nightly-{n}", succeeded=1, startTime=ago(minutes=20), completionTime=ago(minutes=12), conditions=[done])
        world.items.append(_pod_of(job, f"nightly-{n}-x", "Succeeded", 0))


@well
def a_job_that_failed_once_and_is_done(world):
    done = {"type": "Complete", "status": "True", "lastTransitionTime": ago(minutes=5)}
    job = _job(world, "import", succeeded=1, failed=1, startTime=ago(minutes=20), completionTime=ago(minutes=5), conditions=[done])
    world.items += [_pod_of(job, "import-a", "Failed", 1), _pod_of(job, "import-b", "Succeeded", 0)]


@well
def a_cron_job_whose_last_run_went_well(world):
    spec = {"schedule": "*/30 * * * *", "jobTemplate": {"spec": {}}}
    status = {"lastScheduleTime": ago(minutes=10), "lastSuccessfulTime": ago(minutes=8)}
    cron = {"kind": "CronJob", "metadata": meta("report"), "spec": spec, "status": status}
    world.items.append(cron)
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": ago(hours=5)}
    _job(world, "report-1", owner=cron, made=ago(hours=6), failed=4, startTime=ago(hours=6), conditions=[failed])
    done = {"type": "Complete", "status": "True", "lastTransitionTime": ago(minutes=8)}
    _job(world, "report-2", owner=cron, made=ago(minutes=10), succeeded=1, startTime=ago(minutes=10), conditions=[done])


@well
def a_workload_at_rest_that_nobody_asks_for(world):
    world.drop(*world.pods("mailer"))
    for kind, name in (("Deployment", "mailer"), ("ReplicaSet", "mailer-5d9c")):
        item = world.get(kind, name)
        item["spec"]["replicas"], item["status"] = 0, {"replicas": 0, "conditions": item["status"].get("conditions", [])}


def _new_pod(world, app, name, **span):
    young = copy.deepcopy(world.pods(app)[0])
    young["metadata"] |= {"name": name, "uid": f"uid-{name}", "creationTimestamp": ago(**span)}
    young["status"]["startTime"] = ago(**span)
    for c in young["status"]["conditions"]:
        c["lastTransitionTime"] = ago(**span)
        if c["type"] in ("Ready", "ContainersReady"):
            c |= {"status": "False", "reason": "ContainersNotReady"}
    young["status"]["containerStatuses"][0] |= {"ready": False, "state": {"running": {"startedAt": ago(**span)}}}
    world.items.append(young)
    return young


@well
def a_rollout_of_two_minutes(world):
    deployment, old = world.get("Deployment", "cart"), world.get("ReplicaSet", "cart-5d9c")
    new = copy.deepcopy(old)
    new["metadata"] |= {"name": "cart-7f7f", "uid": "uid-new", "creationTimestamp": ago(minutes=2)}
    new["metadata"]["labels"]["pod-template-hash"] = "7f7f"
    new["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/cart:1.1"
    new["spec"]["replicas"], new["status"] = 1, {"replicas": 1, "readyReplicas": 0}
    deployment["metadata"] |= {"generation": 2, "annotations": {"deployment.kubernetes.io/revision": "2"}}
    deployment["spec"]["template"] = copy.deepcopy(new["spec"]["template"])
    deployment["status"] |= {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "unavailableReplicas": 1}
    deployment["status"]["conditions"][1] |= {"reason": "ReplicaSetUpdated", "lastUpdateTime": ago(minutes=1)}
    young = _new_pod(world, "cart", "cart-7f7f-0", minutes=2)
    young["metadata"]["labels"]["pod-template-hash"] = "7f7f"
    young["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "cart-7f7f", "uid": "uid-new", "controller": True}]
    world.items.append(new)
    world.event(young, "Unhealthy", "Readiness probe failed: dial tcp 10.0.0.9:8080: connect: connection refused", 6)


@well
def an_autoscaler_that_adds_pods(world):
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 10}
    able = {"type": "AbleToScale", "status": "True", "reason": "SucceededRescale"}
    status = {"currentReplicas": 2, "desiredReplicas": 3, "conditions": [able], "lastScaleTime": ago(seconds=40)}
    world.items.append({"kind": "HorizontalPodAutoscaler", "metadata": meta("web"), "spec": spec, "status": status})
    for kind, name in (("Deployment", "web"), ("ReplicaSet", "web-5d9c")):
        world.get(kind, name)["spec"]["replicas"] = 3
        world.get(kind, name)["status"] |= {"replicas": 3, "updatedReplicas": 3, "unavailableReplicas": 1}
    _new_pod(world, "web", "web-5d9c-9", seconds=40)


@well
def a_cordoned_node_that_nobody_misses(world):
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": ago(hours=2)}
    world.get("Node", "n3")["spec"] = {"unschedulable": True, "taints": [taint]}


@well
def old_evicted_pods_that_nobody_cleared(world):
    for n in range(3):
        dead = copy.deepcopy(world.pods("web")[0])
        dead["metadata"] |= {"name": f"web-5d9c-old{n}", "uid": f"uid-old{n}"}
        dead["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        dead["status"]["startTime"] = ago(hours=20)
        world.items.append(dead)


@well
def a_node_that_came_back(world):
    for c in world.get("Node", "n1")["status"]["conditions"]:
        if c["type"] == "Ready":
            c["lastTransitionTime"] = ago(hours=3)
    world.event(world.get("Node", "n1"), "NodeNotReady", "Node n1 status is now: NodeNotReady", 2)


@well
def a_budget_of_one_pod_that_nobody_drains(world):
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "mailer"}}}
    status = {"currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0, "expectedPods": 1, "observedGeneration": 1}
    world.items.append({"kind": "PodDisruptionBudget", "metadata": meta("mailer"), "spec": spec, "status": status})
