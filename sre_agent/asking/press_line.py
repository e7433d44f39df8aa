"""Between a door and the desk: Slack waits three seconds, and a press that takes longer is neither lost nor done twice."""

import asyncio
import logging

from sre_agent.approval.press import Press
from sre_agent.asking.presses import PressDesk

ANSWER_WITHIN = 2.5
"""Seconds after which the door answers, whatever the desk is doing."""

_log = logging.getLogger(__name__)


class PressLine:
    """Presses being taken, by one process. One event loop."""

    def __init__(self, desk: PressDesk, answer_within: float = ANSWER_WITHIN) -> None:
        self._desk = desk
        self._answer_within = answer_within
        self._taking: set[asyncio.Task[str | None]] = set()

    async def take(self, press: Press, spent: float = 0.0) -> str | None:
        """What a dialog should say is wrong, within the time; None when nothing is, or when it is not settled yet.

        What is not settled goes on, and who pressed is told so. `spent`: seconds of the time that have passed already.
        """
        task = asyncio.create_task(self._desk.take(press))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)
        done, _ = await asyncio.wait({task}, timeout=max(0.0, self._answer_within - spent))
        if done:
            return task.result()
        task.add_done_callback(_told)
        telling = asyncio.create_task(self._tell(press))
        self._taking.add(telling)
        telling.add_done_callback(self._taking.discard)
        return None

    async def drain(self, seconds: float) -> None:
        """Let presses under way end, for so long."""
        if self._taking:
            await asyncio.wait(set(self._taking), timeout=seconds)

    async def _tell(self, press: Press) -> str | None:
        await self._desk.unsettled(press)
        return None


def _told(task: asyncio.Task[str | None]) -> None:
    """A defect nobody waits for any more is at least in the log."""
    if not task.cancelled() and task.exception() is not None:
        _log.error("press_failed", exc_info=task.exception())
