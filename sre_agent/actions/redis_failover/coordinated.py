"""Valkey >= 9: SENTINEL FAILOVER <name> COORDINATED. Sentinel has the primary hand over itself, which is the fence.

The primary pauses its writes, waits for the replica, and steps down by its FAILOVER command; if that does not
work out in time Sentinel aborts, and nothing changed. Source: Valkey pull request 1292 and the command's page.
"""

from sre_agent.actions.redis_failover.finish import verify
from sre_agent.actions.redis_failover.plan import unchanged
from sre_agent.actions.redis_failover.run import Run
from sre_agent.execution.action import Outcome
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import OutcomeUnknown, Refused


async def coordinated(run: Run) -> Outcome | None:
    """One call, then observation. None: this sentinel does not know the option after all, and nothing happened."""
    plan = run.plan
    await run.begin("coordinated", guarded=True, procedure="coordinated", sentinel=plan.sentinel)
    unchanged(plan, await run.look())
    run.refuse_if_stale()
    began = run.clock()
    try:
        await run.hands.failover(plan.sentinel, plan.master, coordinated=True)
    except OutcomeUnknown:
        pass  # Observed below; never sent again.
    except Refused as no:
        if no.rule == "redis-refused":
            return None
        raise
    run.measured["procedure"] = "coordinated"
    await run.begin("agree", guarded=False)
    return await observe(run, began)


async def observe(run: Run, began: float | None) -> Outcome:
    """What became of a coordinated failover. `began`: when it was sent, if that was in this process."""
    new = await run.await_switch()
    if new is None:
        return Outcome(IntentState.NOT_DONE, "Sentinel did not carry the coordinated failover out; nothing changed", run.measured)
    if began is not None:
        # From the call until all sentinels agree: an upper bound on how long writes were held back.
        run.measured["blocked_s"] = round(run.clock() - began, 3)
    return await verify(run, new)
