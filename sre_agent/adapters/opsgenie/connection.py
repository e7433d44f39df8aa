"""One request to Opsgenie or JSM, sent once, with a deadline; what the answer means in the error tree."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpx

from sre_agent.adapters.opsgenie.dialect import Dialect
from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, SreAgentError, Transient
from sre_agent.intake.untrusted import Unreadable, fields, read_json, text

DEADLINE_S: Final = 10.0
LARGEST: Final = 4 * 1024 * 1024
"""Bytes of an answer that are read."""
LONGEST_WAIT_S: Final = 3600.0

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_REFUSED_KEY: Final = (401, 403)


class NotThere(Permanent):
    """404: no such alert, or (for a request) not processed yet."""


def genie_key(key: str) -> Mapping[str, str]:
    """Opsgenie's credentials."""
    if not key.strip():
        raise ConfigurationError("OPSGENIE_API_KEY is empty")
    return {"authorization": f"GenieKey {key.strip()}"}


def basic(email: str, token: str) -> Mapping[str, str]:
    """JSM's credentials."""
    if not email.strip() or not token.strip():
        raise ConfigurationError("JSM_EMAIL or JSM_API_TOKEN is empty")
    return {"authorization": "Basic " + base64.b64encode(f"{email.strip()}:{token.strip()}".encode()).decode()}


class Connection:
    """Requests of one dialect. Raises Transient (429, 5xx, network), OutcomeUnknown (of a write: no answer, 5xx), NotThere,
    ConfigurationError (401, 403) and Permanent.
    """

    def __init__(self, api_url: str, credentials: Mapping[str, str], dialect: Dialect, deadline_s: float = DEADLINE_S) -> None:
        address = urlsplit(api_url)
        local = address.hostname in _LOOPBACK
        if not address.hostname or address.scheme not in ("http", "https"):
            raise ConfigurationError(f"{dialect.name}: {api_url!r} is not an http(s) address")
        if address.scheme == "http" and not local:
            raise ConfigurationError(f"{dialect.name}: {api_url!r} would send the key in clear; use https")
        self.dialect = dialect
        self._client = httpx.AsyncClient(
            base_url=api_url,
            headers={**credentials, "accept": "application/json"},
            timeout=httpx.Timeout(deadline_s, connect=min(3.0, deadline_s)),
            follow_redirects=False,
            trust_env=not local,
        )

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def read(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, object]:
        """GET below the alerts' path."""
        return await self._sent("GET", path, params, None)

    async def write(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        """POST below the alerts' path."""
        return await self._sent("POST", path, None, body)

    async def _sent(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Mapping[str, object] | None
    ) -> dict[str, object]:
        where, write = f"{self.dialect.name}: {method} {self.dialect.alerts}{path}", body is not None
        unsure = OutcomeUnknown if write else Transient
        request = self._client.build_request(method, self.dialect.alerts + path, params=dict(params or {}), json=body)
        try:
            answer = await self._client.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as unreachable:
            raise Transient(f"{where}: no connection ({type(unreachable).__name__}); nothing was sent") from unreachable
        except httpx.HTTPError as silence:
            raise unsure(f"{where}: sent, no answer came ({type(silence).__name__})") from silence
        if not answer.is_success:
            raise _failure(where, answer, write, self.dialect.settings)
        try:
            content = read_json(answer.content[:LARGEST])
        except Unreadable:
            content = None
        if not isinstance(content, dict):
            raise (unsure if write else Permanent)(f"{where}: the answer is not the API's (a proxy or a sign-in page?)")
        return content


def _failure(where: str, answer: httpx.Response, write: bool, settings: str) -> SreAgentError:
    """What an answer that is not 2xx means."""
    said = redact(_told(answer))
    what = f"{where}: {answer.status_code}{f' {said}' if said else ''}"
    if answer.status_code == 429:
        return Transient(f"{what}: rate limit reached", _retry_after(answer.headers.get("retry-after", "")))
    if answer.status_code in _REFUSED_KEY:
        return ConfigurationError(f"{what}; check {settings}")
    if answer.status_code == 404:
        return NotThere(what)
    if answer.status_code >= 500:
        wait = _retry_after(answer.headers.get("retry-after", ""))
        return OutcomeUnknown(what, wait) if write else Transient(what, wait)
    return Permanent(what)


def _told(answer: httpx.Response) -> str:
    """What the API says went wrong, for people."""
    try:
        content = fields(read_json(answer.content[:65_536]))
    except Unreadable:
        return ""
    errors = content.get("errors")
    return text(content.get("message"), 200) or (text(errors[0], 200) if isinstance(errors, list) and errors else "")


def _retry_after(header: str) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3: seconds or a date); None when not told."""
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT_S)
