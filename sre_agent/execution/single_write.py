"""One write to one Kubernetes object: tried dry, judged afresh, sent once with its resourceVersion, then observed.

The resourceVersion is what makes a lost answer decidable: once the object has moved on without our mark, a request that
carried the older version can only be answered with a conflict. So nothing is ever sent twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sre_agent.evidence.kubernetes.state import JsonObject, text
from sre_agent.execution.action import Outcome, Workbench
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient

POLL_S = 2.0
SETTLE_S = 75.0
"""An API server ends a request after 60 s: a write still unseen after this was never applied."""


@dataclass(frozen=True)
class Judged:
    """The version of the object that was judged fit, what the ledger should keep, and what the write needs to know."""

    resource_version: str
    scratch: dict[str, Any] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class SingleWrite:
    """`what`: for people ("the restart"). `step`: the ledger's name of the point of no return.

    `look` judges the live object (Refused when it must not be touched), `send` writes (judged, dry run or not), `read`
    gets the object (None: gone). `applied`: whether our write is in it. `progress`: an outcome once there is one, given the
    seconds since it was applied. `within_s`: how long that may take.
    """

    what: str
    step: str
    look: Callable[[], Awaitable[Judged]]
    send: Callable[[Judged, bool], Awaitable[object]]
    read: Callable[[], Awaitable[JsonObject | None]]
    applied: Callable[[JsonObject], bool]
    progress: Callable[[JsonObject, float], Outcome | None]
    within_s: float

    async def do(self, bench: Workbench) -> Outcome:
        """Dry run, last look, write, observe. Raises Refused while nothing was changed, OutcomeUnknown when unanswered."""
        try:
            await bench.record("dry_run", {})
            await self.send(await self.look(), True)
            # SAFETY: things may have changed while we were busy: judge afresh, then write to exactly that version.
            judged = await self.look()
            await bench.still_allowed()
        except Permanent as failure:
            return Outcome(IntentState.NOT_DONE, f"nothing was changed: {failure}")
        await bench.record(self.step, {"resource_version": judged.resource_version, **judged.scratch})
        # SAFETY: the ledger may have kept us waiting; what was allowed before it may not be any more.
        await bench.still_allowed()
        try:
            await self.send(judged, False)
        except OutcomeUnknown:
            raise
        except (Permanent, Transient) as failure:
            return Outcome(IntentState.NOT_DONE, f"the API server refused {self.what}, nothing was changed: {failure}")
        return await self._observe(judged.resource_version, bench, answered=True)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Before the write: nothing happened. From there on: look, never write again."""
        if self.step not in intent.steps:
            return Outcome(IntentState.NOT_DONE, f"stopped before {self.what} was sent; nothing was changed")
        try:
            return await self._observe(str(intent.scratch.get("resource_version", "")), bench, answered=False)
        except (Refused, Permanent) as failure:
            return Outcome(IntentState.UNKNOWN, f"cannot see whether {self.what} happened: {failure}")

    async def _observe(self, sent: str, bench: Workbench, *, answered: bool) -> Outcome:
        """Follow the object until there is an outcome. Seconds are counted in sleeps."""
        waited, applied_at, failure = 0.0, None, ""
        while True:
            try:
                item, failure = await self.read(), ""
            except Transient as error:
                item, failure = None, str(error)
            else:
                if item is None:
                    return Outcome(IntentState.UNKNOWN, f"the object is gone: what became of {self.what} cannot be seen")
            if item is not None and self.applied(item):
                applied_at = waited if applied_at is None else applied_at
                if (outcome := self.progress(item, waited - applied_at)) is not None:
                    return outcome
            elif item is not None and (verdict := self._unapplied(item, sent, waited, answered or applied_at is not None)):
                return verdict
            if waited >= max(SETTLE_S, (applied_at or 0.0) + self.within_s):
                return self._gave_up(applied_at, waited, failure)
            await bench.sleep(POLL_S)
            waited += POLL_S

    def _unapplied(self, item: JsonObject, sent: str, waited: float, known: bool) -> Outcome | None:
        """What it means that our mark is not there; None while that is open."""
        if known:
            return Outcome(IntentState.FAILED, f"{self.what} was applied, and somebody has taken it back since")
        # The request carried this resourceVersion. The object has moved on without our mark: it can only be answered 409.
        if text(item, "metadata", "resourceVersion") != sent:
            return Outcome(IntentState.NOT_DONE, f"{self.what} was not applied: the object changed first")
        if waited >= SETTLE_S:
            return Outcome(IntentState.NOT_DONE, f"{self.what} was not applied: the object is unchanged after {waited:.0f} s")
        return None

    def _gave_up(self, applied_at: float | None, waited: float, failure: str) -> Outcome:
        if failure or applied_at is None:
            return Outcome(IntentState.UNKNOWN, f"cannot see what became of {self.what} after {waited:.0f} s: {failure}")
        return Outcome(IntentState.FAILED, f"{self.what} was applied, but not finished within {waited - applied_at:.0f} s")
