"""What the nodes of one Redis Cluster say about it: each node's own view, because one alone can be wrong.

Payload of the evidence that source `redis_cluster` gives is `RedisClusterState.model_dump(mode="json")`. Source of the
line format: Redis documentation, CLUSTER NODES and CLUSTER INFO.
"""

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.redis.state import NodeView

SOURCE = "redis_cluster"
"""The name of the source: what tells this evidence from a Sentinel-managed Redis, which is of the same kind."""

SLOTS = 16_384
"""Hash slots of every Redis Cluster."""


class ClusterNode(BaseModel):
    """One line of CLUSTER NODES. `primary` is the id of the node it replicates, "" for a primary.

    `epoch` is its configuration epoch; `slots` are inclusive ranges; `moving` is True while a slot migrates or is imported.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    address: str
    flags: tuple[str, ...] = ()
    primary: str = ""
    connected: bool = False
    epoch: int = 0
    slots: tuple[tuple[int, int], ...] = ()
    moving: bool = False

    @property
    def serving(self) -> bool:
        """A primary that owns slots."""
        return "master" in self.flags and bool(self.slots)

    @property
    def failing(self) -> bool:
        """Somebody takes it for dead, or nobody knows where it is."""
        return bool({"fail", "fail?", "noaddr", "handshake"} & set(self.flags))


class Vantage(BaseModel):
    """One node's view: CLUSTER INFO and CLUSTER NODES as it tells them, and how it answers itself (`node`).

    `error` is set, and the views are empty, when it did not tell them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    address: str
    id: str = ""
    info: dict[str, str] = {}
    nodes: tuple[ClusterNode, ...] = ()
    node: NodeView
    error: str = ""

    def find(self, node_id: str) -> ClusterNode | None:
        """A node by its id, as this one sees it."""
        return next((n for n in self.nodes if n.id == node_id), None)


class RedisClusterState(BaseModel):
    """One cluster at one instant, from every node that could be found."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    vantages: tuple[Vantage, ...] = ()

    @property
    def answering(self) -> tuple[Vantage, ...]:
        """The nodes that told their view."""
        return tuple(v for v in self.vantages if not v.error and v.nodes)

    def seat(self, node_id: str) -> Vantage | None:
        """The view of the node with this id."""
        return next((v for v in self.vantages if v.id == node_id), None)


def parse_nodes(text: str) -> tuple[ClusterNode, ...]:
    """CLUSTER NODES as text. ValueError when a line is not one."""
    return tuple(_node(line) for line in text.splitlines() if line.strip())


def parse_info(text: str) -> dict[str, str]:
    """CLUSTER INFO as text."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _node(line: str) -> ClusterNode:
    words = line.split()
    if len(words) < 8:
        raise ValueError(f"not a line of CLUSTER NODES: {line[:80]!r}")
    slots = [w for w in words[8:] if not w.startswith("[")]
    return ClusterNode(
        id=words[0],
        address=words[1].partition("@")[0],
        flags=tuple(words[2].split(",")),
        primary="" if words[3] == "-" else words[3],
        connected=words[7] == "connected",
        epoch=int(words[6]),
        slots=tuple((int(a), int(b or a)) for a, _, b in (w.partition("-") for w in slots)),
        moving=len(slots) < len(words[8:]),
    )
