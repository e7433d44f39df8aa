"""What keeps a primary of a Redis Cluster from being failed over: the same for findings, facts and preconditions.

Pure. A condition that cannot be seen to hold does not hold.
"""

import binascii

from sre_agent.evidence.redis.cluster_state import SLOTS, ClusterNode, RedisClusterState, Vantage
from sre_agent.evidence.redis.health import Judgement, Trouble, is_down, judge, number, replica_problem
from sre_agent.evidence.redis.state import NodeView, RedisState

MIN_VANTAGES = 2
"""One node's view of a cluster may be a partition's."""

LAST_IO_S = 12.0
"""A primary without writes PINGs its replicas every 10 s (repl-ping-replica-period); the failover waits for equal offsets."""

Problem = tuple[str, str]
"""(rule id, reason for a human)."""

_INHERITED = {Trouble.MEMORY_FULL: "cluster-memory-full", Trouble.OVERLOADED: "cluster-overloaded"}


def primaries(state: RedisClusterState) -> dict[str, ClusterNode]:
    """Every primary with slots by id, as the answering nodes agree on it; empty when they do not agree."""
    pictures = {_picture(v) for v in state.answering}
    if len(pictures) != 1:
        return {}
    return {n.id: n for n in state.answering[0].nodes if n.serving}


def replicas_of(state: RedisClusterState, primary_id: str) -> tuple[Vantage, ...]:
    """The views of the replicas that some answering node counts to this primary."""
    ids = {n.id for v in state.answering for n in v.nodes if n.primary == primary_id and not n.failing}
    return tuple(v for v in state.vantages if v.id in ids)


def shard(state: RedisClusterState, primary_id: str) -> RedisState:
    """A primary and its replicas in the shape that the judgements on one Redis take."""
    seat = state.seat(primary_id)
    nodes = [v.node for v in replicas_of(state, primary_id)]
    return RedisState(name=state.name, nodes=(*([seat.node] if seat else []), *nodes))


def judge_shard(state: RedisClusterState, primary_id: str) -> Judgement:
    """What is wrong with one primary, and whether it is its own fault."""
    return judge(shard(state, primary_id))


def named_node(state: RedisClusterState, label: str) -> str:
    """The id of the node that a label names, by id or address; "" when not exactly one."""
    ids = {n.id for v in state.answering for n in v.nodes if label and label in (n.id, n.address)}
    return ids.pop() if len(ids) == 1 else ""


def fit_replicas(state: RedisClusterState, primary_id: str) -> tuple[Vantage, ...]:
    """The replicas fit to take over and seen connected by all, the one furthest along first; among equals by id."""
    seat = state.seat(primary_id)
    if seat is None:
        return ()
    fit = [v for v in replicas_of(state, primary_id) if _fit(state, v, seat.node)]
    return tuple(sorted(fit, key=lambda v: (-number(v.node.info, "slave_repl_offset"), v.id)))


def problems(state: RedisClusterState, primary_id: str) -> tuple[Problem, ...]:
    """Every precondition of a plain failover of this primary that does not hold; () when all hold."""
    found = [*_cluster_problems(state), *_primary_problems(state, primary_id)]
    if not found and not fit_replicas(state, primary_id):
        found.append(("cluster-no-replica", f"no replica of it is fit to take over: {_unfit(state, primary_id)}"))
    return tuple(found)


def topology_problems(state: RedisClusterState) -> tuple[Problem, ...]:
    """What is wrong with the cluster as a whole, whichever node is meant; () when nothing is."""
    return tuple(_cluster_problems(state))


def probe_key(ranges: tuple[tuple[int, int], ...], prefix: str) -> str:
    """A key of ours that hashes into one of these slot ranges. Source: Redis Cluster specification, hash tags."""
    for n in range(SLOTS * 40):
        slot = binascii.crc_hqx(str(n).encode(), 0) % SLOTS
        if any(first <= slot <= last for first, last in ranges):
            return f"{prefix}{{{n}}}"
    raise ValueError("these ranges hold no slot")


def _picture(vantage: Vantage) -> frozenset[tuple[str, int, tuple[tuple[int, int], ...]]]:
    return frozenset((n.id, n.epoch, n.slots) for n in vantage.nodes if n.serving)


def _cluster_problems(state: RedisClusterState) -> list[Problem]:
    seen = state.answering
    if len(seen) < MIN_VANTAGES:
        return [("cluster-unseen", f"only {len(seen)} node(s) of the cluster answer: one view may be a partition's")]
    found: list[Problem] = []
    unwell = [v.address for v in seen if not _whole(v)]
    if unwell:
        found.append(("cluster-not-ok", f"not all {SLOTS} slots are served, as seen from {', '.join(unwell)}"))
    if any(n.moving for v in seen for n in v.nodes):
        found.append(("cluster-slots-moving", "slots are being moved between nodes"))
    agreed = primaries(state)
    if not agreed:
        return [*found, ("cluster-views-disagree", "the nodes do not agree on who serves which slots at which epoch")]
    reached = {v.id for v in seen} & agreed.keys()
    if len(reached) * 2 <= len(agreed):
        found.append(("cluster-no-majority", f"{len(reached)} of {len(agreed)} primaries answer: no majority to vote"))
    suspect = sorted({n.address for v in seen for n in v.nodes if n.failing and (n.id in agreed or n.primary)})
    if suspect:
        found.append(("cluster-node-failing", f"taken for dead by somebody: {', '.join(suspect)}"))
    return found


def _primary_problems(state: RedisClusterState, primary_id: str) -> list[Problem]:
    agreed, seat = primaries(state), state.seat(primary_id)
    if primary_id not in agreed:
        return [("cluster-node-not-primary", f"{primary_id[:12] or 'no node'} is not a primary with slots")]
    found: list[Problem] = []
    if seat is None or seat.error or is_down(seat.node) or seat.node.role != "master":
        # A primary that is dead is replaced by the cluster's own election; FORCE would skip its last writes.
        found.append(("cluster-primary-silent", "the primary does not answer: leave it to the cluster's own election"))
    else:
        judgement = judge_shard(state, primary_id)
        if not judgement.primary_at_fault:
            found.append((_INHERITED.get(judgement.trouble, "cluster-primary-not-at-fault"), judgement.why))
    bare = [n.address for n in agreed.values() if n.id != primary_id and not replicas_of(state, n.id)]
    if bare:
        found.append(("cluster-other-primary-bare", f"without a replica: {', '.join(sorted(bare))}"))
    return found


def _whole(vantage: Vantage) -> bool:
    info = vantage.info
    good = info.get("cluster_state") == "ok" and number(info, "cluster_slots_ok") == SLOTS
    return good and number(info, "cluster_slots_fail", 1.0) == 0 and number(info, "cluster_slots_pfail", 1.0) == 0


def _fit(state: RedisClusterState, replica: Vantage, primary: NodeView) -> bool:
    seen = [n for v in state.answering if (n := v.find(replica.id)) is not None]
    connected = all(n.connected or "myself" in n.flags for n in seen)
    return not replica.error and connected and replica_problem(replica.node, primary, LAST_IO_S) is None


def _unfit(state: RedisClusterState, primary_id: str) -> str:
    seat = state.seat(primary_id)
    if seat is None:
        return "the primary itself was not seen"
    told = [p[1] for v in replicas_of(state, primary_id) if (p := replica_problem(v.node, seat.node, LAST_IO_S)) is not None]
    return "; ".join(told) or "it has none that answers and is connected"
