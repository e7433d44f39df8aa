"""The guard's facts about a Pod target, read live with read credentials.

Anything unclear is answered restrictively; a read that fails raises, and the guard then hands back.
"""

import asyncio
import math

from sre_agent.evidence.kubernetes.pod_surroundings import NAMESPACED_KINDS, Surroundings, surroundings
from sre_agent.evidence.kubernetes.state import text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.policy.facts import BOUND, FactContext

PODS_TOUCHED = 1


class KubernetesTargetFacts:
    """FactCollector for targets of kind Pod; {} for any other kind. Raises Transient or Permanent as the reader does."""

    name = "kubernetes_target"

    def __init__(self, reader: KubernetesReader) -> None:
        self._reader = reader

    async def collect(self, context: FactContext) -> dict[str, object]:
        """All pod facts, target_resolved among them. replicas_ready counts the *other* ready replicas."""
        target = context.proposal.target
        if target.kind != "Pod":
            return {}
        if not (target.namespace and target.uid):
            return _unresolved()
        lists = await asyncio.gather(
            *(self._reader.objects(kind, target.namespace) for kind in NAMESPACED_KINDS), self._reader.objects("Node", None)
        )
        seen = surroundings(target.uid, dict(zip(NAMESPACED_KINDS, lists[:-1], strict=True)), lists[-1])
        if seen is None or text(seen.pod, "metadata", "name") != target.name:
            return _unresolved()
        now = context.now
        return {
            "target_resolved": True,
            "unmet": (),
            "touches_behaviour": False,
            "pod_controller_owned": seen.controller_owned,
            "pod_unhealthy": seen.trouble(now) is not None,
            "rollout_in_progress": seen.rollout_in_progress,
            "restart_can_help": seen.restart_can_help(now),
            "node_ready": seen.node_ready,
            **_counts(seen),
        }


def _counts(seen: Surroundings) -> dict[str, object]:
    share = math.ceil(100 * PODS_TOUCHED / seen.desired) if seen.desired > 0 else 100
    return {
        "replicas_ready": min(seen.ready_peers, BOUND),
        "replicas_desired": min(max(seen.desired, 0), BOUND),
        "pods_touched": PODS_TOUCHED,
        "pods_touched_pct": min(share, 100),
        "pdb_disruptions_allowed": min(seen.disruptions_allowed, BOUND),
    }


def _unresolved() -> dict[str, object]:
    """No such live pod: every answer the most restrictive one."""
    return {
        "target_resolved": False,
        "pod_controller_owned": False,
        "pod_unhealthy": False,
        "rollout_in_progress": True,
        "restart_can_help": False,
        "node_ready": False,
        "replicas_ready": 0,
        "replicas_desired": 0,
        "pods_touched": PODS_TOUCHED,
        "pods_touched_pct": 100,
        "pdb_disruptions_allowed": 0,
    }
