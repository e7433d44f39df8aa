"""Ending a fence whose FAILOVER was not sent, or was not carried out."""

from sre_agent.actions.redis_failover.finish import demote_and_unpause, not_ours, verify
from sre_agent.actions.redis_failover.run import PAUSE_S, Run
from sre_agent.execution.action import Outcome
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import Permanent, Refused, Transient

BY_ITSELF = "Sentinel failed over by itself while writes were held back"


async def stand_down(run: Run, reason: str) -> Outcome:
    """Let writes flow again; but if Sentinel acts by itself meanwhile, close the fence behind its failover first.

    SAFETY: a pause that lasts longer than down-after-milliseconds (ours took too long, or our process slept) looks like a
    dead primary. Unpausing it while a replica is being promoted would let it acknowledge writes that are then thrown away.
    Raises Conflict, and touches nothing, when others have taken this over meanwhile.
    """
    await run.still_ours()
    if run.paused_at is not None and run.moving(await run.look(skip={run.plan.primary})):
        return await close_behind(run, reason)
    return await give_up(run, reason)


async def close_behind(run: Run, reason: str) -> Outcome:
    """Hold writes back until it shows what Sentinel did; then demote the old primary, or give up if it did nothing."""
    await hold(run)
    new = await run.await_switch()
    if new is None:
        return await give_up(run, reason)
    await demote_and_unpause(run, new.address)
    return not_ours(await verify(run, new), BY_ITSELF)


async def give_up(run: Run, reason: str) -> Outcome:
    """Nothing was switched: let writes flow again, and say so."""
    try:
        await run.persist(lambda: run.hands.unpause(run.plan.primary))
    except (Transient, Refused, Permanent) as failure:
        reason += f"; UNPAUSE failed ({failure}): the pause ends by itself after {PAUSE_S:.0f} s"
    else:
        if run.paused_at is not None:
            run.measured["blocked_s"] = round(run.clock() - run.paused_at, 3)
    return Outcome(IntentState.NOT_DONE, f"no failover was made: {reason}", run.measured or None)


async def hold(run: Run) -> None:
    """Pause the old primary's writes (again). A node that does not answer acknowledges nothing either."""
    try:
        await run.persist(lambda: run.hands.pause_writes(run.plan.primary, int(PAUSE_S * 1000)))
    except (Transient, Refused, Permanent):
        return
