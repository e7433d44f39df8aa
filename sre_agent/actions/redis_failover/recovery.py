"""After a crash: see where things stand, finish what is past the point of no return, undo what is not.

Works from the ledger's steps and the live topology only; may itself crash and run again. Never sends FAILOVER.
"""

from sre_agent.actions.redis_failover.coordinated import observe
from sre_agent.actions.redis_failover.finish import demote_and_unpause, verify
from sre_agent.actions.redis_failover.run import Run
from sre_agent.actions.redis_failover.stand_down import close_behind, give_up, hold
from sre_agent.execution.action import Outcome
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import OutcomeUnknown, Transient


async def recover(intent: Intent, run: Run) -> Outcome:
    """What became of the intent. OutcomeUnknown when the topology does not settle: a person takes over."""
    begun = set(intent.steps)
    try:
        if "pause" in begun:
            return await _recover_fence(run, asked="failover" in begun)
        if "coordinated" in begun:
            run.measured["procedure"] = "coordinated"
            return await observe(run, None)
    except Transient as failure:
        raise OutcomeUnknown(f"after a crash: {failure}") from failure
    return Outcome(IntentState.NOT_DONE, "nothing had been sent to Redis")


async def _recover_fence(run: Run, *, asked: bool) -> Outcome:
    """The pause may still hold, may have run out, and Sentinel may have acted by itself meanwhile: it takes a paused
    primary for dead after down-after-milliseconds."""
    run.measured["procedure"] = "fenced"
    if not asked:
        interrupted = "the work was interrupted before the failover was asked for"
        state = await run.look(skip={run.plan.primary})
        quiet = run.still_as_planned(state) and not run.moving(state)
        return await give_up(run, interrupted) if quiet else await close_behind(run, interrupted)
    # Hold writes back (again) until the fence is closed: a write accepted by the old primary now would be lost.
    await hold(run)
    new = await run.await_switch()
    if new is None:
        return await give_up(run, "the work was interrupted and Sentinel did not carry a failover out")
    await demote_and_unpause(run, new.address)
    return await verify(run, new)
