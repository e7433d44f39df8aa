"""The rollout controller of followed Deployments: new ReplicaSets, pods step by step, and the conditions that tell of it.

As kube-controller-manager rolls with RollingUpdate: surge up to maxSurge, unready old pods first, never fewer available than
replicas - maxUnavailable while that many were. https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

import copy
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sre_agent.testing.kubernetes import objects
from sre_agent.testing.kubernetes.status import Json
from sre_agent.testing.kubernetes.store import Store, stamp

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
TICK_S = 1.0


def is_ready(pod: Json) -> bool:
    """The Ready condition of a pod that is not on its way out."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def bare(template: Json) -> Json:
    """A pod template without the hash its ReplicaSet put on it."""
    plain = copy.deepcopy(template)
    plain.get("metadata", {}).get("labels", {}).pop(HASH, None)
    return plain


class PodKeepers(Protocol):
    """What the other controllers do for this one."""

    store: Store

    def now(self) -> datetime:
        """The time at which what happens now happens."""
        ...

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something when that much time has passed."""
        ...

    def living(self, owner: Json) -> list[Json]:
        """An owner's pods that nobody is ending."""
        ...

    def script(self, owner: Json, workload: objects.Workload) -> None:
        """Let the owner's pods be replaced as the workload says."""
        ...

    def start_pod(self, owner: Json, workload: objects.Workload) -> None:
        """One pod more."""
        ...

    def end_pod(self, pod: Json) -> None:
        """One pod less, gracefully."""
        ...


@dataclass
class Rollouts:
    """Which Deployments are followed (by uid, with their workload), and since when each has made no progress."""

    controllers: PodKeepers
    _followed: dict[str, objects.Workload] = field(default_factory=dict)
    _ticking: set[str] = field(default_factory=set)
    _stuck: dict[str, tuple[tuple[int, ...], datetime]] = field(default_factory=dict)
    _completed: dict[str, Json] = field(default_factory=dict)
    """uid -> the template whose rollout was completed; pods that fail later do not undo that."""

    def follow(self, deployment: Json, workload: objects.Workload) -> None:
        """Roll this Deployment out from now on."""
        self._followed[deployment["metadata"]["uid"]] = workload
        self._completed[deployment["metadata"]["uid"]] = bare(deployment["spec"]["template"])

    def follows(self, deployment: Json) -> bool:
        """Whether it is one of those."""
        return deployment["metadata"]["uid"] in self._followed

    def look(self, deployment: Json) -> None:
        """Start ticking when the Deployment is not as it should be."""
        uid = deployment["metadata"]["uid"]
        if uid in self._followed and uid not in self._ticking and not self.settled(deployment):
            self._ticking.add(uid)
            self.controllers.later(TICK_S, lambda: self._tick(deployment))

    def settled(self, deployment: Json) -> bool:
        """Whether every wanted pod is there, new, and nothing else is; and all were ready once, since the template changed."""
        new, old = self.pods(deployment)
        wanted, uid = deployment["spec"]["replicas"], deployment["metadata"]["uid"]
        there = deployment["status"].get("observedGeneration") == deployment["metadata"]["generation"]
        there = there and len(new) == wanted and not old
        if there and sum(map(is_ready, new)) == wanted:
            self._completed[uid] = bare(deployment["spec"]["template"])
        return there and self._complete(deployment)

    def _complete(self, deployment: Json) -> bool:
        return self._completed.get(deployment["metadata"]["uid"]) == bare(deployment["spec"]["template"])

    def pods(self, deployment: Json) -> tuple[list[Json], list[Json]]:
        """(living pods of the current template, living pods of older ones)."""
        current = self._current(deployment)
        new: list[Json] = []
        old: list[Json] = []
        for replica_set in self._sets(deployment):
            (new if replica_set is current else old).extend(self.controllers.living(replica_set))
        return new, old

    def conditions(self, deployment: Json) -> list[Json]:
        """Progressing and Available. Unfollowed Deployments always say that their ReplicaSet is available."""
        workload = self._followed.get(deployment["metadata"]["uid"])
        if workload is None:
            return [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]
        new, old = self.pods(deployment)
        available = sum(map(is_ready, new + old)) >= deployment["spec"]["replicas"] - _share(deployment, "maxUnavailable")
        complete = self.settled(deployment) or self._complete(deployment)
        late = self._late(deployment)
        reason = "NewReplicaSetAvailable" if complete else "ProgressDeadlineExceeded" if late else "ReplicaSetUpdated"
        told = (("Available", available, "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable"),)
        was = {c["type"]: c for c in deployment["status"].get("conditions", [])}
        made = []
        for kind, true, why in (*told, ("Progressing", not late, reason)):
            status, before = "True" if true else "False", was.get(kind, {})
            at = before.get("lastTransitionTime") if before.get("status") == status else None
            made.append({"type": kind, "status": status, "reason": why, "lastTransitionTime": at or stamp(self.controllers.now())})
        return made

    def _late(self, deployment: Json) -> bool:
        new, old = self.pods(deployment)
        progress = (deployment["metadata"]["generation"], len(new), len(old), sum(map(is_ready, new)))
        uid, now = deployment["metadata"]["uid"], self.controllers.now()
        if self._complete(deployment) or self._stuck.get(uid, ((), now))[0] != progress:
            self._stuck[uid] = (progress, now)
        return now - self._stuck[uid][1] >= timedelta(seconds=deployment["spec"].get("progressDeadlineSeconds", 600))

    def _tick(self, deployment: Json) -> None:
        uid = deployment["metadata"]["uid"]
        self._ticking.discard(uid)
        if self.controllers.store.find("Deployment", deployment["metadata"]["namespace"], deployment["metadata"]["name"]) is None:
            return
        deployment["status"]["observedGeneration"] = deployment["metadata"]["generation"]
        workload = self._followed[uid]
        if not deployment["spec"].get("paused"):
            self._roll(deployment, workload)
        self.controllers.store.touch(deployment)
        self.look(deployment)

    def _roll(self, deployment: Json, workload: objects.Workload) -> None:
        current = self._current(deployment) or self._make(deployment)
        new, old = self.pods(deployment)
        wanted = deployment["spec"]["replicas"]
        room = wanted + (_share(deployment, "maxSurge") if old else 0) - len(new) - len(old)
        self._want(current, min(wanted, max(len(new) + max(room, 0), 0)))
        for _ in range(min(room, wanted - len(new))):
            self.controllers.start_pod(current, workload)
        for pod in new[wanted:]:
            self.controllers.end_pod(pod)
        least = wanted - _share(deployment, "maxUnavailable")
        available = sum(map(is_ready, new + old))
        for pod in sorted(old, key=is_ready):
            if is_ready(pod) and available - 1 < least:
                break
            available -= is_ready(pod)
            owner = next(s for s in self._sets(deployment) if pod in self.controllers.living(s))
            self._want(owner, owner["spec"]["replicas"] - 1)
            self.controllers.end_pod(pod)

    def _want(self, replica_set: Json, replicas: int) -> None:
        if replica_set["spec"]["replicas"] != replicas:
            replica_set["spec"]["replicas"] = replicas
            self.controllers.store.touch(replica_set)

    def _sets(self, deployment: Json) -> list[Json]:
        uid = deployment["metadata"]["uid"]
        sets = self.controllers.store.of("ReplicaSet", deployment["metadata"]["namespace"])
        return [s for s in sets if any(r["uid"] == uid for r in s["metadata"].get("ownerReferences", []))]

    def _current(self, deployment: Json) -> Json | None:
        template = bare(deployment["spec"]["template"])
        return next((s for s in self._sets(deployment) if bare(s["spec"]["template"]) == template), None)

    def _make(self, deployment: Json) -> Json:
        """A ReplicaSet for the new template."""
        meta, template = deployment["metadata"], copy.deepcopy(deployment["spec"]["template"])
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:9].translate(_SAFE)
        template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = digest
        item: Json = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta['name']}-{digest}",
                "namespace": meta["namespace"],
                "labels": template["metadata"]["labels"],
                "annotations": {REVISION: "0"},
                "creationTimestamp": stamp(self.controllers.now()),
                "ownerReferences": [objects.owner_reference(deployment)],
            },
            "spec": {"replicas": 0, "selector": deployment["spec"]["selector"], "template": template},
            "status": {},
        }
        made = self.controllers.store.add(item)
        self.controllers.script(made, self._followed[meta["uid"]])
        self.revise(deployment)
        return made

    def revise(self, deployment: Json) -> None:
        """The current ReplicaSet gets the highest revision, and the Deployment says which that is."""
        current = self._current(deployment)
        if current is None:
            return
        revisions = [int(s["metadata"].get("annotations", {}).get(REVISION, "0")) for s in self._sets(deployment)]
        notes = current["metadata"].setdefault("annotations", {})
        if int(notes.get(REVISION, "0")) < max(revisions) or max(revisions) == 0:
            notes[REVISION] = str(max(revisions) + 1)
            self.controllers.store.touch(current)
        deployment["metadata"].setdefault("annotations", {})[REVISION] = notes[REVISION]


_SAFE = str.maketrans("0123aeiou", "bcdfghjkl")
"""Hashes are written without vowels and look-alikes, as Kubernetes writes them."""


def _share(deployment: Json, name: str) -> int:
    """maxSurge is rounded up, maxUnavailable down."""
    value: int | str = deployment["spec"].get("strategy", {}).get("rollingUpdate", {}).get(name, "25%")
    if isinstance(value, int):
        return value
    share: float = int(value[:-1]) * deployment["spec"]["replicas"] / 100
    return math.ceil(share) if name == "maxSurge" else math.floor(share)
