"""What sentinels and nodes say about one Redis master: the same shape live and recorded.

Payload of EvidenceKind.REDIS evidence is `RedisState.model_dump(mode="json")`. Shapes follow the case
format's redis.json: Sentinel's own field names (SENTINEL MASTER / REPLICAS), INFO as parsed.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict


class SentinelView(BaseModel):
    """One sentinel's answer. `error` is set, and the rest empty, when it did not answer.

    `version` is the sentinel's own, as "valkey 9.1.2" or "redis 7.0.15"; "" when not read. A live read sets
    ip and port of `master` to where this sentinel sends clients now (during a failover SENTINEL MASTER
    itself still names the old primary).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    address: str
    master: dict[str, Any] = {}
    replicas: tuple[dict[str, Any], ...] = ()
    ckquorum: str = ""
    version: str = ""
    error: str = ""


class NodeView(BaseModel):
    """One Redis node's answer. `info` is INFO parsed flat; `latency_ms` holds p50/p99 of timed PINGs.

    `timeouts` counts PINGs of `attempts` that did not answer in time (they are latency, not silence).
    `busy` is the share of one core the node used while it was probed (0..1, more with I/O threads); None: unknown.
    `per_s` holds the counters of GROWING per second between two INFOs; empty when there was only one. `slow` are the newest
    entries of SLOWLOG: {"command", "ms", "ago_s"}, the command's name alone; empty where the user may not read it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    address: str
    info: dict[str, Any] = {}
    latency_ms: dict[str, float] = {}
    attempts: int = 0
    timeouts: int = 0
    busy: float | None = None
    per_s: dict[str, float] = {}
    slow: tuple[dict[str, Any], ...] = ()
    error: str = ""

    @property
    def role(self) -> str:
        """master or slave as INFO says, "" when unknown."""
        return str(self.info.get("role", ""))


class RedisState(BaseModel):
    """One master's whole topology at one instant."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    sentinels: tuple[SentinelView, ...] = ()
    nodes: tuple[NodeView, ...] = ()

    @property
    def primary_addresses(self) -> frozenset[str]:
        """Where each answering sentinel says the primary is: one element when they agree."""
        return frozenset(
            f"{s.master['ip']}:{s.master['port']}" for s in self.sentinels if s.master.get("ip") and s.master.get("port")
        )

    @property
    def primary(self) -> NodeView | None:
        """The primary's own answer, when the sentinels agree on where it is."""
        if len(self.primary_addresses) != 1:
            return None
        (address,) = self.primary_addresses
        return next((n for n in self.nodes if n.address == address), None)

    @property
    def replicas(self) -> tuple[NodeView, ...]:
        """Every node that is not the agreed primary."""
        primary = self.primary
        return tuple(n for n in self.nodes if primary is None or n.address != primary.address)
