"""May this Redis be failed over, and how? Pure: one RedisState in, a plan or a refusal out."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.redis.health import Trouble, best_replica, is_down, judge, number
from sre_agent.evidence.redis.quorum import (
    DOWN_AFTER_MS,
    agreed_epoch,
    down_after_ms,
    failed_over_recently,
    failover_timeout_ms,
    has_quorum,
    in_failover,
    promotable,
    replica_refusal,
    sentinels_agree,
)
from sre_agent.evidence.redis.state import NodeView, RedisState
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target

COORDINATED_SINCE = (9,)
"""Valkey's first version with SENTINEL FAILOVER <name> COORDINATED."""

HANDED_BACK = {
    Trouble.MEMORY_FULL: "redis-memory-full",
    Trouble.OVERLOADED: "redis-overloaded",
    Trouble.EVERYWHERE: "redis-primary-not-at-fault",
    Trouble.NONE: "redis-primary-not-at-fault",
}


class Procedure(StrEnum):
    """AUTO: COORDINATED where the sentinels and the primary can, else the fence. FENCED: always the fence."""

    AUTO = "auto"
    FENCED = "fenced"


class FailoverPlan(BaseModel):
    """What must still hold at the effect. Addresses are "host:port"; the run ids tell processes apart.

    `replica` is the one Sentinel will most likely promote; `candidates` are all it might. `epoch` is the sentinels'
    configuration epoch before.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    master: str
    primary: str
    run_id: str
    replica: str
    replica_run_id: str
    candidates: tuple[str, ...]
    epoch: int
    sentinel: str
    coordinated: bool
    down_after_ms: int
    failover_timeout_ms: int


def plan_failover(target: Target, state: RedisState, procedure: Procedure) -> FailoverPlan:
    """The plan for a live target. Refused with the rule id of the first precondition that does not hold."""
    if target.kind != "RedisMaster":
        raise Refused("redis-wrong-target", f"{target.key} is not a Redis master")
    _refuse(sentinels_agree(state))
    if not has_quorum(state):
        answers = "; ".join(dict.fromkeys(s.ckquorum for s in state.sentinels))
        raise Refused("redis-no-quorum", f"SENTINEL CKQUORUM {state.name}: {answers}")
    if down_after_ms(state) < DOWN_AFTER_MS:
        reason = f"down-after-milliseconds is {down_after_ms(state)}, under {DOWN_AFTER_MS}: Sentinel would not wait for the fence"
        raise Refused("redis-down-after-too-short", reason)
    if in_failover(state):
        raise Refused("redis-failover-in-progress", "a failover is running already")
    if failed_over_recently(state):
        raise Refused("redis-recent-failover", f"it failed over within the last {failover_timeout_ms(state) * 2 // 1000} s")
    _same_process(target, state)
    judgement = judge(state)
    if not judgement.primary_at_fault:
        raise Refused(HANDED_BACK[judgement.trouble], f"a failover would not help: {judgement.why}")
    return draw_plan(state, procedure)


def draw_plan(state: RedisState, procedure: Procedure) -> FailoverPlan:
    """The plan for a topology as it is, whether or not it ought to be failed over. Refused without a fit replica."""
    # Sentinel chooses, not we: every replica it might choose must be fit.
    _refuse(replica_refusal(state))
    primary, chosen = state.primary, best_replica(state)
    if primary is None or chosen is None:
        raise Refused("redis-no-replica", "no replica is fit to take over")
    return _plan(state, primary, chosen, procedure)


def unchanged(plan: FailoverPlan, state: RedisState) -> None:
    """Refused unless the sentinels still agree on the planned primary, process and epoch, and none is failing over."""
    _refuse(sentinels_agree(state))
    _same_process(Target(kind="RedisMaster", name=plan.master, uid=plan.run_id), state)
    if agreed_epoch(state) != plan.epoch or in_failover(state):
        raise Refused("redis-epoch-changed", f"the epoch was {plan.epoch}, is {agreed_epoch(state)}: somebody else is failing over")


def undrained(plan: FailoverPlan, state: RedisState) -> str:
    """Which candidate is not at the primary's offset, as one line; "" when all are."""
    primary = state.primary
    if primary is None or primary.error:
        return "the primary did not tell its offset"
    offset = number(primary.info, "master_repl_offset", -1.0)
    found = {n.address: number(n.info, "slave_repl_offset", -2.0) for n in state.replicas}
    behind = [f"{a} at {found.get(a, -2.0):.0f}" for a in plan.candidates if found.get(a, -2.0) != offset]
    return f"the primary is at {offset:.0f}, {', '.join(behind)}" if behind else ""


def _plan(state: RedisState, primary: NodeView, replica: NodeView, procedure: Procedure) -> FailoverPlan:
    able = [s.address for s in state.sentinels if _coordinates(s.version)]
    coordinated = procedure is Procedure.AUTO and bool(able)
    return FailoverPlan(
        master=state.name,
        primary=primary.address,
        run_id=str(primary.info["run_id"]),
        replica=replica.address,
        replica_run_id=str(replica.info.get("run_id", "")),
        candidates=tuple(n.address for n in promotable(state)),
        epoch=agreed_epoch(state) or 0,
        sentinel=able[0] if coordinated else state.sentinels[0].address,
        coordinated=coordinated,
        down_after_ms=down_after_ms(state),
        failover_timeout_ms=failover_timeout_ms(state),
    )


def _same_process(target: Target, state: RedisState) -> NodeView:
    primary = state.primary
    if primary is None or is_down(primary) or not primary.info.get("run_id"):
        # A primary that does not answer cannot be fenced; if it is dead, Sentinel's own failover is the right one.
        raise Refused("redis-primary-silent", "the primary does not answer, so it cannot be fenced: leave it to Sentinel")
    if target.uid is None or str(primary.info["run_id"]) != target.uid:
        raise Refused("redis-run-id-changed", f"the primary of {target.name} is not the process the plan was made for")
    if primary.role != "master":
        raise Refused("redis-run-id-changed", f"{primary.address} says it is a {primary.role}")
    return primary


def _coordinates(version: str) -> bool:
    name, _, number_text = version.partition(" ")
    return name == "valkey" and tuple(int(p) for p in number_text.split(".") if p.isdigit()) >= COORDINATED_SINCE


def _refuse(problem: tuple[str, str] | None) -> None:
    if problem is not None:
        raise Refused(*problem)
