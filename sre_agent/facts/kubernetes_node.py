"""The guard's facts about a Node target, read live with read credentials, as the proposed action needs them.

Anything unclear is answered restrictively; a read that fails raises, and the guard then hands back.
"""

from sre_agent.evidence.kubernetes.node_reading import read_node
from sre_agent.evidence.kubernetes.node_surroundings import unmet_for_cordon, unmet_for_uncordon
from sre_agent.evidence.kubernetes.state import ready
from sre_agent.evidence.source import KubernetesReader
from sre_agent.policy.facts import FactContext

_JUDGES = {"cordon_node": unmet_for_cordon, "uncordon_node": unmet_for_uncordon}


class KubernetesNodeFacts:
    """FactCollector for targets of kind Node; {} for any other kind. Raises Transient or Permanent as the reader does."""

    name = "kubernetes_node"

    def __init__(self, reader: KubernetesReader) -> None:
        self._reader = reader

    async def collect(self, context: FactContext) -> dict[str, object]:
        """target_resolved, unmet, touches_behaviour (never: no pod is made or ended), node_ready."""
        target = context.proposal.target
        if target.kind != "Node":
            return {}
        seen = await read_node(self._reader, target)
        if seen is None:
            return {"target_resolved": False}
        judge = _JUDGES.get(context.proposal.action)
        return {
            "target_resolved": True,
            "unmet": judge(seen, context.now) if judge else ("action-unknown",),
            "touches_behaviour": judge is None,
            "node_ready": ready(seen.node),
        }
