"""A Redis Cluster as a value: a healthy one with a sick primary to start from, and a reader that answers with such values."""

from collections.abc import Sequence
from typing import Any

from sre_agent.evidence.redis.cluster_state import SLOTS, ClusterNode, RedisClusterState, Vantage
from sre_agent.evidence.redis.state import NodeView
from sre_agent.incident.errors import Permanent
from sre_agent.testing.redis_states import primary_view, replica_view

CLUSTER = "sessions"
PRIMARIES = ("10.1.0.1:7000", "10.1.0.2:7000", "10.1.0.3:7000")
REPLICAS = ("10.1.0.4:7000", "10.1.0.5:7000", "10.1.0.6:7000")
IDS = {address: letter * 40 for address, letter in zip((*PRIMARIES, *REPLICAS), "abcdef", strict=True)}
SICK = IDS[PRIMARIES[0]]
"""Node id of the primary that answers in fits; its replica is REPLICAS[0]."""

_BOUNDS = tuple(n * SLOTS // 3 for n in range(4))
_WELL = {
    "cluster_state": "ok",
    "cluster_slots_ok": str(SLOTS),
    "cluster_slots_pfail": "0",
    "cluster_slots_fail": "0",
    "cluster_current_epoch": "3",
}


def cluster_nodes(**spoiled: dict[str, Any]) -> tuple[ClusterNode, ...]:
    """Lines of CLUSTER NODES; keywords p0, p1, p2, r0, r1, r2 give fields to replace on that node."""
    found = []
    for n, address in enumerate(PRIMARIES):
        own = ClusterNode(id=IDS[address], address=address, flags=("master",), connected=True, epoch=n + 1)
        own = own.model_copy(update={"slots": ((_BOUNDS[n], _BOUNDS[n + 1] - 1),)})
        found.append(own.model_copy(update=spoiled.get(f"p{n}", {})))
    for n, address in enumerate(REPLICAS):
        own = ClusterNode(id=IDS[address], address=address, flags=("slave",), connected=True, epoch=n + 1)
        found.append(own.model_copy(update={"primary": IDS[PRIMARIES[n]]} | spoiled.get(f"r{n}", {})))
    return tuple(found)


def promoted_nodes(epoch: int = 4) -> tuple[ClusterNode, ...]:
    """After a failover of the sick primary: its replica serves its slots at `epoch`, and it replicates from it."""
    gone: dict[str, Any] = {"flags": ("slave",), "slots": (), "primary": IDS[REPLICAS[0]]}
    new: dict[str, Any] = {"flags": ("master",), "slots": ((0, _BOUNDS[1] - 1),), "primary": "", "epoch": epoch}
    return cluster_nodes(p0=gone, r0=new)


def cluster_state(
    nodes: Sequence[ClusterNode] | None = None,
    views: dict[str, NodeView] | None = None,
    info: dict[str, str] | None = None,
    silent: Sequence[str] = (),
) -> RedisClusterState:
    """All six nodes tell the same `nodes` and `info`; `views` replaces how a node answers itself, `silent` ones do not."""
    told = tuple(nodes) if nodes is not None else cluster_nodes()
    vantages = []
    for address, node_id in IDS.items():
        view = (views or {}).get(address) or _view(next((n for n in told if n.id == node_id), None), address)
        if address in silent:
            mute = NodeView(address=address, error="timed out")
            vantages.append(Vantage(address=address, id=node_id, node=mute, error="timed out"))
        else:
            vantages.append(Vantage(address=address, id=node_id, info=_WELL | (info or {}), nodes=told, node=view))
    return RedisClusterState(name=CLUSTER, vantages=tuple(vantages))


def _view(line: ClusterNode | None, address: str) -> NodeView:
    serving = line is not None and line.serving
    if serving and address == PRIMARIES[0]:
        return primary_view(p50=210.0, p99=300.0, timeouts=4, busy=0.02).model_copy(update={"address": address})
    known = primary_view() if serving else replica_view()
    return known.model_copy(update={"address": address})


class RecordedCluster:
    """A RedisClusterReader that answers with states given beforehand, one look after the other; the last one stays."""

    def __init__(self, *states: RedisClusterState) -> None:
        self._states = list(states)

    async def read(self, cluster: str) -> RedisClusterState:
        """The next state. Permanent for another cluster."""
        if cluster != self._states[0].name:
            raise Permanent(f"{cluster} is not configured here")
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]

    async def glance(self, cluster: str) -> RedisClusterState:
        """As `read`."""
        return await self.read(cluster)
