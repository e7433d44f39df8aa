"""Read-only HTTP for sources: one GET or POST form to an allow-listed path, bounded in time and size, asked once.

Redirects are not followed: the configured address is the only one that may see the token. Nothing is repeated here;
who asks again, and within which deadline, is decided by the caller of the source.
"""

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from sre_agent.incident.errors import Permanent, Transient

if TYPE_CHECKING:
    import ssl

    import httpx

Fields = Mapping[str, str | list[str]]
"""Query parameters or a form; a list repeats its name."""

QUOTED = 300
"""Characters of an error body that are shown."""
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True)
class HttpEndpoint:
    """Where and how much to ask. `what` and `variable` are for people: "Loki", "LOKI_URL".

    `tenant` becomes X-Scope-OrgID, `token` a bearer token; a user and password inside `url` become basic auth and are
    never shown. Seconds and bytes.
    """

    what: str
    variable: str
    url: str
    token: str = field(default="", repr=False)
    tenant: str = ""
    timeout_s: float = 10.0
    max_body_bytes: int = 8_000_000


class HttpServer(Protocol):
    """What every source's own endpoint says of its server; the source adds what it is called."""

    @property
    def url(self) -> str:
        """The address, perhaps with user and password."""
        ...

    @property
    def token(self) -> str:
        """A bearer token, or ""."""
        ...

    @property
    def tenant(self) -> str:
        """For X-Scope-OrgID, or ""."""
        ...

    @property
    def timeout_s(self) -> float:
        """Seconds for one request."""
        ...

    @property
    def max_body_bytes(self) -> int:
        """The most that is read of one answer."""
        ...


def api_of(what: str, variable: str, server: HttpServer, paths: Collection[str]) -> "HttpApi":
    """The API of a source's server: `what` and `variable` as in HttpEndpoint."""
    endpoint = HttpEndpoint(
        what,
        variable,
        server.url,
        token=server.token,
        tenant=server.tenant,
        timeout_s=server.timeout_s,
        max_body_bytes=server.max_body_bytes,
    )
    return HttpApi(endpoint, paths)


@dataclass(frozen=True)
class HttpAnswer:
    """Status, body, and the seconds to wait where the other side said so."""

    status: int
    body: bytes
    retry_after: float | None = None

    def json(self) -> object:
        """The body as JSON; None when it is not JSON."""
        try:
            parsed: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return parsed

    def text(self) -> str:
        """The beginning of the body on one line, for an error message."""
        return _BLANK.sub(" ", self.body[: 2 * QUOTED].decode("utf-8", "replace")).strip()[:QUOTED] or "empty answer"


class HttpApi:
    """One HTTP API of which only `paths` are ever asked."""

    def __init__(self, endpoint: HttpEndpoint, paths: Collection[str]) -> None:
        self._endpoint = endpoint
        self._paths = frozenset(paths)
        self._url, self._login = _without_login(endpoint.url.rstrip("/"))
        self._tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """The address as it may be shown: without user and password."""
        return self._url

    @property
    def name(self) -> str:
        """What is asked, and where, for messages."""
        return f"{self._endpoint.what} at {self._url}"

    @asynccontextmanager
    async def session(self) -> "AsyncIterator[HttpSession]":
        """Connections for some requests, closed at the end."""
        import httpx

        headers = {"Accept": "application/json"}
        if self._login:
            headers["Authorization"] = f"Basic {self._login}"
        if self._endpoint.token:
            headers["Authorization"] = f"Bearer {self._endpoint.token}"
        if self._endpoint.tenant:
            headers["X-Scope-OrgID"] = self._endpoint.tenant
        self._tls = self._tls or httpx.create_ssl_context()  # reading the trust store costs more than the query
        async with httpx.AsyncClient(
            headers=headers, timeout=self._endpoint.timeout_s, verify=self._tls, follow_redirects=False
        ) as client:
            yield HttpSession(self, client)

    def failure(self, answer: HttpAnswer, said: str = "") -> Permanent | Transient:
        """The error that tells a person what an answer that is not usable says; `said` instead of its body, where that is known."""
        quoted = said or answer.text()
        for secret in filter(None, (self._endpoint.token, self._login)):
            quoted = quoted.replace(secret, "[redacted]")  # some proxies print the headers that they did not like
        text = f"{self.name} answered {answer.status}: {quoted[:QUOTED]}"
        if answer.status == 429 or answer.status == 408 or answer.status >= 500:
            return Transient(text, retry_after=answer.retry_after)
        if answer.status in (401, 403):
            return Permanent(f"{text} (its credentials or tenant are not accepted)")
        if answer.status < 400:
            variable = self._endpoint.variable
            return Permanent(
                f"{text} (this is not the {self._endpoint.what} API; check {variable} for a login page or a missing path prefix)"
            )
        return Permanent(text)

    async def send(self, client: "httpx.AsyncClient", path: str, query: Fields | None, form: Fields | None) -> HttpAnswer:
        """One request, a POST when there is a form. Raises Transient when no answer came, Permanent for what cannot be asked."""
        import httpx

        if path not in self._paths:
            raise Permanent(f"{path} is not a path the agent may ask of {self._endpoint.what}")
        method, data = ("GET", None) if form is None else ("POST", dict(form))
        try:
            async with client.stream(method, self._url + path, params=dict(query or {}), data=data) as response:
                body = await self._read(response)
                return HttpAnswer(response.status_code, body, _seconds(response.headers.get("retry-after", "")))
        except httpx.TimeoutException as error:
            raise Transient(f"{self.name} did not answer within {self._endpoint.timeout_s:g} s") from error
        except httpx.InvalidURL as error:
            raise Permanent(f"{self._endpoint.variable} {self._url!r} is not an address: {error}") from error
        except httpx.HTTPError as error:
            raise Transient(f"{self.name} cannot be reached: {error or type(error).__name__}") from error

    async def _read(self, response: "httpx.Response") -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._endpoint.max_body_bytes:
                raise TooMuch(f"{self.name} sent more than {self._endpoint.max_body_bytes} bytes for one request")
        return bytes(body)


class HttpSession:
    """Requests over the connections of one look."""

    def __init__(self, api: HttpApi, client: "httpx.AsyncClient") -> None:
        self._api, self._client = api, client

    async def get(self, path: str, query: Fields) -> HttpAnswer:
        """GET; any status is an answer. Raises as HttpApi.send."""
        return await self._api.send(self._client, path, query, None)

    async def post(self, path: str, form: Fields) -> HttpAnswer:
        """POST of a form, for a query too long for an address. Raises as HttpApi.send."""
        return await self._api.send(self._client, path, None, form)


class TooMuch(Permanent):
    """The answer is larger than the agent will read: ask for less."""


def _without_login(url: str) -> tuple[str, str]:
    """(the address without user and password, "user:password" in base64 or "")."""
    try:
        parts = urlsplit(url)
        user, password = parts.username, parts.password
    except ValueError:  # not an address: said when it is asked
        return url, ""
    if user is None:
        return url, ""
    shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return shown, b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
