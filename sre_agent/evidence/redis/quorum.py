"""What the sentinels say together: agreement, quorum, failovers running, past and finished.

Pure, over one RedisState; shared by facts, preconditions and verification.
"""

from sre_agent.evidence.redis.health import number, replica_problem, sentinel_flags
from sre_agent.evidence.redis.state import NodeView, RedisState, SentinelView

DOWN_AFTER_MS = 3000
"""The least down-after-milliseconds under which the fence can end before Sentinel starts a failover of its own."""


def agreed_epoch(state: RedisState) -> int | None:
    """The configuration epoch all answering sentinels share, None when they differ or none answered."""
    epochs = {int(number(s.master, "config-epoch", -1.0)) for s in state.sentinels if s.master}
    return epochs.pop() if len(epochs) == 1 else None


def sentinels_agree(state: RedisState) -> tuple[str, str] | None:
    """(rule id, reason) when not every sentinel answers and says the same, else None."""
    silent = [s.address for s in state.sentinels if s.error or not s.master]
    if silent or not state.sentinels:
        return "redis-sentinel-silent", f"no usable answer from sentinel {', '.join(silent) or '(none is configured)'}"
    known = max(number(s.master, "num-other-sentinels") + 1 for s in state.sentinels)
    if known > len(state.sentinels):
        return (
            "redis-sentinel-unlisted",
            f"{known:.0f} sentinels exist, {len(state.sentinels)} are configured here: ask all of them",
        )
    if len(state.primary_addresses) != 1:
        return "redis-sentinels-disagree", f"the sentinels name different primaries: {', '.join(sorted(state.primary_addresses))}"
    if agreed_epoch(state) is None:
        return "redis-sentinels-disagree", "the sentinels are at different configuration epochs"
    return None


def has_quorum(state: RedisState) -> bool:
    """Every sentinel's raw CKQUORUM answer begins with OK."""
    return bool(state.sentinels) and all(s.ckquorum.startswith("OK") for s in state.sentinels)


def in_failover(state: RedisState) -> bool:
    """Some sentinel is failing over right now."""
    return any("failover_in_progress" in sentinel_flags(s.master) for s in state.sentinels)


def failed_over_recently(state: RedisState) -> bool:
    """A failover runs, or one ended within 2 x failover-timeout, as far as the sentinels remember.

    Epoch 0 means that no failover ever happened. After one, `role-reported-time` (ms) counts from the switch;
    a sentinel restarted since counts from its start, which errs towards "recently".
    """
    return in_failover(state) or any(_recent(s) for s in state.sentinels if s.master)


def down_after_ms(state: RedisState) -> int:
    """The shortest down-after-milliseconds of any sentinel; 0 when unknown."""
    return int(min((number(s.master, "down-after-milliseconds") for s in state.sentinels if s.master), default=0.0))


def failover_timeout_ms(state: RedisState) -> int:
    """The longest failover-timeout of any sentinel; 180000 (the default) when unknown."""
    return int(max((number(s.master, "failover-timeout", 180_000.0) for s in state.sentinels if s.master), default=180_000.0))


def _recent(sentinel: SentinelView) -> bool:
    if number(sentinel.master, "config-epoch") <= 0:
        return False
    return number(sentinel.master, "role-reported-time", 0.0) < 2 * number(sentinel.master, "failover-timeout", 180_000.0)


def promotable(state: RedisState) -> tuple[NodeView, ...]:
    """Every replica Sentinel might promote, fit or not: its own choice rests on offsets that are seconds old.

    Not those with priority 0, nor those every sentinel calls down or disconnected (Sentinel skips them).
    """
    rows = {f"{r.get('ip')}:{r.get('port')}": r for s in state.sentinels for r in s.replicas if _eligible(r)}
    listed = any(s.replicas for s in state.sentinels)
    return tuple(n for n in state.replicas if n.address in rows or not listed)


def replica_refusal(state: RedisState) -> tuple[str, str] | None:
    """(rule id, reason) when no replica is fit to take over, or when Sentinel might choose one that is not; else None."""
    primary, candidates = state.primary, promotable(state)
    if primary is None or not candidates:
        return "redis-no-replica", "it has no replica that Sentinel could promote"
    return next((p for c in candidates if (p := replica_problem(c, primary)) is not None), None)


def switched(state: RedisState, old_run_id: str) -> NodeView | None:
    """The new primary once every sentinel names it and it calls itself master; None before that."""
    node = state.primary
    if sentinels_agree(state) is not None or node is None or node.role != "master":
        return None
    return node if str(node.info.get("run_id", "")) not in ("", old_run_id) else None


def switched_for_most(state: RedisState, old_run_id: str) -> NodeView | None:
    """The new primary once more than half of all configured sentinels name it and it calls itself master."""
    named = [f"{s.master.get('ip')}:{s.master.get('port')}" for s in state.sentinels if s.master]
    for node in state.nodes:
        other = node.role == "master" and str(node.info.get("run_id", "")) not in ("", old_run_id)
        if other and named.count(node.address) * 2 > len(state.sentinels):
            return node
    return None


def after_failover_problem(state: RedisState, old_run_id: str) -> str:
    """What is still wrong with a topology after a failover away from `old_run_id`; "" when it is healthy.

    Healthy: all sentinels agree on a primary that is another process than before and calls itself master, have
    quorum and run no failover; and every other node that answers replicates from it with the link up.
    """
    disagreement = sentinels_agree(state)
    if disagreement is not None:
        return disagreement[1]
    primary = switched(state, old_run_id)
    if primary is None:
        return "the primary is still the old process, or the named node does not call itself master"
    if in_failover(state) or not has_quorum(state):
        return "a failover is still running, or the sentinels have no quorum"
    loose = [r.address for r in state.replicas if not _replicates(r, primary.address)]
    if loose or not state.replicas:
        return f"not replicating from {primary.address} yet: {', '.join(loose) or 'no replica at all'}"
    return ""


def _replicates(node: NodeView, primary: str) -> bool:
    told = f"{node.info.get('master_host')}:{node.info.get('master_port')}"
    return node.role == "slave" and told == primary and node.info.get("master_link_status") == "up"


def _eligible(row: dict[str, object]) -> bool:
    return not sentinel_flags(row) & {"s_down", "o_down", "disconnected"} and number(row, "slave-priority", 100.0) > 0
