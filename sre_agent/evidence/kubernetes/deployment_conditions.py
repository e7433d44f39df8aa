"""Which conditions of an action on a Deployment do not hold, by id, and each in words. Pure.

The guard denies on any of them (fact `unmet`), and the action refuses on the same ones just before its effect.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_agent.evidence.kubernetes.cluster_room import fits_one_by_one, quotas_allow, requested, waiting_for_room
from sre_agent.evidence.kubernetes.deployment_surroundings import DeploymentSurroundings
from sre_agent.evidence.kubernetes.state import Trouble, instant, pod_trouble, terminating, text

WORDS = {
    "terminating": "somebody already deleted it",
    "rollout-paused": "its rollouts are paused: somebody is at work on it",
    "rollout-unsettled": "it is being rolled out or scaled, or its last rollout failed",
    "strategy-not-rolling": "its strategy takes all pods down at once",
    "too-few-replicas": "it has fewer than 2 replicas: replacing them is an outage",
    "no-readiness-probe": "no readiness probe: nobody could tell a working new pod from a broken one",
    "floor": "too few of its pods would stay ready meanwhile",
    "nothing-unhealthy": "none of its pods is in trouble",
    "restart-cannot-help": "a pod's trouble is its image, command, config or secret: new pods would have the same",
    "not-all-ready": "not all of its replicas are ready: more of them would not be either",
    "too-small-to-scale": "half as many again of a single replica is none",
    "ceiling": "more replicas than its annotation sre-agent/max-replicas allows, or it has none",
    "autoscaler-present": "a HorizontalPodAutoscaler decides how many replicas there are",
    "gitops-managed": "a GitOps controller would put it back",
    "pods-waiting-for-room": "pods already wait for a node with room",
    "no-previous-revision": "its present and its previous revision cannot both be told",
    "new-pods-well": "the pods of the present revision are well",
    "changed-too-long-ago": "its present revision is older than an hour before the alert, or younger than the alert",
    "previous-too-short": "the previous revision was in place for less than 30 minutes",
    "previous-not-known-well": "nothing shows that the previous revision was well",
    "already-rolled-back": "it was rolled back in the last 24 hours: undoing an undo is for a person",
    "migration-between": "its annotation sre-agent/migration says that the change came with a migration",
    "no-room": "no node has room for the new pods",
    "quota": "a ResourceQuota leaves no room for the pods it takes",
}
"""Ids of `unmet`, for people."""
CURED_BY_RESTART = frozenset({Trouble.NOT_READY, Trouble.OOM_KILLED, Trouble.CRASH_LOOP})
MIN_READY_PCT = 51
CEILING = "sre-agent/max-replicas"
"""Annotation by which the owners say how far a Deployment may be scaled up. Without it: not at all."""
ROLLED_BACK_AT = "sre-agent/rolled-back-at"
"""Annotation the agent leaves on a Deployment that it rolled back."""
MIGRATION = "sre-agent/migration"
"""Annotation by which owners say that a revision came with a change that an older image does not understand."""
CHANGE_BEFORE = timedelta(hours=1)
DECIDED_WITHIN = timedelta(hours=1)
"""How long after the alert people may take to decide."""
SERVED_FOR = timedelta(minutes=30)
UNDO_ONCE_IN = timedelta(hours=24)
MOST_ADDED = 2
MOST_ADDED_PCT = 50


def unmet_for_restart(seen: DeploymentSurroundings, now: datetime) -> tuple[str, ...]:
    """What forbids restarting all pods of the Deployment, most fundamental first."""
    return tuple(_restart(seen, now))


def unmet_for_scale_up(seen: DeploymentSurroundings) -> tuple[str, ...]:
    """What forbids adding replicas (`seen` with the cluster), most fundamental first."""
    return tuple(_scale_up(seen))


def added_replicas(replicas: int) -> int:
    """How many more are asked for: half as many again, and never more than MOST_ADDED. 0 for a single one."""
    return min(MOST_ADDED, replicas * MOST_ADDED_PCT // 100)


def _scale_up(seen: DeploymentSurroundings) -> Iterator[str]:
    added, asked = added_replicas(seen.replicas), requested(seen.template)
    ceiling = seen.note(CEILING)
    checks = (
        ("terminating", not terminating(seen.deployment)),
        ("rollout-paused", not seen.paused),
        ("rollout-unsettled", seen.settled),
        ("not-all-ready", seen.ready_pods == seen.replicas),
        ("too-small-to-scale", added >= 1),
        ("ceiling", ceiling.isdecimal() and seen.replicas + added <= int(ceiling)),
        ("autoscaler-present", not seen.autoscalers),
        ("gitops-managed", not seen.gitops),
        ("quota", quotas_allow(asked, added, seen.quotas)),
        ("pods-waiting-for-room", not waiting_for_room(seen.all_pods)),
        ("no-room", fits_one_by_one(asked, added, seen.nodes, seen.all_pods)),
    )
    yield from (name for name, holds in checks if not holds)


def unmet_for_rollback(seen: DeploymentSurroundings, now: datetime, onset: datetime | None = None) -> tuple[str, ...]:
    """What forbids going back to the previous revision, most fundamental first. `onset` None: not known here, `now` counts."""
    return tuple(_rollback(seen, now, onset))


def _rollback(seen: DeploymentSurroundings, now: datetime, onset: datetime | None) -> Iterator[str]:
    changed, served = seen.changed_at, seen.previous_served_for
    undone = instant(seen.note(ROLLED_BACK_AT))
    lag = None if changed is None else (onset or now) - changed
    late = CHANGE_BEFORE if onset is not None else CHANGE_BEFORE + DECIDED_WITHIN
    troubled = any(pod_trouble(p, now) for p in seen.pods_of(seen.current))
    checks = (
        ("terminating", not terminating(seen.deployment)),
        ("rollout-paused", not seen.paused),
        ("strategy-not-rolling", text(seen.deployment, "spec", "strategy", "type") in ("RollingUpdate", "")),
        ("gitops-managed", not seen.gitops),
        ("no-previous-revision", seen.current is not None and seen.previous is not None),
        ("no-readiness-probe", seen.probed),
        ("new-pods-well", troubled),
        ("changed-too-long-ago", lag is not None and timedelta() <= lag <= late),
        ("previous-too-short", served is not None and served >= SERVED_FOR),
        ("previous-not-known-well", seen.well_before),
        ("already-rolled-back", not seen.note(ROLLED_BACK_AT) or (undone is not None and now - undone >= UNDO_ONCE_IN)),
        ("migration-between", not seen.note(MIGRATION) and not text(seen.template, "metadata", "annotations", MIGRATION)),
        ("quota", quotas_allow(requested(seen.template), seen.max_surge, seen.quotas)),
    )
    yield from (name for name, holds in checks if not holds)


def floor_kept(ready: int, replicas: int) -> bool:
    """At least one, and at least MIN_READY_PCT of the replicas, stay ready."""
    return ready >= 1 and ready * 100 >= replicas * MIN_READY_PCT


def _restart(seen: DeploymentSurroundings, now: datetime) -> Iterator[str]:
    troubles = seen.troubles(now)
    checks = (
        ("terminating", not terminating(seen.deployment)),
        ("rollout-paused", not seen.paused),
        ("rollout-unsettled", seen.settled),
        ("strategy-not-rolling", text(seen.deployment, "spec", "strategy", "type") in ("RollingUpdate", "")),
        ("too-few-replicas", seen.replicas >= 2),
        ("no-readiness-probe", seen.probed),
        ("floor", floor_kept(seen.ready_during_rollout, seen.replicas)),
        ("nothing-unhealthy", bool(troubles)),
        ("restart-cannot-help", set(troubles) <= CURED_BY_RESTART),
        ("quota", quotas_allow(requested(seen.template), seen.max_surge, seen.quotas)),
    )
    yield from (name for name, holds in checks if not holds)
