"""The protocol every evidence source implements, and what it is told to look at."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.postgres.patroni import PatroniState
from sre_agent.evidence.redis.cluster_state import RedisClusterState
from sre_agent.evidence.redis.queue_state import QueueState
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.series import Series
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident


class Scope(BaseModel):
    """What an investigation looks at.

    `window` is the incident's lookback for metrics and logs; `change_window` (24 h before onset)
    is how far back changes matter. `now` is the clock of the investigation (past during a replay).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident: Incident
    now: datetime
    onset: datetime
    window: Window
    change_window: Window


class EvidenceSource(Protocol):
    """One read-only source: one file in sources/.

    `gather` answers what this source knows about the scope. It raises Transient or Permanent when it
    cannot ask; the caller turns that into ERROR evidence and enforces the deadline. Ids of the returned
    evidence are assigned by the caller; a source leaves them "".
    """

    name: str
    kind: EvidenceKind

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """Everything this source has on the scope; an empty tuple means it does not apply."""
        ...


class RedisReader(Protocol):
    """Read-only view of a Sentinel-managed Redis (read credentials)."""

    async def read(self, master: str) -> RedisState:
        """Ask every sentinel and every node. Unreachable ones come back with `error` set."""
        ...


@runtime_checkable
class RedisGlancer(Protocol):
    """A RedisReader that can also look quickly, for the seconds in which writes are held back."""

    async def glance(self, master: str, *, skip: Collection[str] = ()) -> RedisState:
        """As `read`, but one INFO per node (none for addresses in `skip`) and no timed PINGs: `latency_ms` stays empty."""
        ...


class RedisClusterReader(Protocol):
    """Read-only view of a Redis Cluster (read credentials). Permanent for a cluster that is not configured."""

    async def read(self, cluster: str) -> RedisClusterState:
        """Ask every node, and time it. Unreachable ones come back with `error` set."""
        ...

    async def glance(self, cluster: str) -> RedisClusterState:
        """As `read`, without timed PINGs: `latency_ms` stays empty."""
        ...


class PatroniReader(Protocol):
    """Read-only view of a PostgreSQL cluster under Patroni. Permanent for a cluster that is not configured."""

    async def read(self, cluster: str) -> PatroniState:
        """Ask every member, and time it. Unreachable ones come back with `error` set."""
        ...

    async def glance(self, cluster: str) -> PatroniState:
        """As `read`, asked once."""
        ...


class QueueReader(Protocol):
    """Read-only view of BullMQ queues. Permanent for a queue that is not declared."""

    async def read(self, queue: str) -> QueueState:
        """Everything at one instant. Raises Transient when its Redis does not answer."""
        ...


class KubernetesReader(Protocol):
    """Read-only view of Kubernetes objects, as plain API JSON."""

    async def objects(self, kind: str, namespace: str | None) -> list[dict[str, object]]:
        """All objects of a kind, e.g. ("Pod", "voice"). Raises Transient or Permanent."""
        ...


class MetricsReader(Protocol):
    """Read-only PromQL, for verification probes."""

    async def instant(self, query: str, at: datetime) -> tuple[Series, ...]:
        """The query's value(s) at one instant; empty when there is none. Raises Transient or Permanent."""
        ...
