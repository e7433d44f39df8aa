"""API objects as a cluster would show them: workloads, pods in every kind of trouble, nodes, budgets, events."""

import copy
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sre_agent.testing.kubernetes.store import stamp

Json = dict[str, Any]
READINESS: Json = {"httpGet": {"path": "/ready", "port": 8080}}
IMAGE = "registry.example/shop/app@sha256:" + "1f" * 32


class PodState(StrEnum):
    """How a scripted pod is doing. NOT_READY runs but fails its readiness probe."""

    READY = "ready"
    CRASH_LOOP = "crash_loop"
    OOM_KILLED = "oom_killed"
    COMMAND_NOT_FOUND = "command_not_found"
    IMAGE_PULL = "image_pull"
    BAD_CONFIG = "bad_config"
    NOT_READY = "not_ready"


@dataclass(frozen=True)
class PodScript:
    """A pod's state, how long it has been so, its age and restarts, and the exit code of its last run."""

    state: PodState = PodState.READY
    since: timedelta = timedelta(minutes=10)
    age: timedelta = timedelta(hours=2)
    restarts: int = 6
    exit_code: int = 1


@dataclass(frozen=True)
class Workload:
    """A controller with its pods. `states` are given to the first pods, the rest is READY.

    Times in seconds of the server's clock: how long a pod terminates, when its replacement is made, and when that
    takes the `replacement` state (`by_image`: or the one of its image). `min_available` None: no PodDisruptionBudget.
    `container` and `volumes` go into the pod template, `annotations` on the controller, `age` is the controller's.
    `followed`: a rollout controller and a scaler look after the Deployment.
    """

    name: str
    namespace: str = "default"
    kind: str = "Deployment"
    replicas: int = 3
    states: tuple[PodScript, ...] = ()
    nodes: tuple[str, ...] = ("node-1",)
    min_available: int | None = None
    replacement: PodScript = PodScript(restarts=0)
    terminate_after_s: float = 1.0
    replace_after_s: float = 1.0
    ready_after_s: float = 2.0
    labels: dict[str, str] = field(default_factory=dict)
    image: str = IMAGE
    by_image: dict[str, PodScript] = field(default_factory=dict)
    container: Json = field(default_factory=dict)
    volumes: tuple[Json, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)
    followed: bool = False
    age: timedelta = timedelta()

    @property
    def pod_labels(self) -> dict[str, str]:
        """What the controller selects its pods by."""
        return {"app": self.name, **self.labels}


def owner_reference(owner: Json) -> Json:
    """The controller reference a pod or ReplicaSet carries."""
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_object(kind: str, workload: Workload, name: str) -> Json:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet or Job; status is filled in by the controllers."""
    spec: Json = {"selector": {"matchLabels": workload.pod_labels}, "template": _template(workload)}
    if kind != "DaemonSet":
        spec["replicas"] = workload.replicas
    if kind == "Deployment":
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    meta: Json = {"name": name, "namespace": workload.namespace, "labels": workload.pod_labels}
    if workload.annotations and kind != "ReplicaSet":
        meta["annotations"] = dict(workload.annotations)
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec, "status": {}}


def _template(workload: Workload) -> Json:
    spec: Json = {"containers": [{"name": "app", "image": workload.image, "readinessProbe": READINESS, **workload.container}]}
    if workload.volumes:
        spec["volumes"] = [dict(v) for v in workload.volumes]
    return {"metadata": {"labels": workload.pod_labels}, "spec": spec}


def pod_object(name: str, workload: Workload, owner: Json | None, node: str, at: datetime) -> Json:
    """A pod just made at `at`; dress it with `set_state`."""
    meta: Json = {
        "name": name,
        "namespace": workload.namespace,
        "uid": str(uuid.uuid4()),
        "labels": workload.pod_labels,
        "creationTimestamp": stamp(at),
    }
    if owner is not None:
        meta["ownerReferences"] = [owner_reference(owner)]
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 30,
        "restartPolicy": "Always",
        **copy.deepcopy(((owner or {}).get("spec", {}).get("template") or _template(workload))["spec"]),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {}}


def set_state(pod: Json, script: PodScript, now: datetime) -> None:
    """Write the status a kubelet would report for this script."""
    since, started = now - script.since, now - script.age
    status = _container_status(script, now)
    running = script.state not in (PodState.IMAGE_PULL, PodState.BAD_CONFIG)
    ready = script.state is PodState.READY
    pod["status"] = {
        "phase": "Running" if running else "Pending",
        "startTime": stamp(started),
        "qosClass": "BestEffort",
        "conditions": [
            _condition("Initialized", True, started),
            _condition("PodScheduled", True, started),
            _condition("Ready", ready, since, "" if ready else "ContainersNotReady"),
            _condition("ContainersReady", ready, since, "" if ready else "ContainersNotReady"),
        ],
        "containerStatuses": [{"name": "app", "image": IMAGE, "imageID": IMAGE, "ready": ready, "started": running, **status}],
    }


def _condition(kind: str, true: bool, at: datetime, reason: str = "") -> Json:
    condition = {"type": kind, "status": "True" if true else "False", "lastProbeTime": None, "lastTransitionTime": stamp(at)}
    return {**condition, "reason": reason} if reason else condition


def _container_status(script: PodScript, now: datetime) -> Json:
    match script.state:
        case PodState.READY | PodState.NOT_READY:
            return {"state": {"running": {"startedAt": stamp(now - script.since)}}, "lastState": {}, "restartCount": 0}
        case PodState.IMAGE_PULL:
            return _waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
        case PodState.BAD_CONFIG:
            return _waiting("CreateContainerConfigError", 'configmap "app-settings" not found')
        case PodState.COMMAND_NOT_FOUND:
            return _crashed(script, now, 127, "Error")
        case PodState.OOM_KILLED:
            return _crashed(script, now, 137, "OOMKilled")
        case PodState.CRASH_LOOP:
            return _crashed(script, now, script.exit_code, "Error" if script.exit_code else "Completed")


def _waiting(reason: str, message: str) -> Json:
    return {"state": {"waiting": {"reason": reason, "message": message}}, "lastState": {}, "restartCount": 0}


def _crashed(script: PodScript, now: datetime, code: int, reason: str) -> Json:
    ended = now - timedelta(seconds=40)
    last = {"exitCode": code, "reason": reason, "startedAt": stamp(ended - timedelta(seconds=5)), "finishedAt": stamp(ended)}
    message = "back-off 5m0s restarting failed container=app"
    return {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": message}},
        "lastState": {"terminated": {**last, "containerID": "containerd://0"}},
        "restartCount": script.restarts,
    }


def node_object(
    name: str, now: datetime, *, ready: bool = True, pressure: str = "", since: timedelta = timedelta(minutes=10)
) -> Json:
    """A node; `pressure` is "MemoryPressure", "DiskPressure" or "PIDPressure". Not ready means the kubelet went silent."""
    quiet = now - timedelta(days=30)
    kinds = ("MemoryPressure", "DiskPressure", "PIDPressure")
    conditions = [_condition(k, k == pressure, now - since if k == pressure else quiet) for k in kinds]
    conditions.append(_condition("Ready", ready, quiet if ready else now - since, "KubeletReady" if ready else "NodeStatusUnknown"))
    if not ready:
        conditions[-1]["status"] = "Unknown"
    meta = {"name": name, "labels": {"kubernetes.io/hostname": name}, "creationTimestamp": stamp(quiet)}
    status = {"conditions": conditions, "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {}, "status": status}


def budget_object(workload: Workload) -> Json:
    """A PodDisruptionBudget over the workload's pods; its status is filled in by the controllers."""
    meta = {"name": workload.name, "namespace": workload.namespace}
    spec = {"minAvailable": workload.min_available, "selector": {"matchLabels": workload.pod_labels}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec, "status": {}}


def event_object(about: Json, reason: str, message: str, at: datetime, *, count: int = 1, span: timedelta = timedelta()) -> Json:
    """A core/v1 Event about an object, last seen at `at`, first seen `span` before."""
    meta = about["metadata"]
    involved = {"kind": about["kind"], "name": meta["name"], "uid": meta.get("uid", meta["name"])}
    if meta.get("namespace"):
        involved["namespace"] = meta["namespace"]
    namespace = meta.get("namespace", "default")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name']}.{uuid.uuid4().hex[:16]}",
            "namespace": namespace,
            "creationTimestamp": stamp(at - span),
        },
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": "Normal" if reason in ("Scheduled", "Pulled", "Created", "Started", "Killing") else "Warning",
        "count": count,
        "firstTimestamp": stamp(at - span),
        "lastTimestamp": stamp(at),
        "source": {"component": "kubelet"},
    }
