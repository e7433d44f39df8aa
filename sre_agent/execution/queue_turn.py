"""Pausing or resuming a queue, step by step: tried dry, judged afresh, sent once with a deadline, then observed.

The deadline is what makes a lost answer decidable: a script that reaches Redis later than that, by Redis' own clock, does
nothing. So once that clock has passed it and our mark is not there, nothing was done, and nothing is ever sent twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.redis.queue_health import WORDS
from sre_agent.evidence.redis.queue_state import QueueState, identity
from sre_agent.evidence.source import QueueReader
from sre_agent.execution.action import Outcome, Workbench
from sre_agent.execution.hands import QueueHands, QueueTerms
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import Permanent, Refused, Transient
from sre_agent.incident.target import Target

VALID_MS = 10_000
"""How long after the last look the write may still happen."""
POLL_S = 1.0
SETTLE_S = 60.0
"""How long the outcome is looked for, a Redis that does not answer included."""


class QueuePlan(BaseModel):
    """What must still hold at the effect: the queue by name and identity, and whose pause there is ("" for none)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    queue: str
    uid: str
    run_id: str
    owner: str = ""


@dataclass(frozen=True)
class QueueTurn:
    """`step`: the ledger's name of the point of no return, "pause" or "resume". `unmet`: conditions that do not hold.

    `applied`: whether the mark of the intent with this key is there. `told`: what became of it, once applied.
    """

    step: str
    unmet: Callable[[QueueState, str], tuple[str, ...]]
    applied: Callable[[QueueState, str], bool]
    told: Callable[[QueueState], Outcome]

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """A QueuePlan as JSON. Refused with the id of the first condition that does not hold."""
        if target.kind != "Queue" or not target.uid:
            raise Refused("queue-wrong-target", f"{target.key} is not a queue that was looked at")
        state = await self._look(target.name, target.uid, bench)
        plan = QueuePlan(queue=target.name, uid=target.uid, run_id=state.run_id, owner=state.owner)
        return plan.model_dump(mode="json")

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Dry run, last look, send once, observe. Raises Refused while nothing was changed, OutcomeUnknown when unanswered."""
        plan = QueuePlan.model_validate(intent.precondition)
        try:
            await bench.record("dry_run", {})
            await self._send(plan, intent, await self._look(plan.queue, plan.uid, bench), bench, dry_run=True)
            # SAFETY: things may have changed while we were busy: judge afresh, then act on exactly that state.
            state = await self._look(plan.queue, plan.uid, bench)
            await bench.still_allowed()
        except Permanent as failure:
            return Outcome(IntentState.NOT_DONE, f"nothing was changed: {failure}")
        await bench.record(self.step, {"deadline_ms": state.at_ms + VALID_MS})
        # SAFETY: the ledger may have kept us waiting; what was allowed before it may not be any more.
        await bench.still_allowed()
        try:
            await self._send(plan, intent, state, bench, dry_run=False)
        except Permanent as failure:
            return Outcome(IntentState.NOT_DONE, f"Redis refused the {self.step}, nothing was changed: {failure}")
        return await self._observe(plan, intent.key, state.at_ms + VALID_MS, bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Before the write: nothing happened. From there on: look, never send again."""
        if self.step not in intent.steps:
            return Outcome(IntentState.NOT_DONE, f"stopped before the {self.step} was sent; nothing was changed")
        plan = QueuePlan.model_validate(intent.precondition)
        return await self._observe(plan, intent.key, int(intent.scratch["deadline_ms"]), bench)

    async def _look(self, queue: str, uid: str, bench: Workbench) -> QueueState:
        state = await _reader(bench).read(queue)
        for rule in self.unmet(state, uid):
            raise Refused(rule, f"queue {queue}: {WORDS[rule]}")
        return state

    async def _send(self, plan: QueuePlan, intent: Intent, state: QueueState, bench: Workbench, *, dry_run: bool) -> None:
        terms = QueueTerms(plan.run_id, intent.key, intent.plan_hash, state.at_ms + VALID_MS, plan.owner)
        hands = _hands(bench)
        send = hands.pause if self.step == "pause" else hands.resume
        await send(plan.queue, terms, dry_run=dry_run)

    async def _observe(self, plan: QueuePlan, token: str, deadline_ms: int, bench: Workbench) -> Outcome:
        """Follow the queue until there is an outcome. Seconds are counted in sleeps."""
        waited, failure = 0.0, ""
        while waited <= SETTLE_S:
            try:
                state, failure = await _reader(bench).read(plan.queue), ""
            except Transient as error:
                failure = str(error)
            else:
                if (outcome := self._outcome(plan, state, token, deadline_ms)) is not None:
                    return outcome
            await bench.sleep(POLL_S)
            waited += POLL_S
        return Outcome(IntentState.UNKNOWN, f"cannot see what became of the {self.step} after {waited:.0f} s: {failure}")

    def _outcome(self, plan: QueuePlan, state: QueueState, token: str, deadline_ms: int) -> Outcome | None:
        """What one look tells; None while that is open."""
        if self.applied(state, token):
            return self.told(state)
        if state.run_id != plan.run_id:
            return Outcome(IntentState.UNKNOWN, f"another Redis process answers for {plan.queue}, and our {self.step} is not there")
        if state.at_ms > deadline_ms:
            return Outcome(
                IntentState.NOT_DONE, f"the {self.step} was not applied in time ({identity(state)}), and cannot be any more"
            )
        return None


def _reader(bench: Workbench) -> QueueReader:
    if bench.readers.queues is None:
        raise Permanent("this process knows no queue (no queue/... with its redis in targets.yaml): nothing can be checked")
    return bench.readers.queues


def _hands(bench: Workbench) -> QueueHands:
    if bench.hands.queues is None:
        raise Permanent("this process has no write credentials for queues (REDIS_WRITE_USERNAME, --role hands)")
    return bench.hands.queues
