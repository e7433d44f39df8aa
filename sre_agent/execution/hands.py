"""Every verb the agent owns. A verb that is not here cannot be done, whatever anybody decides.

Adapters implement these with the write credentials; `adapters/dry_run.py` implements them with nothing.
All raise Transient (nothing happened), OutcomeUnknown (it may have), Refused (the target said no) or
Permanent.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class PodRef:
    """A pod and the exact version of it that was looked at: the precondition sent to the API server."""

    namespace: str
    name: str
    uid: str
    resource_version: str


class PodHands(Protocol):
    """Writes to Kubernetes pods, through the Eviction API only."""

    async def evict(self, pod: PodRef, *, dry_run: bool) -> None:
        """Evict with preconditions uid + resourceVersion. PDB exhausted or conflict: Refused."""
        ...

    async def previous_logs(self, pod: PodRef, container: str, *, max_bytes: int) -> str:
        """The log of the container's previous run, for the record; "" when there is none."""
        ...


class RedisHands(Protocol):
    """Writes to Redis nodes and sentinels. Addresses are "host:port". See docs on the fenced failover."""

    async def pause_writes(self, node: str, milliseconds: int) -> None:
        """CLIENT PAUSE <ms> WRITE."""
        ...

    async def unpause(self, node: str) -> None:
        """CLIENT UNPAUSE."""
        ...

    async def failover(self, sentinel: str, master: str, *, coordinated: bool) -> None:
        """SENTINEL FAILOVER <master> [COORDINATED]. NOGOODSLAVE and INPROG: Refused."""
        ...

    async def replicate_from(self, node: str, primary: str) -> None:
        """REPLICAOF <host> <port> on the old primary, under the pause."""
        ...

    async def write_probe(self, node: str, key: str, value: str, ttl_seconds: int) -> bool:
        """SET our own expiring key; True when the node accepted it."""
        ...


@dataclass(frozen=True)
class Hands:
    """The set of verbs one process was given. None: this process has no such credentials."""

    pods: PodHands | None = None
    redis: RedisHands | None = None
