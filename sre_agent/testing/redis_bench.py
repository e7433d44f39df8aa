"""A Workbench over a real topology with an in-memory ledger: for the tests, and for trying an action by hand.

It can say no from a given step on (a halt), and it can break off at a step, before or after it is written (a crash).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sre_agent.evidence.source import RedisReader
from sre_agent.execution.action import Action, Readers, Workbench
from sre_agent.execution.hands import Hands, RedisHands
from sre_agent.execution.ledger import Intent
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target


class Crashed(BaseException):
    """The process ended here. A BaseException, as no code under test may survive it."""


@dataclass
class RecordingBench:
    """Steps as recorded, in order, and what was kept with them.

    `halt_at`: the last line refuses from this step on. `crash_at`: Crashed is raised once this step was written
    (what it would have done was not done); `crash_after`: when the next step begins (it was done).
    """

    hands: RedisHands | Hands
    reader: RedisReader | Readers
    halt_at: str | None = None
    crash_at: str | None = None
    crash_after: str | None = None
    on_step: Callable[[str], Awaitable[None]] | None = None
    steps: list[str] = field(default_factory=list)
    scratch: dict[str, Any] = field(default_factory=dict)
    asked_after: list[str] = field(default_factory=list)
    """The step that had been written last, each time the last line was asked."""

    def bench(self) -> Workbench:
        """What an action is given."""
        readers = self.reader if isinstance(self.reader, Readers) else Readers(redis=self.reader)
        hands = self.hands if isinstance(self.hands, Hands) else Hands(redis=self.hands)
        return Workbench(hands, readers, self._record, self._still_allowed, asyncio.sleep)

    async def intent(self, action: Action, target: Target) -> Intent:
        """An open intent with its precondition read from the live target."""
        precondition = await action.precondition(target, self.bench())
        return Intent(
            key="trial",
            incident_id="trial",
            action=action.name,
            target_key=target.key,
            service="trial",
            plan_hash="trial",
            permit_id="trial",
            precondition=precondition,
            created_at=datetime.now(UTC),
        )

    def left_behind(self, intent: Intent) -> Intent:
        """The row as a takeover finds it; also lets the next run go on undisturbed."""
        self.halt_at = self.crash_at = self.crash_after = None
        return intent.model_copy(update={"steps": tuple(self.steps), "scratch": dict(self.scratch)})

    async def _record(self, step: str, scratch: dict[str, Any]) -> None:
        if self.crash_after is not None and self.steps and self.steps[-1] == self.crash_after:
            raise Crashed(self.crash_after)
        self.steps.append(step)
        self.scratch |= scratch
        if self.on_step is not None:
            await self.on_step(step)
        if step == self.crash_at:
            raise Crashed(step)

    async def _still_allowed(self) -> None:
        self.asked_after.append(self.steps[-1] if self.steps else "")
        if self.halt_at is not None and self.halt_at in self.steps:
            raise Refused("halted", "the kill switch is engaged")
