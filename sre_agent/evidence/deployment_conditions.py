"""Which conditions of an action on a Deployment do not hold, by id, and each in words. Pure.

The guard denies on any of them (fact `unmet`), and the action refuses on the same ones just before its effect.
"""

from collections.abc import Iterator
from datetime import datetime

from sre_agent.evidence.cluster_room import quotas_allow, requested
from sre_agent.evidence.deployment_surroundings import DeploymentSurroundings
from sre_agent.evidence.kubernetes_state import Trouble, terminating, text

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
    "quota": "a ResourceQuota leaves no room for the pods it takes",
}
"""Ids of `unmet`, for people."""
CURED_BY_RESTART = frozenset({Trouble.NOT_READY, Trouble.OOM_KILLED, Trouble.CRASH_LOOP})
MIN_READY_PCT = 51


def unmet_for_restart(seen: DeploymentSurroundings, now: datetime) -> tuple[str, ...]:
    """What forbids restarting all pods of the Deployment, most fundamental first."""
    return tuple(_restart(seen, now))


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
