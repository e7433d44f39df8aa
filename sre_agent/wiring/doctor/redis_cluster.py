"""A Redis Cluster: its nodes answer and cover all slots, and both users stand as they should."""

from sre_agent.adapters.redis_rights import Login
from sre_agent.evidence.redis.access import ClusterAccess
from sre_agent.evidence.redis.cluster_state import RedisClusterState
from sre_agent.sources.redis_cluster import RedisClusterSource
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.redis_users import WRITES, Rights, judged
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok, together, warning
from sre_agent.wiring.readers import cluster_access

READS = (("PING",), ("INFO",), ("CLUSTER", "NODES"), ("CLUSTER", "INFO"))
FAILOVER = (("PING",), ("CLUSTER", "FAILOVER"), ("SET", "sre-agent:doctor", "1", "EX", "5"))
"""What adapters/redis_cluster.py sends to nodes."""
CALL_S = 2.0


async def _state(connections: Connections) -> RedisClusterState:
    access = _access(connections)
    return await RedisClusterSource(access).glance(access.name)


def _access(connections: Connections, *, write: bool = False) -> ClusterAccess:
    access = cluster_access(connections.settings, write=write)
    assert access is not None  # the checks need these settings
    return access


async def _nodes(connections: Connections) -> Seen:
    state = await _state(connections)
    silent = [f"{v.address}: {v.error}" for v in state.vantages if v.error]
    if not state.answering:
        return broken(f"no node answers: {listed(silent, 3)}", "Check REDIS_CLUSTER_NODES, the reading user and REDIS_TLS.")
    unwell = [v.address for v in state.answering if v.info.get("cluster_state") != "ok"]
    if unwell:
        return broken(f"{listed(unwell, 3)} say that the cluster is not ok", "Ask one `CLUSTER INFO`: slots may be uncovered.")
    if silent:
        return warning(f"{len(silent)} nodes do not answer: {listed(silent, 3)}", "Look at these nodes; one may be down for good.")
    return ok(f"{len(state.answering)} nodes of {state.name} answer, all slots are covered")


async def _users(connections: Connections, access: ClusterAccess, rights: Rights) -> Seen:
    state = await _state(connections)
    logins = [Login(v.address, access.username, access.password, access.tls, access.ca) for v in state.vantages]
    return await judged(logins, rights, min(CALL_S, connections.request_s))


async def _reading(connections: Connections) -> Seen:
    return await _users(connections, _access(connections), Rights("reading", "REDIS_CLUSTER_USERNAME", READS, WRITES))


async def _writing(connections: Connections) -> Seen:
    read, write = _access(connections), _access(connections, write=True)
    found = await _users(connections, write, Rights("writing", "REDIS_CLUSTER_WRITE_USERNAME", FAILOVER))
    if read.username == write.username:
        same = warning("reading and writing use the same user", "Give the hands a user of their own: then only they can act.")
        return together([found, same])
    return found


_NODES = ("REDIS_CLUSTER_NODES", "REDIS_CLUSTER_NAME")
_WITH = ("REDIS_TLS", "REDIS_CA")
_READ, _WRITE = ("REDIS_CLUSTER_USERNAME", "REDIS_CLUSTER_PASSWORD"), ("REDIS_CLUSTER_WRITE_PASSWORD",)
_WRITER = (*_NODES, "REDIS_CLUSTER_WRITE_USERNAME")
_ASK = "Check that the nodes can be reached from here, under the addresses that they tell of each other."
_ANSWER = "redis_cluster.nodes"
CHECKS = (
    Check("redis_cluster", "nodes", "Its nodes answer, and all slots are covered.", _nodes, _ASK, _NODES, _WITH),
    Check("redis_cluster", "read_user", "The reading user gets in, and may not write.", _reading, _ASK, _NODES, _READ, _ANSWER),
    Check("redis_cluster", "write_user", "The writing user is another one, and gets in.", _writing, _ASK, _WRITER, _WRITE, _ANSWER),
)
