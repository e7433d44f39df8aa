"""Events API v2: what wakes people behind the doors at which the agent itself pages.

One request per call, with a deadline. Whatever did not come back as 202 may be sent again by the caller: an open alert with the
same `dedup_key` and routing key takes the second trigger in, and a resolve of what is resolved does nothing.
Source: PagerDuty's developer documentation, "Send an Alert Event" (POST /v2/enqueue).
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import httpx

from sre_agent.adapters.pagerduty.pace import Pace, SystemTicks, Ticks
from sre_agent.evidence.redact import redact
from sre_agent.handback.pager import Page
from sre_agent.incident.errors import ConfigurationError, Permanent, SreAgentError, Transient
from sre_agent.intake.untrusted import Unreadable, fields, items, read_json, storable, text

DEADLINE_S: Final = 10.0
LONGEST_SUMMARY: Final = 1024
LONGEST_KEY: Final = 255
LARGEST_EVENT: Final = 512 * 1024
"""Bytes of one event."""
PER_MINUTE: Final = 100.0
BURST: Final = 20
"""Events of one routing key: together at most the 120 in any minute that PagerDuty takes before it answers 429."""
PATIENCE_S: Final = 5.0
"""Seconds that an event waits here for its turn. One that would wait longer goes back to its queue, and holds up nobody."""
SEVERITIES: Final = ("critical", "error", "warning", "info")
ROUTING_KEY: Final = re.compile(r"[A-Za-z0-9]{32}")

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DETAIL_LENGTHS: Final = (20_000, 2_000, 200)
"""Characters of each detail, tried in this order until the event is small enough."""
_MOST_LINKS: Final = 20


class PagerDutyEvents:
    """The half of handback.pager.Pager that pages. `keys`: receiver -> its service's routing key; `client_url`: our own page.

    Raises ConfigurationError (no routing key for a receiver, or one that PagerDuty does not know), Permanent (PagerDuty found the
    event invalid), and Transient for all that passes.
    """

    def __init__(
        self,
        keys: Mapping[str, str],
        url: str,
        client_url: str = "",
        deadline_s: float = DEADLINE_S,
        ticks: Ticks | None = None,
    ) -> None:
        address = urlsplit(url)
        local = address.hostname in _LOOPBACK
        if not address.hostname or address.scheme not in ("http", "https"):
            raise ConfigurationError(f"PAGERDUTY_EVENTS_URL is not an http(s) address: {url!r}")
        if address.scheme == "http" and not local:
            raise ConfigurationError(f"PAGERDUTY_EVENTS_URL would send routing keys in clear: {url!r}; use https")
        self._keys, self._client_url = dict(keys), client_url
        self._ticks, self._paces = ticks or SystemTicks(), dict[str, Pace]()
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(deadline_s, connect=min(3.0, deadline_s)),
            follow_redirects=False,
            trust_env=not local,
        )

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def trigger(self, page: Page) -> None:
        """See handback.pager.Pager."""
        key = self._key(page.receiver)
        await self._send(page.receiver, key, _event(page, key, self._client_url))

    async def resolve(self, receiver: str, dedup_key: str) -> None:
        """See handback.pager.Pager."""
        key = self._key(receiver)
        event = {"routing_key": key, "event_action": "resolve", "dedup_key": short_key(dedup_key)}
        await self._send(receiver, key, json.dumps(event).encode())

    def _key(self, receiver: str) -> str:
        key = self._keys.get(receiver, "").strip()
        if not key:
            raise ConfigurationError(f"receiver {receiver!r} cannot be paged: add its routing key to PAGERDUTY_ROUTING_KEYS")
        if not ROUTING_KEY.fullmatch(key):
            raise ConfigurationError(
                f"receiver {receiver!r} cannot be paged: what PAGERDUTY_ROUTING_KEYS holds for it is no routing key "
                "(32 letters and digits, of an Events API v2 integration of its service)"
            )
        return key

    async def _send(self, receiver: str, key: str, body: bytes) -> None:
        where = f"PagerDuty Events for {receiver!r}: POST /v2/enqueue"
        await self._turn(where, key)
        try:
            answer = await self._client.post("/v2/enqueue", content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError as silence:
            raise Transient(f"{where}: no answer ({type(silence).__name__})") from silence
        if answer.status_code != 202:
            raise _failure(where, answer, key)

    async def _turn(self, where: str, key: str) -> None:
        """Until this key may send again: a storm of one team's alerts keeps no other team's page back."""
        pace = self._paces.setdefault(key, Pace(PER_MINUTE, BURST))
        now = self._ticks.monotonic()
        wait = pace.wait(now)
        if wait > PATIENCE_S:
            raise Transient(f"{where}: not sent yet, {PER_MINUTE:g} events a minute are as many as one routing key takes", wait)
        pace.take(now)
        if wait > 0:
            await self._ticks.sleep(wait)


def short_key(dedup_key: str) -> str:
    """The key as PagerDuty takes it: one that is too long keeps its beginning and ends in a digest of the whole."""
    if len(dedup_key) <= LONGEST_KEY:
        return dedup_key
    digest = sha256(dedup_key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{dedup_key[: LONGEST_KEY - 65]}:{digest}"


def _event(page: Page, key: str, client_url: str) -> bytes:
    """The event as sent: redacted, and never larger than PagerDuty takes. Details are cut before anything else is."""
    details = {redact(k)[:200]: redact(v) for k, v in page.details.items()}
    links = [{"href": redact(href), "text": redact(shown)[:200]} for href, shown in page.links if _is_web(href)]
    for longest in _DETAIL_LENGTHS:
        body = _body(page, key, client_url, ({k: _cut(v, longest) for k, v in details.items()}, links[:_MOST_LINKS]))
        if len(body) <= LARGEST_EVENT:
            return body
    return _body(page, key, client_url, ({"note": "the details were too large for one event"}, []))


def _body(page: Page, key: str, client_url: str, told: tuple[dict[str, str], list[dict[str, str]]]) -> bytes:
    payload: dict[str, object] = {
        "summary": _cut(redact(page.summary).strip() or "an alert without a title", LONGEST_SUMMARY),
        "source": _cut(redact(page.source) or "sre-agent", 255),
        # A severity that PagerDuty does not know would be refused, and then nobody is woken at all.
        "severity": page.severity if page.severity in SEVERITIES else "critical",
        "timestamp": _rfc3339(page.at),
        "custom_details": told[0],
    }
    payload |= {k: _cut(redact(v), 255) for k, v in (("component", page.component), ("group", page.group)) if v}
    event: dict[str, object] = {
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": short_key(page.dedup_key),
        "client": "sre-agent",
        "payload": payload,
        "links": told[1],
    }
    if client_url:
        event["client_url"] = client_url
    return json.dumps(event).encode()


def _is_web(address: str) -> bool:
    return address.startswith(("https://", "http://"))


def _cut(said: str, longest: int) -> str:
    said = storable(said)
    return said if len(said) <= longest else said[: max(longest - 1, 0)] + "…"


def _rfc3339(at: datetime) -> str:
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _failure(where: str, answer: httpx.Response, key: str) -> SreAgentError:
    """What an answer that is not 202 means."""
    try:
        told = fields(read_json(answer.content[:65_536]))
    except Unreadable:
        told = {}
    said = "; ".join(filter(None, [text(told.get("message"), 200), *(text(e, 200) for e in items(told.get("errors"))[:5])]))
    what = f"{where}: {answer.status_code}" + (f" ({redact(said.replace(key, '<the routing key>'))})" if said else "")
    if answer.status_code == 429 or answer.status_code == 408 or answer.status_code >= 500:
        wait = answer.headers.get("retry-after", "").strip()
        return Transient(what, float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 5 else None)
    if "routing key" in said.lower() or "routing_key" in said.lower() or answer.status_code in (401, 403):
        return ConfigurationError(f"{what}; check this receiver's key in PAGERDUTY_ROUTING_KEYS, and PAGERDUTY_EVENTS_URL's region")
    return Permanent(what)
