"""The dead-man's switch: a beat every minute while the agent is healthy, and nothing at all while it is not.

Somebody else must notice the silence: a monitor that expects a GET on SRE_AGENT_HEARTBEAT_URL, and an alert on the
age of `sre_agent_heartbeat_timestamp_seconds`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

import httpx

from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import SreAgentError

INTERVAL = 60.0
"""Seconds between beats."""

ANSWER_WITHIN = 10.0
"""Seconds the monitor has to answer, and the agent has to find out whether it is well."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """`unwell` answers None when healthy, else why not; `beat` records the time of a beat; `url` None pings nobody."""

    def __init__(
        self, url: str | None, unwell: Callable[[], Awaitable[str | None]], beat: Callable[[datetime], None], clock: Clock
    ) -> None:
        self._url = url
        self._unwell = unwell
        self._beat = beat
        self._clock = clock

    async def run(self, stop: asyncio.Event, interval: float = INTERVAL) -> None:
        """Beat until told to stop. Survives everything a monitor or a database can do."""
        while not stop.is_set():
            await self.once()
            try:
                await asyncio.wait_for(stop.wait(), interval)
            except TimeoutError:
                continue

    async def once(self) -> bool:
        """One beat. False when it was withheld or the monitor did not take it."""
        wrong = await self._wrong()
        if wrong is not None:
            _log.warning("heartbeat_withheld", extra={"reason": wrong})
            return False
        self._beat(self._clock.now())
        return self._url is None or await self._ping(self._url)

    async def _wrong(self) -> str | None:
        """Why the agent is not well; not knowing counts as unwell."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._unwell()
        except TimeoutError:
            return f"no answer within {ANSWER_WITHIN:g} s"
        except SreAgentError as failed:
            return str(failed)

    async def _ping(self, url: str) -> bool:
        """Tell the monitor. The address is a capability: whoever knows it can beat for us, so it is never logged."""
        try:
            async with httpx.AsyncClient(timeout=ANSWER_WITHIN) as client:
                status = (await client.get(url)).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            _log.warning("heartbeat_failed", extra={"reason": type(failed).__name__})
            return False
        if status >= 300:
            _log.warning("heartbeat_failed", extra={"reason": f"status {status}"})
        return status < 300
