"""How to reach a Sentinel-managed Redis as one user. Two of these exist: one that reads, one that writes."""

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


def split_address(address: str) -> tuple[str, int]:
    """ "host:port" apart; IPv6 hosts may be in brackets. ValueError when it is not an address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)
