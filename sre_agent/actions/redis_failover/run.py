"""What every step of one failover shares: the plan, the bench, the clock, and looking at the topology."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from sre_agent.actions.redis_failover.plan import FailoverPlan
from sre_agent.evidence.redis.health import sentinel_flags
from sre_agent.evidence.redis.quorum import agreed_epoch, in_failover, sentinels_agree, switched, switched_for_most
from sre_agent.evidence.redis.state import NodeView, RedisState
from sre_agent.evidence.source import RedisGlancer
from sre_agent.execution.action import Workbench
from sre_agent.execution.hands import RedisHands
from sre_agent.incident.errors import Permanent, Refused, Transient

POLL_S = 0.05
PERSIST_S = 6.0
"""How long a verb that may be sent twice is tried again (seconds): a primary stopped in turns answers in fits."""
RECORD_S = 1.5
"""How long a step past the point of no return waits for the ledger (seconds): the pause must outlast all of them."""
AGREE_S = 20.0
"""How long the sentinels get to agree. Less than the pause, so that the fence is closed while it holds."""
MAJORITY_S = 6.0
"""After so long a majority is enough to close the fence: a sentinel that died must not keep the pause open."""
QUIET_S = 2.0
"""How long nothing must be going on before "no failover" is believed."""
SETTLE_S = 15.0
"""How long replicas get to attach to the new primary."""
PAUSE_S = 15.0 + 20.0
"""Length of the pause: the bound on taking over a dead worker's work, plus 20 s to finish the fence."""
FRESH_S = 5.0
"""How long ago the last line may have been asked when a verb is sent: well within the lease of the target's lock, so that a process
that slept in between sends nothing into work that others have taken over."""


@dataclass
class Run:
    """One failover under way. `clock` gives seconds, monotonic. `measured` collects what the note will say."""

    plan: FailoverPlan
    bench: Workbench
    clock: Callable[[], float]
    paused_at: float | None = None
    allowed_at: float | None = None
    measured: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def hands(self) -> RedisHands:
        """The write verbs. Permanent when this process was given none."""
        if self.bench.hands.redis is None:
            raise Permanent("this process has no Redis write credentials (REDIS_WRITE_USERNAME, --role hands)")
        return self.bench.hands.redis

    async def begin(self, step: str, *, guarded: bool, **scratch: Any) -> None:
        """Write the step to the ledger; up to the point of no return also ask the last line. Refused when it says no.

        SAFETY: from there on a ledger that cannot be written holds nothing up: a fence left half closed is worse than a step
        that is not in the books, and the verbs that follow are harmless to repeat.
        """
        if guarded:
            await self.bench.record(step, scratch)
            asked_at = self.clock()
            await self.bench.still_allowed()
            self.allowed_at = asked_at
            return
        try:
            async with asyncio.timeout(RECORD_S):
                await self.bench.record(step, scratch)
        except (Transient, TimeoutError):
            self.measured["steps_not_recorded"] = int(self.measured.get("steps_not_recorded", 0)) + 1

    @property
    def fresh(self) -> bool:
        """The last line gave its leave so lately that nobody else can have taken this work over."""
        return self.allowed_at is not None and self.clock() - self.allowed_at <= FRESH_S

    def refuse_if_stale(self) -> None:
        """Refused when this process slept since the last line. Asked right before a verb is sent."""
        if not self.fresh:
            raise Refused("redis-leave-too-old", f"more than {FRESH_S:.0f} s between the last line and the verb")

    async def still_ours(self) -> None:
        """Return if nobody else has taken this over; Conflict if somebody has, and then every verb of ours would harm."""
        if self.fresh:
            return
        try:
            await self.bench.still_allowed()
        except Refused:
            return  # no more leave to go on, but what we began is still ours to end

    async def look(self, skip: Collection[str] = ()) -> RedisState:
        """A quick look where the reader can, a full one otherwise. Permanent when there is no reader."""
        return await look(self.bench, self.plan.master, skip=skip)

    async def persist(self, verb: Callable[[], Awaitable[None]], seconds: float = PERSIST_S) -> None:
        """Try a verb that is harmless to repeat (pause, unpause, REPLICAOF) until it is answered or time is up.

        Raises the last Transient. Never used for FAILOVER.
        """
        deadline = self.clock() + seconds
        while True:
            try:
                await verb()
            except Transient:
                if self.clock() >= deadline:
                    raise
                await self.bench.sleep(POLL_S)
            else:
                return

    async def await_switch(self) -> NodeView | None:
        """The new primary, once *all* sentinels name it and it calls itself master; None: no failover is going on.

        After MAJORITY_S most of the sentinels are enough. Transient when neither shows within AGREE_S.
        """
        began, quiet_since = self.clock(), None
        while self.clock() - began < AGREE_S:
            # The old primary may be sick: waiting for its answer would only lengthen the pause.
            state = await self.look(skip={self.plan.primary})
            late = self.clock() - began >= MAJORITY_S
            new = switched_for_most(state, self.plan.run_id) if late else switched(state, self.plan.run_id)
            if new is not None and new.address != self.plan.primary:
                return new
            if self.still_as_planned(state):
                quiet_since = quiet_since if quiet_since is not None else self.clock()
                if self.clock() - quiet_since >= QUIET_S:
                    return None
            else:
                quiet_since = None
            await self.bench.sleep(POLL_S)
        raise Transient(f"the sentinels of {self.plan.master} did not settle on a primary within {AGREE_S:.0f} s")

    def moving(self, state: RedisState) -> bool:
        """Some sentinel names another primary, is failing over, or takes the primary for dead and so is about to."""
        dead = any(sentinel_flags(s.master) & {"s_down", "o_down"} for s in state.sentinels)
        return dead or in_failover(state) or bool(state.primary_addresses - {self.plan.primary})

    def still_as_planned(self, state: RedisState) -> bool:
        """All sentinels still name the planned primary at the planned epoch, and none is failing over."""
        same = sentinels_agree(state) is None and state.primary_addresses == {self.plan.primary}
        return same and agreed_epoch(state) == self.plan.epoch and not in_failover(state)


async def look(bench: Workbench, master: str, *, skip: Collection[str] = ()) -> RedisState:
    """A quick look where the reader can, a full one otherwise. Permanent when this process has no reader."""
    reader = bench.readers.redis
    if reader is None:
        raise Permanent("this process has no Redis read access (REDIS_SENTINELS): nothing can be checked before acting")
    if isinstance(reader, RedisGlancer):
        return await reader.glance(master, skip=skip)
    return await reader.read(master)
