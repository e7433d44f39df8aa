"""One HTTP request to PagerDuty, sent once: pdpyras with everything it would repeat by itself switched off.

Left to itself pdpyras repeats 429 for ever, ignores `ratelimit-reset`, and sends a POST again after a dropped
connection, which doubles notes. It also warns on import, follows redirects and reads ~/.netrc; none of that here.
Sessions are not thread-safe, so each worker thread has its own.
"""

import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Transient
from sre_agent.intake.untrusted import Unreadable, read_json

DEFAULT_URL: Final = "https://api.pagerduty.com"
TIMEOUT_S: Final = (3.0, 5.0)
"""Seconds to connect, and to wait for each part of the answer."""

_NEVER_SENT: Final = frozenset({"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ConnectTimeout"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_loading = threading.Lock()


@dataclass(frozen=True)
class Request:
    """One call: `path` below the API's base URL, query parameters, and a JSON body for writes."""

    method: str
    path: str
    params: Mapping[str, str | list[str]] = field(default_factory=dict)
    body: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Answer:
    """What came back: header names in lower case, `content` is the decoded JSON or None."""

    status: int
    headers: Mapping[str, str]
    content: object


class Transport(Protocol):
    """Blocking: one request, at most one effect."""

    def send(self, request: Request) -> Answer:
        """Any status comes back as an Answer.

        Raises Transient when the request was certainly never sent, OutcomeUnknown when no answer came.
        """
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


@dataclass(frozen=True)
class Credentials:
    """The REST API key, the e-mail of the agent's own PagerDuty user, and the API's base URL."""

    token: str = field(repr=False)
    from_email: str
    api_url: str = DEFAULT_URL


class PdpyrasTransport:
    """pdpyras as a plain signed transport."""

    def __init__(self, credentials: Credentials, timeout_s: tuple[float, float] = TIMEOUT_S) -> None:
        address = urlsplit(credentials.api_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ConfigurationError(f"PAGERDUTY_API_URL is not an http(s) address: {credentials.api_url!r}")
        if address.scheme == "http" and address.hostname not in _LOOPBACK:
            raise ConfigurationError(f"PAGERDUTY_API_URL would send the API key in clear: {credentials.api_url!r}; use https")
        if not credentials.token.strip():
            raise ConfigurationError("PAGERDUTY_API_TOKEN is empty")
        self._credentials, self._timeout_s = credentials, timeout_s
        self._local = threading.local()
        self._sessions: list[Any] = []

    def send(self, request: Request) -> Answer:
        """See Transport."""
        session = self._session()
        sent = {"params": dict(request.params), "allow_redirects": False, "auth": _leave_alone}
        if request.body is not None:
            sent["json"] = request.body
        import pdpyras

        try:
            response = session.request(request.method, request.path, **sent)
        except pdpyras.PDHTTPError as error:  # 401 is raised, other statuses are returned
            response = error.response
        except pdpyras.URLError as error:
            raise Permanent(f"PagerDuty: {request.path!r} is not a path of the API") from error
        except pdpyras.PDClientError as error:
            raise _unanswered(request, error) from error
        try:
            content = read_json(response.content) if response.content else None
        except Unreadable:
            content = None
        return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)

    def close(self) -> None:
        """Close every thread's session."""
        with _loading:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    def _session(self) -> Any:
        """This thread's session, made on first use."""
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._connect()
        return session

    def _connect(self) -> Any:
        """A session that sends each request once."""
        with _loading, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pdpyras

            session = pdpyras.APISession(self._credentials.token, default_from=self._credentials.from_email or None)
            self._sessions.append(session)
        session.log.setLevel(logging.CRITICAL)  # what went wrong is said once, by the error that is raised
        session.url = self._credentials.api_url.rstrip("/")
        session.retry = {429: 1}
        session.max_http_attempts = -1
        session.max_network_attempts = 0
        session.timeout = self._timeout_s
        session.trust_env = urlsplit(session.url).hostname not in _LOOPBACK
        return session


def _leave_alone(prepared: object) -> object:
    """An `auth` that adds nothing: with none, requests would overwrite our API key from ~/.netrc."""
    return prepared


def _unanswered(request: Request, error: BaseException) -> Transient:
    """A network failure, told apart by whether anything can have reached PagerDuty."""
    what = f"PagerDuty: {request.method} {request.path}"
    names = [type(cause).__name__ for cause in _causes(error)]
    if _NEVER_SENT.intersection(names):
        return Transient(f"{what}: no connection ({names[-1]}); nothing was sent")
    return OutcomeUnknown(f"{what}: sent, but no answer came ({names[-1]})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps: `raise from`, urllib3's `reason`, requests' first argument."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        cause = queue.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        queue += [cause.__cause__, getattr(cause, "reason", None), *cause.args]
