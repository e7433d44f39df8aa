"""Where a request comes from, as far as its connection and its heads tell. Pure; in doubt the answer is no."""

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

Network = IPv4Network | IPv6Network

_PROXY_HEADERS = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
)
_PROXY_PREFIXES = ("x-forwarded-", "x-envoy-", "x-auth-request-", "x-original-")


def asked_from_here(scope: Scope, user_header: str = "") -> bool:
    """True when the request certainly comes from this machine: the peer is loopback, no proxy left its mark (or a reverse
    proxy here would make the whole world look local), and the Host is a loopback name (or a hostile page could reach
    us through the reader's own browser by DNS rebinding). `user_header` is one more mark of a proxy.
    """
    client = peer(scope)
    if client is None or not client.is_loopback or any(_of_a_proxy(name, user_header) for name, _ in _headers(scope)):
        return False
    host = host_of(scope)
    return host is not None and _loopback(host_name(host))


def inside(scope: Scope, networks: Collection[Network]) -> bool:
    """True when the TCP peer is inside one of the networks. Its headers have no say."""
    client = peer(scope)
    return client is not None and any(client in network for network in networks)


def peer(scope: Scope) -> IPv4Address | IPv6Address | None:
    """The TCP peer's address, an IPv4-mapped IPv6 one as IPv4; None when it has none."""
    client = scope.get("client")
    return _address(client[0]) if client else None


def host_of(scope: Scope) -> str | None:
    """The one Host header in lower case; None when there is none or more than one."""
    hosts = values(scope, "host")
    return hosts[0].lower() if len(hosts) == 1 else None


def host_name(host: str) -> str:
    """A Host without its port; an IPv6 address without its brackets."""
    return host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]


def cannot_be_rebound(host: str) -> bool:
    """True for an address or localhost: no name that somebody else's DNS could point at us."""
    name = host_name(host)
    return name == "localhost" or _address(name) is not None


def values(scope: Scope, header: str) -> list[str]:
    """Every value of a header, by its exact name in any case."""
    return [value for name, value in _headers(scope) if name == header.lower()]


def alike(scope: Scope, header: str) -> int:
    """How many headers have this name when _ and - count as the same, as they do to some servers on the way."""
    wanted = header.lower().replace("_", "-")
    return sum(name.replace("_", "-") == wanted for name, _ in _headers(scope))


def _headers(scope: Scope) -> Iterator[tuple[str, str]]:
    for name, value in scope["headers"]:
        yield name.decode("latin-1").lower(), value.decode("latin-1")


def _of_a_proxy(name: str, user_header: str) -> bool:
    plain = name.replace("_", "-")
    return plain in _PROXY_HEADERS or plain.startswith(_PROXY_PREFIXES) or plain == user_header.lower().replace("_", "-")


def _loopback(name: str) -> bool:
    """True for localhost, 127.0.0.0/8 and ::1."""
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
