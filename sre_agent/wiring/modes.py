"""The modes in force, put together for deciding and for telling people."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sre_agent.facts.modes import EarnedModes
from sre_agent.incident.clock import Clock
from sre_agent.policy.facts import Mode
from sre_agent.policy.modes import UNLISTED, ModeEntry, ModeRow, Modes, strictest
from sre_agent.settings import Settings
from sre_agent.wiring.brain import Books, load_books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.state import State, opened_state


async def _none() -> tuple[tuple[str, str], ...]:
    return ()


@dataclass(frozen=True)
class ModeBoard:
    """What modes.yaml and the history make of the agent's own mode."""

    overall: Mode
    declared: Modes
    earned: EarnedModes
    clock: Clock
    pairs: Callable[[], Awaitable[tuple[tuple[str, str], ...]]] = _none

    @property
    def others(self) -> Mode:
        """The mode of every pair without an entry."""
        return strictest(self.overall, UNLISTED)

    async def rows(self) -> tuple[ModeRow, ...]:
        """Every entry, in the file's order."""
        return tuple([await self._row(entry) for entry in self.declared.modes])

    async def everything(self) -> tuple[ModeRow, ...]:
        """Every entry, and after them every other pair with a history. Raises Transient when that cannot be read.

        A target without a declared service has no row: nothing can be listed for it, so it is never auto.
        """
        listed = {(entry.action, entry.service) for entry in self.declared.modes}
        others = [ModeEntry(action=a, service=s, mode=UNLISTED) for a, s in await self.pairs() if s and (a, s) not in listed]
        return (*await self.rows(), *[await self._row(entry, listed=False) for entry in others])

    async def _row(self, entry: ModeEntry, *, listed: bool = True) -> ModeRow:
        now = self.clock.now()
        standing = await self.earned.standing(entry.action, entry.service, now)
        mode = await self.earned.mode(entry.action, entry.service, now)
        why = "" if mode is Mode.AUTO else standing.why
        if entry.mode is not Mode.AUTO:
            why = f"modes.yaml says {entry.mode.value}" if listed else "not listed in modes.yaml"
        elif self.overall is not Mode.AUTO:
            why = f"the agent's own mode is {self.overall.value}"
        return ModeRow(entry, mode, standing, why)


def earned_modes(settings: Settings, books: Books, state: State) -> EarnedModes:
    """What decides the fact `mode`."""
    return EarnedModes(settings.mode, books.bundle.declared.modes, state.track_record)


def mode_board(settings: Settings, books: Books, state: State) -> ModeBoard:
    """What people are told of the same."""
    earned = earned_modes(settings, books, state)
    return ModeBoard(settings.mode, books.bundle.declared.modes, earned, SystemClock(), state.track_record.pairs)


@asynccontextmanager
async def open_modes(settings: Settings) -> AsyncIterator[ModeBoard]:
    """The board over the configured database and bundle."""
    books = load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir)
    async with opened_state(settings) as state:
        yield mode_board(settings, books, state)
