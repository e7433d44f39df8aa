"""What kubelets and controllers do, on the server's clock: end pods, replace them, make them ready, keep statuses true.

Only a followed Deployment is rolled out and scaled (rollouts.py). Of any other a changed pod template stays a rollout in
progress (observedGeneration lags), as it would on a cluster whose controller manager is down.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sre_agent.testing.kubernetes import objects
from sre_agent.testing.kubernetes.objects import PodScript, PodState, Workload
from sre_agent.testing.kubernetes.rollouts import HASH, REVISION, Rollouts, is_ready
from sre_agent.testing.kubernetes.selectors import selector_matches
from sre_agent.testing.kubernetes.status import Json
from sre_agent.testing.kubernetes.store import Store, stamp

_EVENTS = {
    PodState.CRASH_LOOP: ("BackOff", "Back-off restarting failed container app in pod"),
    PodState.OOM_KILLED: ("BackOff", "Back-off restarting failed container app in pod"),
    PodState.COMMAND_NOT_FOUND: ("BackOff", "Back-off restarting failed container app in pod"),
    PodState.IMAGE_PULL: ("Failed", "Failed to pull image: not found"),
    PodState.BAD_CONFIG: ("Failed", 'Error: configmap "app-settings" not found'),
    PodState.NOT_READY: ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
}


@dataclass
class Controllers:
    """Scripted controllers over a store. `settle` runs what is due; call it before every request."""

    store: Store
    _due: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _scripts: dict[str, Workload] = field(default_factory=dict)
    _moment: datetime | None = None
    """While something overdue runs: when it was due, so that what it starts is not late as well."""
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.rollouts = Rollouts(self)

    def deploy(self, workload: Workload) -> list[Json]:
        """Create the controller (with its ReplicaSet), its pods, and its budget. Returns the pods."""
        made = stamp(self.store.clock.now() - workload.age)
        described = objects.controller_object(workload.kind, workload, workload.name)
        described["metadata"]["creationTimestamp"] = made
        top = self.store.add(described)
        owner = top
        if workload.kind == "Deployment":
            replica_set = objects.controller_object("ReplicaSet", workload, f"{workload.name}-7d9f8b6c5")
            replica_set["metadata"] |= {"ownerReferences": [objects.owner_reference(top)], "creationTimestamp": made}
            replica_set["metadata"]["annotations"] = {REVISION: "1"}
            replica_set["spec"]["template"]["metadata"]["labels"] = {**workload.pod_labels, HASH: "7d9f8b6c5"}
            top["metadata"].setdefault("annotations", {})[REVISION] = "1"
            owner = self.store.add(replica_set)
            if workload.followed:
                self.rollouts.follow(top, workload)
        self._scripts[owner["metadata"]["uid"]] = workload
        pods = []
        for i in range(workload.replicas):
            script = workload.states[i] if i < len(workload.states) else PodScript(restarts=0)
            pods.append(self._new_pod(owner, workload, i, script))
        if workload.min_available is not None:
            self.store.add(objects.budget_object(workload))
        self.refresh()
        return pods

    def end_pod(self, pod: Json) -> None:
        """Start a pod's graceful end: mark it, remove it later, let its controller replace it."""
        meta = pod["metadata"]
        if "deletionTimestamp" in meta:
            return
        now = self._now()
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        meta["deletionTimestamp"] = stamp(now + timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        self.store.touch(pod)
        owner = next((r["uid"] for r in meta.get("ownerReferences", []) if r.get("controller")), "")
        workload = self._scripts.get(owner)
        gone = workload.terminate_after_s if workload else 1.0
        self._at(gone, lambda: self.store.remove(pod))
        if workload is not None:
            # A StatefulSet reuses the name, so it waits for the old pod to be gone; the others do not.
            wait = workload.replace_after_s + (gone if workload.kind == "StatefulSet" else 0.0)
            self._at(wait, lambda: self._replace(owner, workload, pod))
        self.refresh()

    def settle(self) -> None:
        """Run everything that is due by now, in order."""
        changed = False
        while self._due and self._due[0][0] <= self.store.clock.now():
            self._moment, _, what = self._due.pop(0)
            what()
            changed = True
        self._moment = None
        if changed:
            self.refresh()

    def refresh(self) -> None:
        """Recompute the status of every controller and budget."""
        for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Deployment"):
            for item in self.store.of(kind):
                self._refresh_controller(item)
        for budget in self.store.of("PodDisruptionBudget"):
            self._refresh_budget(budget)
        for deployment in self.store.of("Deployment"):
            self.rollouts.look(deployment)

    def now(self) -> datetime:
        """The time at which what happens now happens."""
        return self._now()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something when that much time has passed."""
        self._at(seconds, what)

    def living(self, owner: Json) -> list[Json]:
        """An owner's pods that nobody is ending."""
        return [p for p in self._pods_of(owner) if "deletionTimestamp" not in p["metadata"]]

    def script(self, owner: Json, workload: Workload) -> None:
        """Let the owner's pods be replaced as the workload says."""
        self._scripts[owner["metadata"]["uid"]] = workload

    def start_pod(self, owner: Json, workload: Workload) -> None:
        """One pod more: it starts, then takes the state that is scripted for its image."""
        self._start(owner, workload, "")

    def _now(self) -> datetime:
        return self._moment or self.store.clock.now()

    def _at(self, seconds: float, what: Callable[[], None]) -> None:
        self._due.append((self._now() + timedelta(seconds=seconds), next(self._count), what))
        self._due.sort(key=lambda entry: entry[:2])

    def _new_pod(self, owner: Json, workload: Workload, index: int, script: PodScript, name: str = "") -> Json:
        now = self._now()
        suffix = str(index) if workload.kind == "StatefulSet" else f"{next(self._count):05d}"
        node = workload.nodes[index % len(workload.nodes)]
        pod = objects.pod_object(name or f"{owner['metadata']['name']}-{suffix}", workload, owner, node, now - script.age)
        objects.set_state(pod, script, now)
        pod = self.store.add(pod)
        if script.state in _EVENTS:
            reason, message = _EVENTS[script.state]
            self.store.add(objects.event_object(pod, reason, message, now, count=9, span=script.since), manager="kubelet")
        return pod

    def _replace(self, owner_uid: str, workload: Workload, old: Json) -> None:
        kind = "ReplicaSet" if workload.kind == "Deployment" else workload.kind
        owner = next((o for o in self.store.of(kind, workload.namespace) if o["metadata"]["uid"] == owner_uid), None)
        if owner is None:
            return
        living = [p for p in self._pods_of(owner) if "deletionTimestamp" not in p["metadata"]]
        if len(living) >= owner["spec"].get("replicas", workload.replicas):
            return
        name = old["metadata"]["name"] if workload.kind == "StatefulSet" else ""
        self._start(owner, replace(workload, nodes=(old["spec"]["nodeName"],)), name)

    def _start(self, owner: Json, workload: Workload, name: str) -> None:
        starting = PodScript(PodState.NOT_READY, since=timedelta(), age=timedelta(), restarts=0)
        pod = self._new_pod(owner, workload, len(self._pods_of(owner)), starting, name)
        becomes = workload.by_image.get(pod["spec"]["containers"][0]["image"], workload.replacement)
        self._at(workload.ready_after_s, lambda: self._become(pod, becomes))

    def _become(self, pod: Json, script: PodScript) -> None:
        fresh = PodScript(script.state, timedelta(), timedelta(seconds=5), script.restarts, script.exit_code)
        objects.set_state(pod, fresh, self._now())
        self.store.touch(pod)

    def _pods_of(self, owner: Json) -> list[Json]:
        uid = owner["metadata"]["uid"]
        pods = self.store.of("Pod", owner["metadata"]["namespace"])
        return [p for p in pods if any(r["uid"] == uid for r in p["metadata"].get("ownerReferences", []))]

    def _refresh_controller(self, item: Json) -> None:
        if item["kind"] == "Deployment":
            uid = item["metadata"]["uid"]
            sets = self.store.of("ReplicaSet", item["metadata"]["namespace"])
            mine = [s for s in sets if any(r["uid"] == uid for r in s["metadata"].get("ownerReferences", []))]
            pods = [p for s in mine for p in self._pods_of(s)]
        else:
            pods = self._pods_of(item)
        living = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
        status = _controller_status(item, len(living), sum(map(is_ready, living)))
        if item["kind"] == "Deployment":
            self.rollouts.revise(item)
            status["conditions"] = self.rollouts.conditions(item)
            if self.rollouts.follows(item):
                status["updatedReplicas"] = len(self.rollouts.pods(item)[0])
        if item["status"] != status:
            item["status"] = status
            self.store.touch(item)

    def _refresh_budget(self, budget: Json) -> None:
        meta, spec = budget["metadata"], budget["spec"]
        pods = [
            p
            for p in self.store.of("Pod", meta["namespace"])
            if selector_matches(spec.get("selector"), p["metadata"].get("labels", {}))
        ]
        expected, healthy = len(pods), sum(map(is_ready, pods))
        if "minAvailable" in spec:
            desired = _scaled(spec["minAvailable"], expected)
        else:
            desired = expected - _scaled(spec.get("maxUnavailable", 1), expected)
        status = {
            "observedGeneration": meta["generation"],
            "expectedPods": expected,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": max(0, healthy - desired),
        }
        if budget["status"] != status:
            budget["status"] = status
            self.store.touch(budget)


def _scaled(value: int | str, total: int) -> int:
    """An int or a percentage of `total`, rounded up (k8s.io/apimachinery intstr)."""
    return math.ceil(int(value[:-1]) * total / 100) if isinstance(value, str) else value


def _controller_status(item: Json, living: int, ready: int) -> Json:
    observed = item["status"].get("observedGeneration", item["metadata"]["generation"])
    if item["kind"] == "DaemonSet":
        return {
            "observedGeneration": observed,
            "desiredNumberScheduled": max(living, item["status"].get("desiredNumberScheduled", 0)),
            "currentNumberScheduled": living,
            "updatedNumberScheduled": living,
            "numberReady": ready,
        }
    status: Json = {"observedGeneration": observed, "replicas": living, "readyReplicas": ready, "availableReplicas": ready}
    if item["kind"] == "StatefulSet":
        status |= {"currentRevision": "r1", "updateRevision": "r1", "updatedReplicas": living}
    if item["kind"] == "Deployment":
        status |= {"updatedReplicas": living, "unavailableReplicas": max(0, living - ready)}
    return status
