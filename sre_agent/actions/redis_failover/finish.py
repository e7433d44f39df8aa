"""Steps 5 to 7: close the fence on the old primary, let clients go, and see whether all is well."""

from sre_agent.actions.redis_failover.run import POLL_S, SETTLE_S, Run
from sre_agent.evidence.redis.health import number
from sre_agent.evidence.redis.quorum import after_failover_problem, agreed_epoch
from sre_agent.evidence.redis.state import NodeView
from sre_agent.execution.action import Outcome
from sre_agent.execution.ledger import IntentState
from sre_agent.incident.errors import Permanent, Refused, Transient

PROBE_TTL_S = 30


async def demote_and_unpause(run: Run, new_primary: str) -> None:
    """REPLICAOF under the pause, then UNPAUSE: writes that waited are refused there, and go to the new primary.

    Both are harmless to repeat. Raises Transient when the old primary cannot be reached: its state is then unknown.
    """
    old = run.plan.primary
    await run.begin("demote", guarded=False, new_primary=new_primary)
    await run.persist(lambda: run.hands.replicate_from(old, new_primary))
    await run.begin("unpause", guarded=False)
    await run.persist(lambda: run.hands.unpause(old))
    if run.paused_at is not None:
        run.measured["blocked_s"] = round(run.clock() - run.paused_at, 3)


async def verify(run: Run, new: NodeView) -> Outcome:
    """Our own expiring key is accepted, all others replicate from the new primary, the epoch grew by exactly one.

    DONE when so; FAILED when the switch happened but the new primary takes no write; UNKNOWN when the epoch grew by
    more (a second failover may have happened). Replicas that attach late are told, not failed: a probe watches on.
    """
    plan = run.plan
    await run.begin("verify", guarded=False)
    accepted = await _accepts_write(run, new.address)
    problem = await _settle(run)
    state = await run.look()
    epoch = agreed_epoch(state)
    run.measured |= {"epoch_before": plan.epoch, "epoch_after": -1 if epoch is None else epoch, "new_primary": new.address}
    if state.primary is not None:
        run.measured["offset_after"] = int(number(state.primary.info, "master_repl_offset"))
    if not accepted:
        return Outcome(IntentState.FAILED, f"{new.address} is primary but did not accept a write", run.measured)
    if epoch != plan.epoch + 1:
        text = f"the epoch went from {plan.epoch} to {epoch}, not up by one: another failover may have happened"
        return Outcome(IntentState.UNKNOWN, text, run.measured)
    late = f"; {problem}" if problem else ""
    return Outcome(IntentState.DONE, f"{plan.master} moved from {plan.primary} to {new.address}{late}", run.measured)


def not_ours(outcome: Outcome, why: str) -> Outcome:
    """A switch that our FAILOVER did not cause, with the fence closed behind it: never reported as done by us."""
    if outcome.state is not IntentState.DONE:
        return outcome
    return Outcome(IntentState.FAILED, f"{why}; the fence was closed: {outcome.result}", outcome.measured)


async def _accepts_write(run: Run, address: str) -> bool:
    key = f"sre-agent:failover:{run.plan.master}"
    try:
        return await run.hands.write_probe(address, key, str(run.plan.epoch + 1), PROBE_TTL_S)
    except (Transient, Refused, Permanent):
        return False


async def _settle(run: Run) -> str:
    """Wait until the topology is healthy; what is still wrong when SETTLE_S is over, "" when nothing is."""
    deadline = run.clock() + SETTLE_S
    while True:
        problem = after_failover_problem(await run.look(), run.plan.run_id)
        if not problem or run.clock() >= deadline:
            return problem
        await run.bench.sleep(POLL_S * 4)
