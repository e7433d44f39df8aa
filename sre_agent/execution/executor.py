"""Runs one permitted action, once: intent -> act -> observe -> close.

Takes nothing but a sealed permit. A crash anywhere leaves the intent row behind; `resume` then observes
before anything else and never repeats an effect that may have happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sre_agent.execution.action import Action, Outcome, Readers, Sleep, StillAllowed, Workbench
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import Intent, IntentState, Ledger, intent_key
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.policy.breakers import pre_state
from sre_agent.policy.permit import TTL, Permit, seal_holds


@dataclass(frozen=True)
class Tools:
    """What every action is given: the verbs, the read-only views, and a way to wait (seconds)."""

    hands: Hands
    readers: Readers
    sleep: Sleep


class Executor:
    """The only caller of Action.effect. One per process that has hands."""

    def __init__(self, actions: Mapping[str, Action], ledger: Ledger, tools: Tools, key: bytes, clock: Clock) -> None:
        self._actions = dict(actions)
        self._ledger = ledger
        self._tools = tools
        self._key = key
        self._clock = clock

    async def run(self, permit: Permit, service: str, still_allowed: StillAllowed) -> Outcome:
        """Do what the permit says, or say why not. Refused: nothing was touched.

        `service` is the budget's key. An intent that exists already is resumed, not repeated. Conflict: the target's lock or
        the row went to somebody else meanwhile, who finishes what was begun.
        """
        action = self._open(permit)
        key = intent_key(permit.proposal, permit.plan_hash)
        if await self._ledger.find(key) is not None:
            return await self.resume(key, still_allowed)
        bench = self._bench(key, still_allowed)
        precondition = await action.precondition(permit.proposal.target, bench)
        await still_allowed()
        intent = await self._ledger.open(
            Intent(
                key=key,
                incident_id=permit.proposal.incident_id,
                action=action.name,
                target_key=permit.proposal.target.key,
                service=service,
                plan_hash=permit.plan_hash,
                permit_id=permit.id,
                pre_state=pre_state(permit.proposal),
                precondition=precondition,
                created_at=self._clock.now(),
            )
        )
        return await self._close(intent, await self._act(action, intent, bench))

    async def resume(self, key: str, still_allowed: StillAllowed) -> Outcome:
        """What became of an intent: its stored result, or, if it was left open, what observation finds."""
        intent = await self._ledger.find(key)
        if intent is None:
            raise Refused("intent-missing", f"no ledger row {key[:12]}: nothing was begun under this plan")
        if intent.state is not IntentState.INTENT:
            return Outcome(intent.state, intent.result, measured=intent.scratch.get("measured"))
        action = self._action(intent.action)
        return await self._close(intent, await self._observe(action, intent, self._bench(key, still_allowed)))

    async def abandon(self, key: str, reason: str) -> None:
        """Close an intent that nobody will observe any more as UNKNOWN, so that it blocks no later action."""
        intent = await self._ledger.find(key)
        if intent is not None and intent.state is IntentState.INTENT:
            await self._ledger.close(key, IntentState.UNKNOWN, reason)

    def _open(self, permit: Permit) -> Action:
        # SAFETY: a permit that was altered, made elsewhere or kept too long opens nothing.
        if not seal_holds(self._key, permit):
            raise Refused("permit-seal", "the permit was not minted by this process's guard, or was altered")
        age = self._clock.now() - permit.minted_at
        if not (-TTL < age <= TTL):
            raise Refused(
                "permit-expired", f"the permit is {age.total_seconds():.0f} s old; it holds for {TTL.total_seconds():.0f} s"
            )
        return self._action(permit.proposal.action)

    def _action(self, name: str) -> Action:
        if name not in self._actions:
            raise Refused("action-unknown", f"this process has no action called {name!r}")
        return self._actions[name]

    def _bench(self, key: str, still_allowed: StillAllowed) -> Workbench:
        record = partial(self._record, key)
        t = self._tools
        return Workbench(hands=t.hands, readers=t.readers, record=record, still_allowed=still_allowed, sleep=t.sleep)

    async def _record(self, key: str, step: str, scratch: dict[str, Any]) -> None:
        await self._ledger.step(key, step, scratch)

    async def _act(self, action: Action, intent: Intent, bench: Workbench) -> Outcome:
        try:
            return await action.effect(intent, bench)
        except Refused as no:
            # INVARIANT: an action raises Refused only while nothing has been changed, or after undoing it.
            return Outcome(IntentState.NOT_DONE, str(no))
        except Conflict:
            # SAFETY: our lock or our row is somebody else's by now. They observe and close; two at once would undo each other.
            raise
        except (Transient, Permanent) as failure:
            # SAFETY: it may have happened. Observe; never send it again.
            latest = await self._ledger.find(intent.key) or intent
            observed = await self._observe(action, latest, bench)
            return Outcome(observed.state, f"{observed.result} (after: {failure})", observed.measured)

    async def _observe(self, action: Action, intent: Intent, bench: Workbench) -> Outcome:
        try:
            return await action.recover(intent, bench)
        except Conflict:
            raise
        except (OutcomeUnknown, Permanent) as failure:
            return Outcome(IntentState.UNKNOWN, f"could not tell whether it happened: {failure}")
        except Refused as no:
            return Outcome(IntentState.UNKNOWN, f"could not finish what was begun: {no}")

    async def _close(self, intent: Intent, outcome: Outcome) -> Outcome:
        state = IntentState.UNKNOWN if outcome.state is IntentState.INTENT else outcome.state
        if outcome.measured:
            await self._ledger.step(intent.key, "measured", {"measured": outcome.measured})
        await self._ledger.close(intent.key, state, outcome.result)
        return Outcome(state, outcome.result, outcome.measured)
