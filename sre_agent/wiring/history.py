"""PagerDuty's history as cases: every incident of a span fetched, put back to what it was, and the sources asked for its own time.

A few incidents are fetched side by side; while their cases are replayed nothing is on its way, so that no deadline runs out
unseen. An incident that cannot be fetched is told and costs no other.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sre_agent.adapters.pagerduty.archive import PagerDutyArchive
from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.pace import Pace
from sre_agent.adapters.pagerduty.tracker import PagerDuty
from sre_agent.adapters.pagerduty.transport import DEFAULT_URL, Credentials, PdpyrasTransport
from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.redact import case_key, redact_json, redaction_key
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.incident.errors import ConfigurationError, Permanent, SreAgentError, Transient
from sre_agent.investigation.fetch import fetch
from sre_agent.replay.case import load_case
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.history.entry import Span
from sre_agent.replay.history.folder import case_files, folder_name, looked_at
from sre_agent.replay.recording.evidence_files import write_evidence
from sre_agent.replay.saved import Reached, SavedCases, Terms, write_json
from sre_agent.response.assess import scope_of
from sre_agent.settings import Settings
from sre_agent.wiring.past_sources import FetchedChanges, asked, changes_kept, past_sources
from sre_agent.wiring.replaying import Found

TOGETHER: Final = 16
"""Incidents that are fetched side by side."""
REQUESTS: Final = 8
"""Requests to PagerDuty at once. As many of the limit are left to others, so that none of these is turned away."""
LOOKING: Final = 4
"""Incidents about which the sources are asked at once: they serve the people on call too."""
PATIENCE: Final = Patience(deadline_s=300.0, attempts=6, first_pause_s=0.5)
NOTED_EVERY: Final = 100


@dataclass(frozen=True)
class Wanted:
    """Which incidents; how many seconds after its beginning each is looked at; `now`, aware."""

    span: Span
    look_after_s: float
    now: datetime


@dataclass
class HistoryImport:
    """The incidents of a span as cases in a folder. Iterate once; `close` gives connections back."""

    settings: Settings
    wanted: Wanted
    saved: SavedCases
    names: bool = True
    patience: Patience = PATIENCE
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner, init=False)
    _own_user: str | None = field(default=None, init=False)
    _failed: bool = field(default=False, init=False)
    _noted: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._terms = Terms(look_after_s=self.wanted.look_after_s, sources=asked(self.settings))
        self._gateway = history_gateway(self.settings, self.patience)
        self._archive = PagerDutyArchive(self._gateway)
        self._tracker = PagerDuty(self._gateway, self.settings.pagerduty_from_email or "")
        self._looking = asyncio.Semaphore(LOOKING)

    def __iter__(self) -> Iterator[Found]:
        """Raises Transient or Permanent when the list itself cannot be had; what was fetched until then stays."""
        reached = self.saved.reached(self.wanted.span)
        if not all(self.saved.whole(name, self._terms) for name in reached.cases):
            reached = Reached(span=self.wanted.span, reached=self.wanted.span.since)
        yield from (self._found(name) for name in reached.cases)
        if reached.complete:
            return
        self._own_user = self._runner.run(own_user(self._tracker))
        listing = self._archive.incidents(self.wanted.span.model_copy(update={"since": reached.reached}))
        self._noted = len(reached.cases)
        while batch := self._runner.run(next_batch(listing)):
            fetched = self._runner.run(self._fetched(batch))
            yield from fetched
            reached = self._advanced(reached, batch, fetched)
        if not self._failed:
            reached = reached.model_copy(update={"reached": self.wanted.span.until, "complete": True})
        self.saved.remember(reached)

    def close(self) -> None:
        """Give up what is on its way, and give connections and threads back."""
        with suppress(SreAgentError):
            self._runner.run(self._end())
        self._runner.close()

    async def _end(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._gateway.aclose()

    def _advanced(self, reached: Reached, batch: list[JsonObject], fetched: list[Found]) -> Reached:
        """INVARIANT: what failed lies at or after `reached`, so that the next run asks for it again."""
        names = tuple(f.folder.name for f in fetched if f.folder is not None)
        known = reached.model_copy(update={"cases": (*reached.cases, *names)})
        for incident, found in zip(batch, fetched, strict=True):
            self._failed = self._failed or found.folder is None
            if not self._failed:
                known = known.model_copy(update={"reached": _second(incident, known.reached)})
        if len(known.cases) - self._noted >= max(NOTED_EVERY, self._noted // 20):
            self._noted = len(known.cases)
            self.saved.remember(known)
        return known

    async def _fetched(self, batch: list[JsonObject]) -> list[Found]:
        found = await asyncio.gather(*(self._one(incident) for incident in batch), return_exceptions=True)
        failures = [f for f in found if isinstance(f, SreAgentError)]
        for unforeseen in (f for f in found if isinstance(f, BaseException) and not isinstance(f, SreAgentError)):
            raise unforeseen
        stop: SreAgentError | None = next((f for f in failures if isinstance(f, ConfigurationError)), None)
        if stop is None and len(failures) == len(batch) > 1 and all(isinstance(f, Transient) for f in failures):
            stop = failures[0]  # not one incident, but PagerDuty
        if stop is not None:
            raise stop
        return [f if isinstance(f, Found) else _untold(i, f) for i, f in zip(batch, found, strict=True)]

    async def _one(self, incident: JsonObject) -> Found:
        name = folder_name(incident)
        if not self.saved.whole(name, self._terms):
            with redaction_key(case_key(name)):
                await self._fetch(incident, name)
        return self._found(name)

    async def _fetch(self, incident: JsonObject, name: str) -> None:
        entry = await self._archive.entry(incident)
        at = looked_at(incident, self.wanted.look_after_s, self.wanted.now)
        made = self.saved.begin(name)
        for file, content in case_files(entry, at, self._own_user).items():
            write_json(made / file, content)
        case = load_case(made)
        scope = scope_of(case.incident, case.at, timedelta(seconds=self.settings.lookback))
        feed = await self._changes(scope) if changes_kept(scope, self.wanted.now) else None
        async with self._looking:
            write_evidence(made, await self._looked(scope, past_sources(self.settings, feed, entry.problems)))
        self.saved.finish(name, made, self._terms)

    async def _changes(self, scope: Scope) -> FetchedChanges:
        """The change events of the scope. A feed that may not be read is told as such by the source."""
        window, incident = scope.change_window, scope.incident
        try:
            return FetchedChanges(await self._tracker.changes(incident.id, incident.service.id, window.start, window.end))
        except ConfigurationError:
            raise
        except Permanent as error:
            return FetchedChanges(error)

    async def _looked(self, scope: Scope, sources: tuple[EvidenceSource, ...]) -> tuple[Evidence, ...]:
        """As a live investigation asks: the same scope, deadlines, redaction and errors."""
        clean = Scope.model_validate(redact_json(scope.model_dump(mode="json")))
        return await fetch(sources, clean, self.settings.source_deadline)

    def _found(self, name: str) -> Found:
        folder = self.saved.root / name
        return Found(place=str(folder) if self.names else name, folder=folder)


@contextmanager
def importing(settings: Settings, wanted: Wanted, root: Path, *, names: bool) -> Iterator[Iterable[Found]]:
    """The import into `root`, ready to be gone through. `names` False: `root` is nobody's, and cases are called by their names.

    Raises ConfigurationError without a key, Permanent when `root` cannot be used.
    """
    with SavedCases.opened(root) as saved:
        found = HistoryImport(settings, wanted, saved, names)
        try:
            yield found
        finally:
            found.close()


def history_gateway(settings: Settings, patience: Patience) -> Gateway:
    """How the account's past is read. ConfigurationError without a key."""
    if settings.pagerduty_api_token is None:
        raise ConfigurationError("PAGERDUTY_API_TOKEN is needed to read PagerDuty's history; a read-only key is enough")
    token, url = settings.pagerduty_api_token.get_secret_value(), settings.pagerduty_api_url or DEFAULT_URL
    transport = PdpyrasTransport(Credentials(token=token, from_email=settings.pagerduty_from_email or "", api_url=url))
    return Gateway(transport, Pace(spare=REQUESTS), patience, workers=REQUESTS)


async def own_user(tracker: PagerDuty) -> str | None:
    """The agent's own user; None where there is none, or the key may not look."""
    try:
        return await tracker.own_user_id()
    except ConfigurationError:
        raise
    except Permanent:
        return None


async def next_batch(listing: AsyncIterator[JsonObject]) -> list[JsonObject]:
    """At most TOGETHER more incidents of the list; none when all were listed."""
    batch: list[JsonObject] = []
    async for incident in listing:
        batch.append(incident)
        if len(batch) == TOGETHER:
            break
    return batch


def _second(incident: JsonObject, otherwise: datetime) -> datetime:
    """The second in which a listed incident began."""
    try:
        return datetime.fromisoformat(str(incident.get("created_at"))).astimezone(UTC).replace(microsecond=0)
    except ValueError:
        return otherwise


def _untold(incident: JsonObject, why: object) -> Found:
    identity = str(incident.get("id"))[:20]
    return Found(place=identity, error=f"incident {identity}: {why}")
