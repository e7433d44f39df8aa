"""Every verb the agent owns. A verb that is not here cannot be done, whatever anybody decides.

Adapters implement these with the write credentials; `adapters/dry_run.py` implements them with nothing.
All raise Transient (nothing happened), OutcomeUnknown (it may have), Refused (the target said no) or
Permanent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class PodRef:
    """A pod and the exact version of it that was looked at: the precondition sent to the API server."""

    namespace: str
    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True)
class DeploymentRef:
    """A Deployment and the exact version of it that was looked at."""

    namespace: str
    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True)
class NodeRef:
    """A node and the exact version of it that was looked at."""

    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True)
class ObjectState:
    """What the API server says an object became; of a dry run, what it would have become."""

    resource_version: str
    generation: int

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "ObjectState":
        """From an API object; what it does not say is "" or 0."""
        meta = answer.get("metadata") or {}
        return cls(str(meta.get("resourceVersion") or ""), int(meta.get("generation") or 0))


class PodHands(Protocol):
    """Writes to Kubernetes pods, through the Eviction API only."""

    async def evict(self, pod: PodRef, *, dry_run: bool) -> None:
        """Evict with preconditions uid + resourceVersion. PDB exhausted or conflict: Refused."""
        ...

    async def previous_logs(self, pod: PodRef, container: str, *, max_bytes: int) -> str:
        """The log of the container's previous run, for the record; "" when there is none."""
        ...


class DeploymentHands(Protocol):
    """Writes to Deployments. Each carries uid and resourceVersion; a conflict is Refused. A dry run stores nothing."""

    async def annotate_template(self, deployment: DeploymentRef, annotations: Mapping[str, str], *, dry_run: bool) -> ObjectState:
        """Add annotations to the pod template, which rolls its pods."""
        ...

    async def replace_template(
        self, deployment: DeploymentRef, template: Mapping[str, object], annotations: Mapping[str, str], *, dry_run: bool
    ) -> ObjectState:
        """Replace the pod template as a whole, and set annotations on the Deployment itself."""
        ...

    async def scale(self, deployment: DeploymentRef, replicas: int, *, dry_run: bool) -> ObjectState:
        """Want this many replicas, through the scale subresource."""
        ...


class NodeHands(Protocol):
    """Writes to nodes: whether they take new pods. Each carries uid and resourceVersion; a conflict is Refused."""

    async def set_unschedulable(
        self, node: NodeRef, unschedulable: bool, annotations: Mapping[str, str | None], *, dry_run: bool
    ) -> ObjectState:
        """Cordon or uncordon, and set (None: remove) annotations in the same write."""
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


class RedisClusterHands(Protocol):
    """Writes to nodes of a Redis Cluster. Addresses are "host:port"."""

    async def cluster_failover(self, replica: str) -> None:
        """CLUSTER FAILOVER without any option, sent to the replica. It is scheduled then, not done. Never sent twice."""
        ...

    async def write_probe(self, node: str, key: str, value: str, ttl_seconds: int) -> bool:
        """SET our own expiring key; True when the node accepted it."""
        ...


class PatroniHands(Protocol):
    """Writes to a PostgreSQL cluster through Patroni."""

    async def switchover(self, leader: str, candidate: str) -> None:
        """POST /switchover with both named, never /failover. Impossible now: Refused. Never sent twice."""
        ...


@dataclass(frozen=True)
class QueueTerms:
    """What a write to a queue is bound to, checked again where it happens.

    `run_id`: the Redis process that was looked at. `token`: the intent's key, `plan`: its plan's hash. `deadline_ms`: the
    latest moment (unix ms of that server's clock) at which the write may still happen. `owner`: for a resumption, whose pause.
    """

    run_id: str
    token: str
    plan: str
    deadline_ms: int
    owner: str = ""


class QueueHands(Protocol):
    """Writes to BullMQ queues: a flag and its event, never a job. One atomic script each; a dry run stores nothing."""

    async def pause(self, queue: str, terms: QueueTerms, *, dry_run: bool) -> None:
        """Workers take no more jobs. Refused with the id of the first condition that does not hold there and then."""
        ...

    async def resume(self, queue: str, terms: QueueTerms, *, dry_run: bool) -> None:
        """Workers take jobs again, if the pause is still `terms.owner`'s and nobody else's. Refused otherwise."""
        ...


@dataclass(frozen=True)
class Hands:
    """The set of verbs one process was given. None: this process has no such credentials."""

    pods: PodHands | None = None
    deployments: DeploymentHands | None = None
    nodes: NodeHands | None = None
    redis: RedisHands | None = None
    redis_cluster: RedisClusterHands | None = None
    patroni: PatroniHands | None = None
    queues: QueueHands | None = None
