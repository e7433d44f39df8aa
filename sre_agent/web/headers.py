"""The security headers of every answer, set in one place: what the app itself says under these names does not count, but
for how long a file under /static/ may be kept."""

from starlette.types import Message, Send

STATIC = "/static/"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HSTS = b"max-age=31536000"
_IMMUTABLE = b"public, max-age=31536000, immutable"


class SecurityHeaders:
    """Wraps `send` for one path. `https`: browsers are told to come back by https only."""

    def __init__(self, *, https: bool) -> None:
        self._always = {**_ALWAYS, **({b"strict-transport-security": _HSTS} if https else {})}

    def around(self, send: Send, path: str, query: bytes = b"") -> Send:
        """A `send` that puts the headers on the answer's start."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(name.lower(), value) for name, value in message.get("headers", ())]
                own = self._of(path, query, message["status"])
                if path.startswith(STATIC) and any(name == b"cache-control" for name, _ in given):
                    del own[b"cache-control"]
                message["headers"] = [*((name, value) for name, value in given if name not in own), *own.items()]
            await send(message)

        return with_headers

    def _of(self, path: str, query: bytes, status: int) -> dict[bytes, bytes]:
        # `no-referrer` would also make browsers send `Origin: null` with a page's own forms (Fetch, 3.2), and the Origin is
        # what tells them from another site's. Sign-in has codes and tokens in its addresses and no such forms.
        quiet = path.startswith(("/sign-in", "/api/", "/webhooks/"))
        by_content = path.startswith(STATIC) and query.startswith(b"v=") and status == 200
        return {
            **self._always,
            b"referrer-policy": b"no-referrer" if quiet else b"same-origin",
            # v= is the digest of the file, so another content has another address.
            b"cache-control": _IMMUTABLE if by_content else b"no-store",
        }
