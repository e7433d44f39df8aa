"""What every request passes first: doors are answered here, and all else only after asking who asks.

Doors (webhooks) authenticate each delivery themselves and health says nothing of interest, so both answer
everybody. All else has no sign-in yet and answers this machine only: the peer's address is loopback, no proxy header
is present (a reverse proxy on this machine would make the whole world look local), and the Host is a loopback name (or
a hostile web page could reach us through the reader's own browser by DNS rebinding).
"""

import json
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})
_PROXY_HEADERS = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_REFUSAL = json.dumps(
    {"error": "this address answers requests from this machine only: ask on the machine itself, or through ssh -L"}
).encode()


class Front:
    """ASGI middleware around the whole app. `doors` by path answer at once, without the framework in between,
    because they are on the path of every delivery.
    """

    def __init__(self, app: ASGIApp, doors: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_SECURITY_HEADERS]
            await send(message)

        door = self._doors.get(scope["path"])
        if door is not None:
            await door(scope, receive, send_with_headers)
            return
        if scope["path"] in OPEN_TO_ALL or asked_from_here(scope):
            await self._app(scope, receive, send_with_headers)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_REFUSAL)).encode())]
        await send_with_headers({"type": "http.response.start", "status": 403, "headers": headers})
        await send_with_headers({"type": "http.response.body", "body": _REFUSAL})


def asked_from_here(scope: Scope) -> bool:
    """True when the request certainly comes from this machine. In doubt: no."""
    client = scope.get("client")
    if not client or not _loopback(client[0]):
        return False
    hosts = []
    for name, value in scope["headers"]:
        if name in _PROXY_HEADERS:
            return False
        if name == b"host":
            hosts.append(value.decode("latin-1"))
    return len(hosts) == 1 and _local_name(hosts[0])


def _local_name(host: str) -> bool:
    """True for localhost and loopback addresses, with or without a port."""
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    return name.lower() == "localhost" or _loopback(name)


def _loopback(address: str) -> bool:
    """True for 127.0.0.0/8 and ::1, also when written as an IPv4-mapped IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
