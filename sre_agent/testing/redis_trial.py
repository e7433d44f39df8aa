"""The control of the demonstration: Sentinel's plain failover, and how to count what any failover lost."""

import time

from sre_agent.testing.redis_client import ANY_FAILURE, ask
from sre_agent.testing.redis_load import CountingWriter, WriteCount
from sre_agent.testing.redis_topology import RedisTopology


def plain_failover(topology: RedisTopology) -> float:
    """`SENTINEL FAILOVER` and nothing else; returns seconds until all sentinels agree on another primary."""
    began = time.monotonic()
    ask(topology.sentinels[0], "SENTINEL", "FAILOVER", topology.plan.master)
    while time.monotonic() - began < 30.0:
        told = set(topology.addresses_told())
        if len(told) == 1 and told != {topology.primary}:
            return time.monotonic() - began
        time.sleep(0.05)
    raise TimeoutError("the sentinels did not agree on a new primary within 30 s")


def wait_until_demoted(address: str, seconds: float = 30.0) -> None:
    """Wait until a node is a replica: only then can nothing more be acknowledged there. TimeoutError else."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            role = ask(address, "ROLE")
        except ANY_FAILURE:
            role = None
        if isinstance(role, list | tuple) and role and role[0] in ("slave", b"slave"):
            return
        time.sleep(0.1)
    raise TimeoutError(f"{address} is still no replica after {seconds:g} s")


def count_losses(topology: RedisTopology, writer: CountingWriter, old_primary: str) -> WriteCount:
    """Stop the writer once the old primary is a replica, and read every key back from the new primary."""
    wait_until_demoted(old_primary)
    writer.stop()
    told = topology.addresses_told()[0]
    if told is None:
        raise TimeoutError("no sentinel says where the primary is")
    return writer.read_back(told)
