"""Langfuse's public API, read only: one GET at a time, judged, paged and capped. Source: https://api.reference.langfuse.com

Only routes that outlive v3 are asked. A route that is gone answers 404 with `_deprecation`, which is an error and not "no data".
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sre_agent.incident.errors import Permanent, Transient

if TYPE_CHECKING:
    import httpx

MAX_BODY = 8_000_000
MAX_ROWS = 1000
# A refusal that ends so soon is waited for, once; the limits of small plans are per minute.
MAX_WAIT_S = 2.0
AT_ONCE = 4

Json = dict[str, Any]
HEALTH = "/api/public/health"
# SAFETY: prompts also have a route that moves labels; nothing but GET of these is ever sent.
PROMPTS, METRICS, SCORES, OBSERVATIONS = (
    *("/api/public/v2/prompts", "/api/public/v2/metrics"),
    *("/api/public/v3/scores", "/api/public/v2/observations"),
)


@dataclass(frozen=True)
class LangfuseProject:
    """One project: its address and key pair (read rights are enough). `timeout_s` in seconds, per request.

    `past`: what is asked about is over, and what was changed since must not be taken for what it was then.
    """

    host: str
    public_key: str
    secret_key: str
    timeout_s: float = 10.0
    past: bool = False


class NoRoute(Permanent):
    """The server has no such route, and does not say that it was removed: it is older than the route."""


class LangfuseApi:
    """Asks one project. Every failure is Transient (429, 5xx, network) or Permanent, with what the server said."""

    def __init__(self, project: LangfuseProject, client: "httpx.AsyncClient") -> None:
        self._url = project.host.rstrip("/")
        self._timeout_s = project.timeout_s
        self._client = client
        self._turns = asyncio.Semaphore(AT_ONCE)

    @staticmethod
    def client(project: LangfuseProject) -> "httpx.AsyncClient":
        """The client to use as a context. The keys go to the configured host only: redirects are not followed."""
        import httpx

        return httpx.AsyncClient(auth=(project.public_key, project.secret_key), timeout=project.timeout_s, follow_redirects=False)

    async def get(self, path: str, query: Mapping[str, str], *, absent_ok: bool = False) -> Json:
        """One JSON object. {} for a 404 when `absent_ok`, unless the 404 says that the route itself is gone."""
        where = f"Langfuse at {self._url}{path}"
        async with self._turns:
            try:
                return _judged(*await self._send(path, query), where, absent_ok=absent_ok)
            except Transient as error:
                if error.retry_after is None or error.retry_after > MAX_WAIT_S:
                    raise
                await asyncio.sleep(error.retry_after)
            try:
                return _judged(*await self._send(path, query), where, absent_ok=absent_ok)
            except Transient as error:
                error.retried = True
                raise

    async def metrics(self, query: Json, start: datetime, end: datetime, halvings: int = 2) -> tuple[list[Json], bool]:
        """(rows of a v2 metrics query over [start, end), whether some are missing).

        The server cuts after MAX_ROWS without saying so; a full answer is asked again in halves, `halvings` deep.
        """
        span = {"fromTimestamp": iso(start), "toTimestamp": iso(end), "config": {"row_limit": MAX_ROWS}}
        found = rows_of(await self.get(METRICS, {"query": json.dumps({**query, **span})}))
        middle = (start + (end - start) / 2).replace(minute=0, second=0, microsecond=0)
        if len(found) < MAX_ROWS or not halvings or not start < middle < end:
            return found, len(found) >= MAX_ROWS
        parts = [await self.metrics(query, a, b, halvings - 1) for a, b in ((start, middle), (middle, end))]
        return [row for part, _ in parts for row in part], any(cut for _, cut in parts)

    async def _send(self, path: str, query: Mapping[str, str]) -> tuple[int, bytes | None, str]:
        """(status, body or None when it is too large, Retry-After)."""
        import httpx

        body = bytearray()
        try:
            async with self._client.stream("GET", self._url + path, params=dict(query)) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY:
                        return response.status_code, None, ""
                return response.status_code, bytes(body), response.headers.get("retry-after", "")
        except httpx.InvalidURL as error:
            raise Permanent(f"LANGFUSE_HOST {self._url!r} is not an address: {error}") from error
        except httpx.TimeoutException as error:
            raise Transient(f"Langfuse at {self._url} did not answer within {self._timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise Transient(f"Langfuse at {self._url} cannot be reached: {error or type(error).__name__}") from error


def _judged(status: int, body: bytes | None, retry_after: str, where: str, *, absent_ok: bool) -> Json:
    if body is None:
        raise Permanent(f"{where} sent more than {MAX_BODY} bytes for one question")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and answer.get("_deprecation") and status >= 400:
        notice = answer["_deprecation"]
        advice = notice.get("replacement") or notice.get("message") if isinstance(notice, dict) else notice
        raise Permanent(f"{where} is gone: upgrade this adapter to the server's API ({advice})")
    if status == 200 and isinstance(answer, dict):
        return answer
    quoted = body[:200].decode("utf-8", "replace").strip()
    text = str(answer.get("message") or answer.get("error") or "")[:300] if isinstance(answer, dict) else quoted
    if status == 404 and absent_ok and isinstance(answer, dict):
        return {}
    if status == 429 or status >= 500:
        raise Transient(f"{where} answered {status}: {text}", retry_after=float(retry_after) if retry_after.isdigit() else None)
    if status in (401, 403):
        raise Permanent(f"{where} answered {status}: check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY ({text})")
    kind = NoRoute if status == 404 else Permanent
    raise kind(f"{where} answered {status} with something other than its API: {text or 'not a JSON object'}")


def rows_of(answer: Json) -> list[Json]:
    """The rows of an answer; what is none is left out."""
    found: Iterable[Any] = data if isinstance(data := answer.get("data"), list) else ()
    return [row for row in found if isinstance(row, dict)]


def number(value: object) -> float | None:
    """A measure; the server sends some numbers as strings, and none as null."""
    try:
        return None if value is None or isinstance(value, bool) else float(str(value))
    except ValueError:
        return None


def instant(value: object) -> datetime:
    """A time of an answer, aware. Raises Permanent for what is none."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Permanent(f"Langfuse sent {str(value)[:60]!r} as a time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def iso(at: datetime) -> str:
    """A time as the API wants it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
