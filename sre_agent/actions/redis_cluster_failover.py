"""Fail one primary of a Redis Cluster over to a replica of its own: CLUSTER FAILOVER without any option.

The replica has the primary hold its clients back, waits for the primary's offset, and is elected by the other primaries:
no acknowledged write is lost, and it gives up by itself after 5 s (cluster-manual-failover-timeout). OK means "scheduled",
so what happened is observed. FORCE would not wait for the primary and TAKEOVER would not ask for votes: neither exists here.

Steps: failover -> observe. The first is the point of no return; the command is sent once, ever.
"""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.redis.cluster_health import fit_replicas, primaries, probe_key, problems, topology_problems
from sre_agent.evidence.redis.cluster_state import RedisClusterState
from sre_agent.evidence.source import RedisClusterReader
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.hands import RedisClusterHands
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.target import Target

POLL_S = 0.25
WATCH_S = 8.0
"""How long a failover that does not show is waited for: its own time-out of 5 s, and 3 s for gossip."""
SETTLE_S = 25.0
"""How long the nodes get to agree once something moved."""
FRESH_S = 5.0
"""How old the last line's leave may be when the command is sent: a process that slept meanwhile sends nothing."""
PROBE_TTL_S = 30


class ClusterPlan(BaseModel):
    """What must still hold at the effect. `epoch` is the primary's configuration epoch, which a promotion raises."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cluster: str
    primary_id: str
    primary: str
    replica_id: str
    replica: str
    epoch: int
    slots: tuple[tuple[int, int], ...]


class RedisClusterFailover:
    """Action "redis_cluster_failover": target kind RedisCluster, name = the cluster's, uid = the node id of the sick primary.

    Tier 3 (data-bearing); it has no inverse: a failover back is another failover. `clock`: monotonic seconds.
    """

    name = "redis_cluster_failover"
    tier = 3
    undo = "none"
    parameters = NoParameters
    rights = ()

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """A ClusterPlan as JSON. Refused with the rule id of the first precondition that does not hold."""
        if target.kind != "RedisCluster" or not target.uid:
            raise Refused("cluster-wrong-target", f"{target.key} is not a primary of a Redis Cluster")
        return plan_failover(target, await _reader(bench).read(target.name)).model_dump(mode="json")

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look again, ask the last line, send once, observe. Outcome.measured: epoch_before, epoch_after, new_primary, moved_s."""
        plan = ClusterPlan.model_validate(intent.precondition)
        hands = _hands(bench)
        await bench.record("failover", {"replica": plan.replica, "epoch": plan.epoch})
        await bench.still_allowed()
        allowed = self._clock()
        unchanged(plan, await _reader(bench).glance(plan.cluster))
        if self._clock() - allowed > FRESH_S:
            raise Refused("cluster-leave-too-old", "this process slept between the last line and the command")
        try:
            await hands.cluster_failover(plan.replica)
        except OutcomeUnknown:
            pass  # Observed below; never sent again.
        except Transient as unsent:
            return Outcome(IntentState.NOT_DONE, f"nothing was sent: {unsent}")
        await bench.record("observe", {})
        return await self._observe(plan, bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """After a crash: what became of it, by observation alone. OutcomeUnknown when the cluster does not settle."""
        if "failover" not in intent.steps:
            return Outcome(IntentState.NOT_DONE, "nothing had been sent to the cluster")
        return await self._observe(ClusterPlan.model_validate(intent.precondition), bench)

    async def _observe(self, plan: ClusterPlan, bench: Workbench) -> Outcome:
        began = self._clock()
        while True:
            state = await _reader(bench).glance(plan.cluster)
            waited = self._clock() - began
            problem = moved_problem(plan, state)
            if not problem:
                return await self._moved(plan, state, bench, waited)
            if waited >= WATCH_S and still_as_planned(plan, state):
                return Outcome(IntentState.NOT_DONE, f"the replica was not elected: {plan.primary} still serves its slots")
            if waited >= SETTLE_S:
                raise OutcomeUnknown(f"{plan.cluster} did not settle within {SETTLE_S:.0f} s: {problem}")
            await bench.sleep(POLL_S)

    async def _moved(self, plan: ClusterPlan, state: RedisClusterState, bench: Workbench, waited: float) -> Outcome:
        new = next(n for n in primaries(state).values() if n.slots == plan.slots)
        measured: dict[str, float | int | str] = {
            "epoch_before": plan.epoch,
            "epoch_after": new.epoch,
            "new_primary": new.address,
            "moved_s": round(waited, 3),
        }
        if new.id != plan.replica_id:
            return Outcome(IntentState.FAILED, f"{new.address} was promoted, not {plan.replica}: the cluster's own doing", measured)
        key = probe_key(plan.slots, "sre-agent:failover:")
        try:
            accepted = await _hands(bench).write_probe(new.address, key, str(new.epoch), PROBE_TTL_S)
        except (Transient, Refused, Permanent):
            accepted = False
        if not accepted:
            return Outcome(IntentState.FAILED, f"{new.address} is primary but did not accept a write", measured)
        return Outcome(IntentState.DONE, f"{plan.cluster}: {new.address} took over from {plan.primary}", measured)


def plan_failover(target: Target, state: RedisClusterState) -> ClusterPlan:
    """The plan for a live cluster. Refused with the rule id of the first precondition that does not hold."""
    for rule, reason in problems(state, target.uid or ""):
        raise Refused(rule, reason)
    return draw_plan(state, target.uid or "")


def draw_plan(state: RedisClusterState, primary_id: str) -> ClusterPlan:
    """The plan for a primary as it is, whether or not it ought to be failed over. Refused without a fit replica."""
    primary, fit = primaries(state).get(primary_id), fit_replicas(state, primary_id)
    if primary is None or not fit:
        raise Refused("cluster-no-replica", "no replica of it is fit to take over")
    return ClusterPlan(
        cluster=state.name,
        primary_id=primary_id,
        primary=primary.address,
        replica_id=fit[0].id,
        replica=fit[0].address,
        epoch=primary.epoch,
        slots=primary.slots,
    )


def unchanged(plan: ClusterPlan, state: RedisClusterState) -> None:
    """Refused unless the planned primary still serves the same slots at the same epoch and the replica is still fit.

    A node answers with its role as it is now: a cluster that has elected somebody meanwhile is left alone.
    """
    for rule, reason in topology_problems(state):
        raise Refused(rule, reason)
    if not still_as_planned(plan, state):
        raise Refused("cluster-epoch-changed", f"{plan.primary} no longer serves its slots at epoch {plan.epoch}")
    if plan.replica_id not in {v.id for v in fit_replicas(state, plan.primary_id)}:
        raise Refused("cluster-no-replica", f"{plan.replica} is no longer fit to take over")


def still_as_planned(plan: ClusterPlan, state: RedisClusterState) -> bool:
    """All answering nodes agree that the planned primary serves its slots at its old epoch."""
    primary = primaries(state).get(plan.primary_id)
    return primary is not None and (primary.epoch, primary.slots) == (plan.epoch, plan.slots)


def moved_problem(plan: ClusterPlan, state: RedisClusterState) -> str:
    """Why the failover cannot be called complete; "" once at least two nodes agree that it is.

    Complete: another node serves exactly the planned slots at a higher epoch, says itself that it is master, and the old
    primary is its replica in everybody's eyes.
    """
    for _, reason in topology_problems(state):
        return reason
    new = next((n for n in primaries(state).values() if n.slots == plan.slots), None)
    if new is None or new.id == plan.primary_id:
        return f"{plan.primary} still serves its slots"
    if new.epoch <= plan.epoch:
        return f"{new.address} serves them, but its epoch {new.epoch} is not higher than {plan.epoch}"
    seat = state.seat(new.id)
    if seat is None or seat.node.role != "master":
        return f"{new.address} does not say itself that it is master"
    loose = [v.address for v in state.answering if (old := v.find(plan.primary_id)) is not None and old.primary != new.id]
    return f"the old primary is not yet its replica, as seen from {', '.join(loose)}" if loose else ""


def _reader(bench: Workbench) -> RedisClusterReader:
    if bench.readers.redis_cluster is None:
        raise Permanent("this process has no Redis Cluster read access (REDIS_CLUSTER_NODES): nothing can be checked")
    return bench.readers.redis_cluster


def _hands(bench: Workbench) -> RedisClusterHands:
    if bench.hands.redis_cluster is None:
        raise Permanent("this process has no Redis Cluster write credentials (REDIS_CLUSTER_WRITE_USERNAME, --role hands)")
    return bench.hands.redis_cluster
