"""How to reach a Sentinel-managed Redis as one user. Two of these exist: one that reads, one that writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RedisAccess:
    """Sentinel addresses ("host:port") and one user's credentials for the nodes behind them.

    Passwords never appear in a repr. `sentinel_password` is what the sentinels themselves ask for. `tls`
    holds for sentinels and nodes alike; `ca` is a path to a PEM file (None: the system's).
    """

    sentinels: tuple[str, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None


@dataclass(frozen=True)
class ClusterAccess:
    """One Redis Cluster: the name that alerts give it, some of its nodes ("host:port"), and one user's credentials.

    The rest of the nodes is learnt from these. `tls` and `ca` as in RedisAccess.
    """

    name: str
    nodes: tuple[str, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None


@dataclass(frozen=True)
class QueuePlace:
    """Where one BullMQ queue is, as its owners declared it: its Redis ("host:port") and the prefix of its keys."""

    address: str
    prefix: str


@dataclass(frozen=True)
class QueueAccess:
    """The declared queues by name, and one user's credentials for the Redis that holds them. `tls` and `ca` as in RedisAccess."""

    queues: Mapping[str, QueuePlace]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None


def split_address(address: str) -> tuple[str, int]:
    """ "host:port" apart; IPv6 hosts may be in brackets. ValueError when it is not an address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)
