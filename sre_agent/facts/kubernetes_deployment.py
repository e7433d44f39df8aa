"""The guard's facts about a Deployment target, read live with read credentials, as the proposed action needs them.

Anything unclear is answered restrictively; a read that fails raises, and the guard then hands back.
"""

import math
from collections.abc import Mapping
from typing import Final

from sre_agent.evidence.kubernetes.deployment_conditions import (
    added_replicas,
    unmet_for_restart,
    unmet_for_rollback,
    unmet_for_scale_up,
)
from sre_agent.evidence.kubernetes.deployment_reading import read_deployment
from sre_agent.evidence.kubernetes.deployment_surroundings import DeploymentSurroundings
from sre_agent.evidence.source import KubernetesReader
from sre_agent.policy.facts import BOUND, FactContext

UNKNOWN_ACTION: Final = ("action-unknown",)


class KubernetesDeploymentFacts:
    """FactCollector for targets of kind Deployment; {} for any other kind. Raises Transient or Permanent as the reader does."""

    name = "kubernetes_deployment"

    def __init__(self, reader: KubernetesReader) -> None:
        self._reader = reader

    async def collect(self, context: FactContext) -> dict[str, object]:
        """target_resolved, unmet, touches_behaviour, and the pod numbers of the action."""
        target, action = context.proposal.target, context.proposal.action
        if target.kind != "Deployment":
            return {}
        seen = await read_deployment(self._reader, target, configs=action in _BRINGS_TEMPLATES, cluster=action in _NEEDS_ROOM)
        if seen is None:
            return {"target_resolved": False}
        judge = _JUDGES.get(action)
        unmet, touches, numbers = judge(seen, context) if judge else (UNKNOWN_ACTION, True, {})
        return {
            "target_resolved": True,
            "unmet": unmet,
            "touches_behaviour": touches,
            "rollout_in_progress": not seen.settled,
            "replicas_desired": min(seen.replicas, BOUND),
            **numbers,
        }


Judged = tuple[tuple[str, ...], bool, Mapping[str, object]]


def _restart(seen: DeploymentSurroundings, context: FactContext) -> Judged:
    """Every pod is replaced, a few at a time: replicas_ready counts those that stay ready meanwhile."""
    numbers = {
        "replicas_ready": min(seen.ready_during_rollout, BOUND),
        "pods_touched": min(seen.replicas, BOUND),
        "pods_touched_pct": 100,
    }
    touches = seen.restart_would_deploy or context.declaration.has_prompts
    return unmet_for_restart(seen, context.now), touches, numbers


def _scale(seen: DeploymentSurroundings, context: FactContext) -> Judged:  # noqa: ARG001
    """pods_touched are those added."""
    added = added_replicas(seen.replicas)
    percent = math.ceil(100 * added / seen.replicas) if seen.replicas > 0 else 100
    numbers = {"replicas_ready": min(seen.ready_pods, BOUND), "pods_touched": added, "pods_touched_pct": percent}
    return unmet_for_scale_up(seen), seen.restart_would_deploy, numbers


def _rollback(seen: DeploymentSurroundings, context: FactContext) -> Judged:
    """Every pod of the present revision is replaced."""
    ready = {"replicas_ready": min(seen.ready_pods, BOUND)}
    unmet = unmet_for_rollback(seen, context.now, context.incident.created_at)
    touches = seen.rollback_would_deploy or context.declaration.has_prompts
    return unmet, touches, {**ready, "pods_touched": min(seen.replicas, BOUND), "pods_touched_pct": 100}


_JUDGES = {"rollout_restart": _restart, "scale_up": _scale, "rollback_deployment": _rollback}
_BRINGS_TEMPLATES = frozenset({"rollout_restart", "scale_up", "rollback_deployment"})
_NEEDS_ROOM = frozenset({"scale_up"})
