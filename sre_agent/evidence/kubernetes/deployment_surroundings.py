"""One Deployment and what stands around it: its ReplicaSets, pods, autoscalers, quotas, the configuration it reads. Pure.

Both the guard's facts and the actions' last look ask these questions, so that they cannot disagree.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sre_agent.evidence.kubernetes.pod_template import differs_beyond_image, images_may_move, same, sources_may_differ
from sre_agent.evidence.kubernetes.state import (
    JsonObject,
    Trouble,
    condition,
    controller_of,
    dig,
    entries,
    instant,
    number,
    pod_trouble,
    ready,
    terminating,
    text,
)

NAMESPACED_KINDS = ("Pod", "ReplicaSet", "Deployment", "ResourceQuota", "HorizontalPodAutoscaler")
"""What must be read in the Deployment's namespace; what its template refers to is read after that."""
REVISION = "deployment.kubernetes.io/revision"
PROGRESS_DEADLINE_S = 600
_GITOPS = (
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/name",
    "fleet.cattle.io/bundle-id",
)


@dataclass(frozen=True)
class DeploymentSurroundings:
    """`sets` are the Deployment's own ReplicaSets, `pods` those of all of them; `configs` what templates refer to.

    `all_pods` and `nodes` are the cluster's, where somebody asked for them.
    """

    deployment: JsonObject
    sets: tuple[JsonObject, ...]
    pods: tuple[JsonObject, ...]
    quotas: tuple[JsonObject, ...] = ()
    autoscalers: tuple[JsonObject, ...] = ()
    configs: tuple[JsonObject, ...] = ()
    nodes: tuple[JsonObject, ...] = ()
    all_pods: tuple[JsonObject, ...] = ()

    @property
    def template(self) -> JsonObject:
        """The present pod template."""
        found = dig(self.deployment, "spec", "template")
        return found if isinstance(found, dict) else {}

    @property
    def replicas(self) -> int:
        """How many pods are wanted."""
        return number(self.deployment, "spec", "replicas")

    @property
    def ready_pods(self) -> int:
        """How many of its pods are ready."""
        return sum(map(ready, self.pods))

    @property
    def paused(self) -> bool:
        """Whether somebody stopped its rollouts."""
        return bool(dig(self.deployment, "spec", "paused"))

    @property
    def current(self) -> JsonObject | None:
        """The ReplicaSet of the present template; None when there is not exactly one that says so."""
        made = [s for s in self.sets if same(dig(s, "spec", "template") or {}, self.template)]
        return made[0] if len(made) == 1 else None

    @property
    def previous(self) -> JsonObject | None:
        """The ReplicaSet of the revision before the present one."""
        now = revision(self.current)
        older = [s for s in self.sets if s is not self.current and 0 < revision(s) < now]
        return max(older, key=revision, default=None)

    def pods_of(self, replica_set: JsonObject | None) -> list[JsonObject]:
        """The pods of one of its ReplicaSets."""
        uid = text(replica_set, "metadata", "uid")
        return [p for p in self.pods if uid and text(controller_of(p), "uid") == uid]

    @property
    def changed_at(self) -> datetime | None:
        """When the ReplicaSet of the present template was made; None when that cannot be told."""
        return instant(dig(self.current, "metadata", "creationTimestamp"))

    @property
    def previous_served_for(self) -> timedelta | None:
        """How long the previous revision was the present one; None when that cannot be told (an older set may be reused)."""
        before = instant(dig(self.previous, "metadata", "creationTimestamp"))
        return self.changed_at - before if before is not None and self.changed_at is not None else None

    @property
    def well_before(self) -> bool:
        """Whether the previous revision was well: its pods still are, or the Deployment was available until the change."""
        if any(map(ready, self.pods_of(self.previous))):
            return True
        available = condition(self.deployment, "Available")
        at = instant((available or {}).get("lastTransitionTime"))
        if self.changed_at is None or at is None:
            return False
        return at < self.changed_at if text(available, "status") == "True" else at >= self.changed_at

    @property
    def rollback_would_deploy(self) -> bool:
        """Whether the previous template differs in more than its images, or could start with other configuration than it had."""
        if self.current is None or self.previous is None:
            return True
        template = dig(self.previous, "spec", "template") or {}
        since = instant(dig(self.previous, "metadata", "creationTimestamp"))
        return (
            differs_beyond_image(template, self.template)
            or images_may_move(template)
            or sources_may_differ(template, self.configs, since)
        )

    @property
    def settled(self) -> bool:
        """Whether nothing is being rolled out or scaled: as many pods as wanted, all of the present template."""
        d = self.deployment
        if terminating(d) or number(d, "status", "observedGeneration") < number(d, "metadata", "generation"):
            return False
        if not number(d, "status", "replicas") == number(d, "status", "updatedReplicas") == self.replicas:
            return False
        return text(condition(d, "Progressing"), "reason") in ("NewReplicaSetAvailable", "")

    @property
    def max_unavailable(self) -> int:
        """How many pods a rollout may take away at once (rounded down, as the controller does); all of them for Recreate."""
        if text(self.deployment, "spec", "strategy", "type") == "Recreate":
            return self.replicas
        value = dig(self.deployment, "spec", "strategy", "rollingUpdate", "maxUnavailable")
        return share(value if value is not None else "25%", self.replicas, up=False)

    @property
    def max_surge(self) -> int:
        """How many pods more than wanted a rollout may make."""
        value = dig(self.deployment, "spec", "strategy", "rollingUpdate", "maxSurge")
        return share(value if value is not None else "25%", self.replicas, up=True)

    @property
    def ready_during_rollout(self) -> int:
        """How many ready pods stay while the pods are replaced: the controller takes ready ones only above its floor."""
        return min(self.ready_pods, max(0, self.replicas - self.max_unavailable))

    @property
    def probed(self) -> bool:
        """Whether a readiness probe tells a working pod from one that merely runs."""
        return any(isinstance(c.get("readinessProbe"), dict) for c in entries(self.template, "spec", "containers"))

    @property
    def gitops(self) -> bool:
        """Whether a GitOps controller would put back what is changed here."""
        meta = self.deployment.get("metadata") or {}
        notes = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
        return any(key in notes for key in _GITOPS)

    def note(self, key: str) -> str:
        """An annotation of the Deployment, or ""."""
        return text(self.deployment, "metadata", "annotations", key)

    def troubles(self, now: datetime) -> list[Trouble]:
        """What is wrong with its pods, one entry for each pod in trouble."""
        return [found[0] for p in self.pods if (found := pod_trouble(p, now)) is not None]

    @property
    def restart_would_deploy(self) -> bool:
        """Whether new pods of the present template could differ from the present pods: in image or configuration."""
        since = instant(dig(self.current, "metadata", "creationTimestamp"))
        return self.current is None or images_may_move(self.template) or sources_may_differ(self.template, self.configs, since)


def deployment_surroundings(uid: str, namespaced: Mapping[str, Sequence[JsonObject]]) -> DeploymentSurroundings | None:
    """Put together what stands around the Deployment with this uid; None when no such Deployment exists."""
    return next((s for s in every_deployment(namespaced) if uid and text(s.deployment, "metadata", "uid") == uid), None)


def every_deployment(namespaced: Mapping[str, Sequence[JsonObject]]) -> Iterator[DeploymentSurroundings]:
    """The same of every Deployment that has a uid, in one pass over what may be a cluster's worth of pods."""
    sets, pods = _by_controller(namespaced.get("ReplicaSet", ())), _by_controller(namespaced.get("Pod", ()))
    scalers: dict[str, list[JsonObject]] = {}
    for scaler in namespaced.get("HorizontalPodAutoscaler", ()):
        if text(scaler, "spec", "scaleTargetRef", "kind") == "Deployment":
            scalers.setdefault(text(scaler, "spec", "scaleTargetRef", "name"), []).append(scaler)
    quotas = tuple(namespaced.get("ResourceQuota", ()))
    for found in namespaced.get("Deployment", ()):
        if not (uid := text(found, "metadata", "uid")):
            continue
        mine = tuple(sets.get(uid, ()))
        above = dict.fromkeys(text(s, "metadata", "uid") for s in mine)
        own = tuple(p for each in above for p in pods.get(each, ()) if not terminating(p))
        yield DeploymentSurroundings(found, mine, own, quotas, tuple(scalers.get(text(found, "metadata", "name"), ())))


def _by_controller(items: Iterable[JsonObject]) -> dict[str, list[JsonObject]]:
    found: dict[str, list[JsonObject]] = {}
    for item in items:
        if uid := text(controller_of(item), "uid"):
            found.setdefault(uid, []).append(item)
    return found


def with_cluster(seen: DeploymentSurroundings, nodes: Sequence[JsonObject], pods: Sequence[JsonObject]) -> DeploymentSurroundings:
    """The same, with the cluster's nodes and pods beside it."""
    return replace(seen, nodes=tuple(nodes), all_pods=tuple(pods))


def revision(replica_set: JsonObject | None) -> int:
    """The revision a ReplicaSet is of; 0 when it does not say."""
    value = text(replica_set, "metadata", "annotations", REVISION)
    return int(value) if value.isdecimal() and len(value) < 10 else 0


def share(value: object, total: int, *, up: bool) -> int:
    """An int, or a percentage of `total` (k8s.io/apimachinery intstr). What is neither counts as all of them."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not (isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal()):
        return total
    exact = int(value[:-1]) * total
    return math.ceil(exact / 100) if up else exact // 100
