"""Statuspage (Atlassian): handback.status_page.StatusPages. Subscribers are not notified: whoever publishes may do so at the page.

Law: nothing is sent twice. A POST or PATCH without an answer is looked for, by a mark that customers do not see; where it is not
found its outcome is unknown. About one request a second, which is what Statuspage allows.
Source: developer.statuspage.io, "Incidents".
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import httpx

from sre_agent.evidence.redact import redact
from sre_agent.handback.status_page import StatusDraft, StatusPhase
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, SreAgentError, Transient
from sre_agent.intake.untrusted import Unreadable, fields, items, read_json, text

DEADLINE_S: Final = 10.0
PAUSE_S: Final = 1.0
"""Seconds between two requests."""
LIMITED_S: Final = 60.0
"""Seconds to wait where the rate limit was reached and Statuspage did not say for how long: it counts by the minute."""

_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PER_PAGE: Final = 100
_LARGEST: Final = 8_000_000
"""Bytes of an answer that are read."""


class Statuspage:
    """`pages`: audience -> page id. `pause` sleeps (seconds)."""

    def __init__(
        self,
        key: str,
        pages: Mapping[str, str],
        api_url: str,
        deadline_s: float = DEADLINE_S,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        address = urlsplit(api_url)
        local = address.hostname in _LOOPBACK
        if not address.hostname or address.scheme not in ("http", "https"):
            raise ConfigurationError(f"STATUSPAGE_API_URL is not an http(s) address: {api_url!r}")
        if address.scheme == "http" and not local:
            raise ConfigurationError(f"STATUSPAGE_API_URL would send the API key in clear: {api_url!r}; use https")
        if not key.strip():
            raise ConfigurationError("STATUSPAGE_API_KEY is empty")
        self._pages, self._pause, self._turn, self._free_at = dict(pages), pause, asyncio.Lock(), 0.0
        self._client = httpx.AsyncClient(
            base_url=api_url,
            headers={"authorization": f"OAuth {key.strip()}", "accept": "application/json"},
            timeout=httpx.Timeout(deadline_s, connect=min(3.0, deadline_s)),
            follow_redirects=False,
            trust_env=not local,
        )

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def names(self) -> tuple[str, ...]:
        """The audience and name of every page, read now."""
        found = []
        for audience, page in sorted(self._pages.items()):
            if not _ID.fullmatch(page.strip()):
                raise ConfigurationError(f"the id of the {audience} page in STATUSPAGE_PAGES is not letters and digits")
            told = fields(await self._ask("GET", f"/v1/pages/{page.strip()}"))
            found.append(f"{audience}: {text(told.get('name'), 80)}")
        return tuple(found)

    async def publish(self, draft: StatusDraft, page_incident: str) -> str:
        """See handback.status_page.StatusPages."""
        page = self._page(draft)
        if not page_incident and draft.phase is StatusPhase.RESOLVED:
            raise Permanent(f"{draft.id}: the page was never told of it, so it cannot be told that it is over")
        incident: dict[str, object] = {"status": draft.phase.value, "body": redact(draft.body), "deliver_notifications": False}
        if page_incident:
            path, method = f"/v1/pages/{page}/incidents/{_safe(page_incident)}", "PATCH"
        else:
            incident |= {"name": redact(draft.name), "metadata": {"sre_agent": {"mark": mark_of(draft)}}}
            path, method = f"/v1/pages/{page}/incidents", "POST"
        try:
            answer = fields(await self._ask(method, path, {"incident": incident}))
        except OutcomeUnknown as silence:
            found = await self._found(draft, page_incident)
            if found is None:
                raise OutcomeUnknown(f"{silence}; the page does not show it (yet)") from silence
            return found
        identity = text(answer.get("id"), 64)
        if not _ID.fullmatch(identity):
            raise OutcomeUnknown(f"Statuspage: {method} {path}: it answered without the incident's id")
        return identity

    async def look(self, draft: StatusDraft, page_incident: str) -> str | None:
        """See handback.status_page.StatusPages."""
        page = self._page(draft)
        if page_incident:
            told = fields(await self._ask("GET", f"/v1/pages/{page}/incidents/{_safe(page_incident)}"))
            return page_incident if told.get("status") == draft.phase.value else None
        # A draft that opens an incident may have been followed by a person's own update: unresolved ones are all looked at.
        for each in items(await self._ask("GET", f"/v1/pages/{page}/incidents/unresolved?per_page={_PER_PAGE}")):
            told = fields(each)
            mark = fields(fields(told.get("metadata")).get("sre_agent")).get("mark")
            if mark == mark_of(draft) and _ID.fullmatch(text(told.get("id"), 64)):
                return text(told.get("id"), 64)
        return None

    async def _found(self, draft: StatusDraft, page_incident: str) -> str | None:
        """What became of a request without an answer; None also where that cannot be seen now."""
        try:
            return await self.look(draft, page_incident)
        except SreAgentError:
            return None

    def _page(self, draft: StatusDraft) -> str:
        page = self._pages.get(draft.audience.value, "").strip()
        if not _ID.fullmatch(page):
            raise ConfigurationError(
                f"no page is told for the audience {draft.audience.value!r}: add its id to STATUSPAGE_PAGES (letters and digits)"
            )
        return page

    async def _ask(self, method: str, path: str, body: object = None) -> object:
        where, write = f"Statuspage: {method} {path.partition('?')[0]}", method != "GET"
        unsure = OutcomeUnknown if write else Transient
        await self._wait()
        try:
            answer = await self._client.request(method, path, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as unreachable:
            raise Transient(f"{where}: no connection ({type(unreachable).__name__}); nothing was sent") from unreachable
        except httpx.HTTPError as silence:
            raise unsure(f"{where}: sent, no answer came ({type(silence).__name__})") from silence
        if not answer.is_success:
            raise _failure(where, answer, write)
        try:
            return read_json(answer.content[:_LARGEST])
        except Unreadable as nonsense:
            raise unsure(f"{where}: the answer is not the API's (a proxy or a sign-in page?)") from nonsense

    async def _wait(self) -> None:
        """Until a request may go; those that wait have their turns one by one."""
        async with self._turn:
            now = time.monotonic()
            if now < self._free_at:
                await self._pause(self._free_at - now)
            self._free_at = max(now, self._free_at) + PAUSE_S


def mark_of(draft: StatusDraft) -> str:
    """What tells our incident at the page from others'. It says nothing to whoever reads it."""
    return sha256(f"sre-agent:{draft.id}".encode()).hexdigest()[:32]


def _safe(page_incident: str) -> str:
    # SAFETY: the id goes into a path.
    if not _ID.fullmatch(page_incident):
        raise Permanent(f"{page_incident!r} is no id of an incident at Statuspage")
    return page_incident


def _failure(where: str, answer: httpx.Response, write: bool) -> SreAgentError:
    """What an answer that is not 2xx means."""
    try:
        told = fields(read_json(answer.content[:65_536]))
    except Unreadable:
        told = {}
    said = told.get("error") or told.get("message")
    texts = [text(s, 200) for s in said[:5]] if isinstance(said, list) else [text(said, 200)]
    what = f"{where}: {answer.status_code} {redact('; '.join(filter(None, texts)))}".strip()
    if answer.status_code in (420, 429):
        wait = answer.headers.get("retry-after", "").strip()
        return Transient(
            f"{what}: rate limit reached", float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 5 else LIMITED_S
        )
    if answer.status_code in (401, 403):
        return ConfigurationError(f"{what}; check STATUSPAGE_API_KEY")
    if answer.status_code == 404:
        return Permanent(f"{what}; check STATUSPAGE_PAGES, or the incident was deleted at the page")
    if answer.status_code >= 500 or answer.status_code == 408:
        return OutcomeUnknown(what) if write else Transient(what)
    return Permanent(what)
