"""Whether a node takes new pods, changed once: what cordon_node and uncordon_node share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sre_agent.evidence.kubernetes.node_reading import read_node
from sre_agent.evidence.kubernetes.node_surroundings import WORDS, NodeSurroundings, unschedulable
from sre_agent.evidence.kubernetes.state import JsonObject, text
from sre_agent.evidence.source import KubernetesReader
from sre_agent.execution.action import Outcome, Workbench
from sre_agent.execution.hands import NodeHands, NodeRef
from sre_agent.execution.ledger import IntentState
from sre_agent.execution.single_write import Judged, SingleWrite
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target

SEEN_WITHIN_S = 60.0


class Unmet(Protocol):
    """Which conditions do not hold, by id."""

    def __call__(self, seen: NodeSurroundings, now: datetime) -> tuple[str, ...]:
        """Ids of node_surroundings.WORDS."""
        ...


@dataclass(frozen=True)
class Turn:
    """One way to turn it: `cordon` or back, under which conditions. Refused rules begin with "node-"."""

    cordon: bool
    unmet: Unmet
    clock: Clock

    @property
    def step(self) -> str:
        """The ledger's name of the point of no return."""
        return "cordon" if self.cordon else "uncordon"

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """{name, uid, resource_version}."""
        reader, _ = tools(bench)
        seen = await self._look(reader, target)
        meta = seen.node["metadata"]
        return {"name": target.name, "uid": target.uid, "resource_version": text(meta, "resourceVersion")}

    def write(self, before: Mapping[str, Any], annotations: Mapping[str, str | None], bench: Workbench) -> SingleWrite:
        """The one write, with what it marks the node with."""
        reader, hands = tools(bench)
        target = Target(kind="Node", name=before["name"], uid=before["uid"])

        async def look() -> Judged:
            seen = await self._look(reader, target)
            return Judged(text(seen.node, "metadata", "resourceVersion"))

        async def send(judged: Judged, dry_run: bool) -> object:
            node = NodeRef(before["name"], before["uid"], judged.resource_version)
            return await hands.set_unschedulable(node, self.cordon, annotations, dry_run=dry_run)

        async def read() -> JsonObject | None:
            return next((n for n in await reader.objects("Node", None) if text(n, "metadata", "uid") == before["uid"]), None)

        done = Outcome(IntentState.DONE, f"node {before['name']} takes {'no new pods' if self.cordon else 'new pods again'}")
        return SingleWrite(
            what=f"the {self.step}",
            step=self.step,
            look=look,
            send=send,
            read=read,
            applied=lambda n: unschedulable(n) is self.cordon and _marked(n, annotations),
            progress=lambda n, since: done,  # noqa: ARG005
            within_s=SEEN_WITHIN_S,
        )

    async def _look(self, reader: KubernetesReader, target: Target) -> NodeSurroundings:
        seen = await read_node(reader, target)
        if seen is None:
            raise Refused("node-gone", f"there is no node {target.name} with uid {target.uid}")
        for rule in self.unmet(seen, self.clock.now()):
            raise Refused(f"node-{rule.removeprefix('node-')}", f"node {target.name}: {WORDS[rule]}")
        return seen


def _marked(node: JsonObject, annotations: Mapping[str, str | None]) -> bool:
    return all(text(node, "metadata", "annotations", key) == (value or "") for key, value in annotations.items())


def tools(bench: Workbench) -> tuple[KubernetesReader, NodeHands]:
    """Reader and hands. Refused("node-no-access") without either."""
    if bench.readers.kubernetes is None or bench.hands.nodes is None:
        raise Refused("node-no-access", "this process has no Kubernetes reader or no write kubeconfig")
    return bench.readers.kubernetes, bench.hands.nodes
