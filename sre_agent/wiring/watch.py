"""Policies and runbooks on disk, compared with those a running agent decides by.

The agent keeps the books it began with until it is started again. What is looked at here changes nothing; it tells people
that the files have changed since, or that a restart would be refused, while there is still time.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

from sre_agent.incident.errors import ConfigurationError
from sre_agent.settings import Settings
from sre_agent.web.metrics import Metrics
from sre_agent.wiring.brain import Books, load_books

EVERY_S = 15.0
_NOTES = {
    "refused": "the files on disk are refused, bundle {bundle} stays in force; `sre-agent policy check` and the log say why",
    "changed": "the files on disk have changed, bundle {bundle} stays in force until a restart",
}
Stamp = tuple[tuple[str, int, int], ...]


class BooksWatch:
    """Looks every EVERY_S seconds; reads the files again only when one of them was touched."""

    def __init__(self, settings: Settings, books: Books, metrics: Metrics) -> None:
        self._settings = settings
        self._books = books
        self._metrics = metrics
        self._seen: Stamp | None = None
        self._note: str | None = None
        metrics.books(refused=False, changed=False)

    async def note(self) -> str | None:
        """What people should know about the files; None when they are the ones in force."""
        return self._note

    async def look(self) -> None:
        """Compare once."""
        stamp = await asyncio.to_thread(self._stamp)
        if stamp == self._seen:
            return
        self._seen = stamp
        state, detail = await asyncio.to_thread(self._compared)
        self._metrics.books(refused=state == "refused", changed=state == "changed")
        # Everybody may ask whether we are ready, so the reason, which names files, goes into the log only.
        self._note = _NOTES[state].format(bundle=self._books.bundle.hash[:12]) if state else None
        if state:
            logging.getLogger(__name__).warning(f"policies_{state}", extra={"reason": detail})

    async def run(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            await self.look()
            try:
                await asyncio.wait_for(stop.wait(), EVERY_S)
            except TimeoutError:
                continue

    def _compared(self) -> tuple[str, str]:
        """How the files stand to what is in force: "refused", "changed" or "" for the same, and the detail."""
        s = self._settings
        try:
            now = load_books(s.policies_dir, s.policy_data, s.runbooks_dir)
        except ConfigurationError as error:
            return "refused", str(error)
        if now.bundle.hash == self._books.bundle.hash and now.runbooks == self._books.runbooks:
            return "", ""
        return "changed", f"bundle {now.bundle.hash[:12]} is on disk"

    def _stamp(self) -> Stamp:
        return tuple(sorted(self._files()))

    def _files(self) -> Iterator[tuple[str, int, int]]:
        """(path, time of change, size) of everything the books are made of; a file that vanishes meanwhile is left out."""
        folders = (self._settings.policies_dir, self._settings.policy_data, self._settings.runbooks_dir)
        for path in (p for folder in folders if folder is not None for p in Path(folder).rglob("*")):
            try:
                found = path.stat()
            except OSError:
                continue
            yield str(path), found.st_ctime_ns, found.st_size
