"""Reading a node and the cluster around it, live, with read credentials."""

import asyncio

from sre_agent.evidence.kubernetes.node_surroundings import NodeSurroundings, node_surroundings
from sre_agent.evidence.kubernetes.state import text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.incident.target import Target


async def read_node(reader: KubernetesReader, target: Target) -> NodeSurroundings | None:
    """What stands around the target; None when it is not one live node of that name and uid.

    Raises Transient or Permanent as the reader does.
    """
    if not target.uid:
        return None
    nodes, pods = await asyncio.gather(reader.objects("Node", None), reader.objects("Pod", None))
    seen = node_surroundings(target.uid, nodes, pods)
    return seen if seen is not None and text(seen.node, "metadata", "name") == target.name else None
