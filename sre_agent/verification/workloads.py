"""Whether Deployments and nodes are, after an action, as it should have left them. Pure."""

from collections.abc import Sequence

from sre_agent.evidence.kubernetes.cluster_room import waiting_for_room
from sre_agent.evidence.kubernetes.node_surroundings import unschedulable
from sre_agent.evidence.kubernetes.state import JsonObject, dig, number, text
from sre_agent.runbook.proposal import Proposal


def deployment_ok(deployments: Sequence[JsonObject], proposal: Proposal) -> tuple[bool | None, str]:
    """The same Deployment, changed since the plan was made, with every wanted pod of its present template ready."""
    found = next((d for d in deployments if text(d, "metadata", "uid") == proposal.target.uid), None)
    if found is None:
        return None, "the deployment is gone, or another one has its name"
    if str(number(found, "metadata", "generation")) == proposal.generation:
        return False, "the deployment is as it was when the action was planned"
    status, wanted = found.get("status") or {}, number(found, "spec", "replicas")
    if number(status, "observedGeneration") < number(found, "metadata", "generation") or dig(found, "spec", "paused"):
        return False, "the rollout is paused or has not begun"
    counts = [number(status, key) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    return counts == [wanted] * 3, f"{counts[2]} of {wanted} replicas are ready, {counts[1]} of {counts[0]} are new"


def node_ok(nodes: Sequence[JsonObject], pods: Sequence[JsonObject], proposal: Proposal) -> tuple[bool | None, str]:
    """The same node takes new pods or not, as the action meant it, and no pod waits for room."""
    found = next((n for n in nodes if text(n, "metadata", "uid") == proposal.target.uid), None)
    if found is None:
        return None, "the node is gone, or another one has its name"
    cordoned = unschedulable(found)
    if cordoned is not (proposal.action == "cordon_node"):
        return False, f"the node {'takes no' if cordoned else 'takes'} new pods"
    waiting = len(waiting_for_room(pods))
    return waiting == 0, f"the node {'takes no' if cordoned else 'takes'} new pods; {waiting} pods wait for room"
