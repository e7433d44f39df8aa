"""Past pages for a noise review: from the account, or from a folder that `replay --pagerduty --save` filled."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from sre_agent.adapters.pagerduty.archive import PagerDutyArchive
from sre_agent.adapters.pagerduty.tracker import PagerDuty
from sre_agent.approval.placing import at_pagerduty
from sre_agent.approval.teams import Teams
from sre_agent.incident.errors import ConfigurationError, Permanent, SreAgentError
from sre_agent.noise.page import Page, Place, Reader
from sre_agent.noise.review import Review, review
from sre_agent.policy.load import load_bundle
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.history.entry import HistoryEntry, Span
from sre_agent.settings import Settings
from sre_agent.wiring.history import PATIENCE, history_gateway, next_batch, own_user

HISTORY: Final = "history.json"
MOST_BYTES: Final = 50_000_000


@dataclass
class Past:
    """Where the pages come from. `folder` None: the account. `tick` is called once an incident.
    `problems` counts what could not be read, by what it was."""

    settings: Settings
    span: Span
    zone: ZoneInfo
    folder: Path | None = None
    tick: Callable[[], None] = lambda: None
    problems: Counter[str] = field(default_factory=Counter)

    def reviewed(self) -> Review:
        """The review. Raises ConfigurationError, Permanent or Transient when the list itself cannot be had."""
        return review(self._pages(), (self.span.since, self.span.until), self.zone, self.problems)

    def _pages(self) -> Iterator[Page]:
        declared = load_bundle(self.settings.policies_dir, self.settings.policy_data).declared
        place = _place(Teams(declared.people))
        if self.folder is not None:
            reader = Reader(self.zone, declared.ownership, place)
            yield from (page for e in self._saved(self.folder) if (page := self._read(reader, e)) is not None)
            return
        with asyncio.Runner() as runner:
            gateway = history_gateway(self.settings, PATIENCE)
            try:
                own = runner.run(own_user(PagerDuty(gateway, self.settings.pagerduty_from_email or "")))
                reader = Reader(self.zone, declared.ownership, place, own)
                archive = PagerDutyArchive(gateway)
                listing = archive.incidents(self.span)
                while batch := runner.run(next_batch(listing)):
                    for entry in runner.run(self._fetched(archive, batch)):
                        if (page := self._read(reader, entry)) is not None:
                            yield page
            finally:
                with suppress(SreAgentError):
                    runner.run(gateway.aclose())

    def _read(self, reader: Reader, entry: HistoryEntry) -> Page | None:
        self.tick()
        page = reader.page(entry)
        if page is None:
            self.problems["incidents without an id or a beginning"] += 1
            return None
        if not self.span.since <= page.created_at < self.span.until:
            self.problems["pages of another time, passed over"] += 1
            return None
        wanted = not self.span.services or str((entry.incident.get("service") or {}).get("id")) in self.span.services
        if not wanted:
            return None
        self.problems.update(problem.partition(":")[0] + " of an incident" for problem in entry.problems)
        return page

    def _saved(self, folder: Path) -> Iterator[HistoryEntry]:
        """The entries of a folder of saved cases, in the order of their names; a broken one is counted and passed over."""
        paths = sorted(folder.rglob(HISTORY))
        if not paths:
            raise Permanent(
                f"{folder}: holds no {HISTORY}; `sre-agent replay --pagerduty --since 7d --save DIR` makes such a folder"
            )
        for path in paths:
            try:
                if path.stat().st_size > MOST_BYTES:
                    raise ValueError("too large")
                yield HistoryEntry.model_validate_json(path.read_bytes())
            except (OSError, ValueError, ValidationError):
                self.problems[f"{HISTORY} files that cannot be read"] += 1

    async def _fetched(self, archive: PagerDutyArchive, batch: list[JsonObject]) -> list[HistoryEntry]:
        found = await asyncio.gather(*(archive.entry(incident) for incident in batch), return_exceptions=True)
        for failed in (f for f in found if isinstance(f, BaseException)):
            # One incident is counted; a key that is not accepted any more is the end of all.
            if not isinstance(failed, SreAgentError) or isinstance(failed, ConfigurationError):
                raise failed
            self.problems["incidents that could not be fetched"] += 1
        return [f for f in found if isinstance(f, HistoryEntry)]


def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone. Raises Permanent for a name that is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Permanent(f"--time-zone {name[:60]!r} is no time zone; write one as Europe/Berlin or UTC") from error


def _place(teams: Teams) -> Place:
    def placed(user_id: str) -> tuple[str, tuple[str, ...]] | None:
        found = at_pagerduty(teams, user_id)
        return None if found is None else (found[0].id, found[1])

    return placed
