"""Reading a Deployment and what stands around it, live, with read credentials."""

import asyncio
from dataclasses import replace

from sre_agent.evidence.kubernetes.deployment_surroundings import (
    NAMESPACED_KINDS,
    DeploymentSurroundings,
    deployment_surroundings,
    with_cluster,
)
from sre_agent.evidence.kubernetes.pod_template import sources
from sre_agent.evidence.kubernetes.state import JsonObject, dig, text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.incident.target import Target


async def read_deployment(
    reader: KubernetesReader, target: Target, *, configs: bool = False, cluster: bool = False
) -> DeploymentSurroundings | None:
    """What stands around the target; None when it is not one live Deployment of that namespace, name and uid.

    `configs`: with the metadata of the ConfigMaps and Secrets its templates refer to. `cluster`: with all nodes and pods.
    Raises Transient or Permanent as the reader does.
    """
    if not (target.namespace and target.uid):
        return None
    lists = await asyncio.gather(*(reader.objects(kind, target.namespace) for kind in NAMESPACED_KINDS))
    seen = deployment_surroundings(target.uid, dict(zip(NAMESPACED_KINDS, lists, strict=True)))
    if seen is None or text(seen.deployment, "metadata", "name") != target.name:
        return None
    if configs:
        seen = replace(seen, configs=tuple(await _configs(reader, seen, target.namespace)))
    if cluster:
        nodes, pods = await asyncio.gather(reader.objects("Node", None), reader.objects("Pod", None))
        seen = with_cluster(seen, nodes, pods)
    return seen


async def _configs(reader: KubernetesReader, seen: DeploymentSurroundings, namespace: str) -> list[JsonObject]:
    # Only the kinds that are referred to: reading secrets is a right that need not be given to everybody.
    templates = [seen.template, *(dig(s, "spec", "template") or {} for s in (seen.previous,) if s)]
    kinds = sorted({kind for template in templates for kind, _ in sources(template)})
    lists = await asyncio.gather(*(reader.objects(kind, namespace) for kind in kinds))
    return [{**item, "kind": kind} for kind, items in zip(kinds, lists, strict=True) for item in items]
