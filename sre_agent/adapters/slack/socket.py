"""Socket Mode: presses over a connection that we open, for clusters that nothing can reach from outside.

No press is signed here. What is trusted is the connection: its address comes from Slack, under the app's own token, over TLS.
Protocol: Slack API documentation, "Using Socket Mode". It is spoken here over aiohttp and not by the SDK's client, which logs a
traceback at every lost connection, waits as long after the hundredth failure as after the first, and cannot be awaited to its end.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from sre_agent.adapters.slack.client import SlackApi
from sre_agent.incident.errors import Permanent, SreAgentError, Transient
from sre_agent.intake.untrusted import Unreadable, fields, read_json, text

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_MOST_BYTES: Final = 1024 * 1024
_log = logging.getLogger(__name__)

Heard = Callable[[object], Awaitable[dict[str, object] | None]]
"""heard(payload of an interaction): what a submitted dialog should say is wrong, within the time Slack waits; else None."""


@dataclass(frozen=True)
class Pauses:
    """Seconds: before the first new try and at most between two, how long a steady connection lasts, how often it is tested."""

    first_s: float = 1.0
    most_s: float = 60.0
    steady_s: float = 30.0
    heartbeat_s: float = 10.0
    opening_s: float = 10.0


class SocketMode:
    """One connection at a time, opened again whenever it is lost. `api` has the app-level token. One event loop."""

    def __init__(self, api: SlackApi, heard: Heard, pauses: Pauses | None = None) -> None:
        self._api = api
        self._heard = heard
        self._pauses = pauses or Pauses()
        self._busy: set[asyncio.Task[None]] = set()
        self._wrong = "not connected yet"

    async def note(self) -> str | None:
        """What is wrong with the connection; None while it stands."""
        return self._wrong or None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep a connection until `stop`. No failure of the network or of Slack ends it."""
        failed, clock = 0, asyncio.get_running_loop().time
        while not stop.is_set():
            begun, wait = clock(), 0.0
            try:
                await self._connected(stop)
                self._wrong = "Slack closed the connection"
            except (SreAgentError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as lost:
                self._wrong = f"{type(lost).__name__}: {lost}"
                wait = (lost.retry_after or 0.0) if isinstance(lost, Transient) else 0.0
                _log.warning("slack_socket_lost", extra={"error": self._wrong})
            failed = 0 if clock() - begun >= self._pauses.steady_s else failed + 1
            pause = max(wait, min(self._pauses.most_s, self._pauses.first_s * 2.0 ** min(failed - 1, 20))) if failed else wait
            await _passed(stop, pause * random.uniform(0.75, 1.25))
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=self._pauses.opening_s)
        await self._api.aclose()

    async def _connected(self, stop: asyncio.Event) -> None:
        """One connection, from its address to its end."""
        url = await self._api.socket_url()
        address = urlsplit(url)
        local = address.hostname in _LOOPBACK
        # SAFETY: what comes over this connection is believed, so it leads to whom Slack named, and nobody reads along.
        if address.scheme != "wss" and not (local and address.scheme == "ws"):
            raise Permanent("Slack named an address for Socket Mode that is not wss://")
        async with aiohttp.ClientSession(trust_env=not local) as session:
            async with asyncio.timeout(self._pauses.opening_s):
                line = await session.ws_connect(url, heartbeat=self._pauses.heartbeat_s, max_msg_size=_MOST_BYTES)
            leaving = asyncio.create_task(_leave(line, stop))
            try:
                async for message in line:
                    if message.type is aiohttp.WSMsgType.TEXT and not await self._take(line, message.data):
                        return
            finally:
                leaving.cancel()
                await line.close()

    async def _take(self, line: aiohttp.ClientWebSocketResponse, said: str) -> bool:
        """One message; False when Slack asks to connect anew."""
        try:
            envelope = fields(read_json(said))
        except Unreadable:
            return True
        kind = envelope.get("type")
        if kind == "hello":
            self._wrong = ""
            _log.info("slack_socket_opened")
        if kind == "disconnect":
            return False
        number = text(envelope.get("envelope_id"), 200)
        if not number:
            return True
        payload = envelope.get("payload") if kind == "interactive" else None
        awaited = envelope.get("accepts_response_payload") is True and fields(payload).get("type") == "view_submission"
        if not awaited:
            await line.send_json({"envelope_id": number})
        if payload is not None:
            task = asyncio.create_task(self._settle(line, number, payload, awaited=awaited))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        return True

    async def _settle(self, line: aiohttp.ClientWebSocketResponse, number: str, payload: object, *, awaited: bool) -> None:
        """Hand one interaction on; a dialog stays open until its envelope is answered."""
        wrong = await self._heard(payload)
        if not awaited:
            return
        try:
            await line.send_json({"envelope_id": number} if wrong is None else {"envelope_id": number, "payload": wrong})
        except (aiohttp.ClientError, OSError):
            _log.warning("slack_socket_lost", extra={"error": "closed before a dialog was answered"})


async def _leave(line: aiohttp.ClientWebSocketResponse, stop: asyncio.Event) -> None:
    await stop.wait()
    await line.close()


async def _passed(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop`."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
