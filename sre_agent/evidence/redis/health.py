"""What counts as sick, full, busy or in sync in one RedisState: the same for findings, facts and preconditions.

Pure. Thresholds err towards "not the primary's fault": whatever a replica would inherit is handed back.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sre_agent.evidence.redis.state import NodeView, RedisState

SLOW_P99_MS = 100.0
"""A PING on a healthy node answers in about 1 ms; p99 at this height is felt by every caller."""
SLOW_P50_MS = 10.0
SLOW_TIMEOUTS = 2
FULL_SHARE = 0.95
FRAGMENTED = 1.5
BUSY_SHARE = 0.85
"""Commands run on one thread: a core this busy is load, a hot key or a slow command, not a sick host."""
CLIENTS_SHARE = 0.9
OPS_CEILING = 50_000.0
"""Operations per second at which slowness is put down to load."""
LAST_IO_S = 2.0
LAG_BYTES = 1024 * 1024


class Trouble(StrEnum):
    """What is wrong with a primary. Only SLOW and DOWN are the primary's own fault."""

    NONE = "none"
    SLOW = "slow"
    DOWN = "down"
    MEMORY_FULL = "memory_full"
    OVERLOADED = "overloaded"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class Judgement:
    """A trouble and one line for a human."""

    trouble: Trouble
    why: str

    @property
    def primary_at_fault(self) -> bool:
        """True when moving the primary elsewhere can help."""
        return self.trouble in (Trouble.SLOW, Trouble.DOWN)


def number(values: Mapping[str, Any], key: str, default: float = 0.0) -> float:
    """A field of INFO or of Sentinel as a number, whatever it was parsed as; `default` when absent, not finite or no number."""
    try:
        found = float(values.get(key, default))
    except (TypeError, ValueError):
        return default
    return found if math.isfinite(found) else default


def sentinel_flags(row: Mapping[str, Any]) -> set[str]:
    """The flags a sentinel puts on a node: "master", "s_down", "failover_in_progress", ..."""
    return set(str(row.get("flags", "")).split(","))


def is_down(node: NodeView) -> bool:
    """It answered nothing at all."""
    return bool(node.error) or (node.attempts > 0 and node.timeouts >= node.attempts)


def is_slow(node: NodeView) -> bool:
    """Its timed PINGs are late. Of a few live PINGs one late one proves nothing; a recorded p99 stands alone."""
    if is_down(node) or node.latency_ms.get("p99", 0.0) < SLOW_P99_MS:
        return False
    few = 0 < node.attempts < 50
    return not few or node.timeouts >= SLOW_TIMEOUTS or node.latency_ms.get("p50", 0.0) >= SLOW_P50_MS


def memory_full(node: NodeView) -> str:
    """Why its memory is the trouble, or "". A cache that may evict any key lives at its limit: that is not full."""
    limit, used = number(node.info, "maxmemory"), number(node.info, "used_memory")
    policy = str(node.info.get("maxmemory_policy", "noeviction"))
    if limit > 0 and used >= FULL_SHARE * limit and not policy.startswith("allkeys"):
        return f"used_memory is {used / limit:.0%} of maxmemory ({policy}){_fragmented(node)}"
    machine, resident = number(node.info, "total_system_memory"), number(node.info, "used_memory_rss")
    if limit == 0 and machine > 0 and resident >= FULL_SHARE * machine:
        return f"used_memory_rss is {resident / machine:.0%} of the machine's memory, and maxmemory is not set{_fragmented(node)}"
    return ""


def _fragmented(node: NodeView) -> str:
    """A note on memory that is held and not used, where it is much. Below 100 MB the ratio means nothing."""
    ratio, resident = number(node.info, "mem_fragmentation_ratio"), number(node.info, "used_memory_rss")
    return f"; mem_fragmentation_ratio {ratio:.1f}" if ratio >= FRAGMENTED and resident >= 1e8 else ""


def overloaded(node: NodeView) -> str:
    """Why load is the trouble, or ""."""
    clients, most = number(node.info, "connected_clients"), number(node.info, "maxclients")
    ops = number(node.info, "instantaneous_ops_per_sec")
    if node.busy is not None and node.busy >= BUSY_SHARE:
        return f"its main thread is {min(node.busy, 1.0):.0%} busy (load, a hot key or slow commands)"
    if most > 0 and clients >= CLIENTS_SHARE * most:
        return f"{clients:.0f} of {most:.0f} client connections are in use"
    if ops >= OPS_CEILING:
        return f"it serves {ops:.0f} operations per second"
    return ""


def primary_of(state: RedisState) -> NodeView | None:
    """The primary the sentinels agree on; where no sentinel was recorded at all, the only node that calls itself master."""
    if state.sentinels:
        return state.primary
    masters = [n for n in state.nodes if n.role == "master"]
    return masters[0] if len(masters) == 1 else None


def judge(state: RedisState) -> Judgement:
    """What is wrong with the agreed primary, and whether it is its own fault."""
    primary = primary_of(state)
    if primary is None:
        return Judgement(Trouble.NONE, "the sentinels do not agree on one primary, so it was not judged")
    fine = [r for r in state.nodes if r.address != primary.address and not is_down(r) and not is_slow(r)]
    slow, down = is_slow(primary), is_down(primary)
    full, load = memory_full(primary), overloaded(primary)
    if full:
        return Judgement(Trouble.MEMORY_FULL, full)
    if load and (slow or down):
        return Judgement(Trouble.OVERLOADED, load)
    if not slow and not down:
        return Judgement(Trouble.NONE, "the primary answers in time")
    if not fine:
        return Judgement(Trouble.EVERYWHERE, "no replica is fine either: the trouble is not the primary alone")
    if down:
        # One vantage point is ours; a second must agree before "does not answer us" becomes "is down".
        cut_off = sum(str(r.info.get("master_link_status", "up")) != "up" for r in fine)
        called = sum(bool(sentinel_flags(s.master) & {"s_down", "o_down"}) for s in state.sentinels)
        if called + cut_off == 0:
            return Judgement(Trouble.NONE, "the primary does not answer us, but every sentinel and replica still reaches it")
        return Judgement(Trouble.DOWN, f"the primary answers neither us nor {called} sentinels and {cut_off} replicas")
    return Judgement(Trouble.SLOW, describe_latency(primary, fine))


def describe_latency(primary: NodeView, fine: list[NodeView]) -> str:
    """One line comparing the primary's PINGs with the best replica's."""
    best = min((r.latency_ms.get("p99", 0.0) for r in fine), default=0.0)
    late = f", {primary.timeouts} of {primary.attempts} timed out" if primary.attempts else ""
    return f"PING p99 {primary.latency_ms.get('p99', 0.0):.0f} ms on the primary{late}; {best:.0f} ms on a replica"


def version(node: NodeView) -> tuple[int, ...]:
    """The server's own version as numbers; () when unknown."""
    text = str(node.info.get("valkey_version") or node.info.get("redis_version") or "")
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def replica_problem(replica: NodeView, primary: NodeView, last_io_s: float = LAST_IO_S) -> tuple[str, str] | None:
    """(rule id, reason) why this replica must not be promoted, or None. Offsets in bytes.

    `last_io_s`: how long ago it may have heard its primary, which without any traffic PINGs it every 10 s.
    """
    at, info = replica.address, replica.info
    if is_down(replica) or is_slow(replica):
        return "redis-replica-sick", f"replica {at} does not answer in time {replica.error}".rstrip()
    if str(info.get("master_link_status", "")) != "up":
        return "redis-replica-link-down", f"replica {at} has lost its link to the primary"
    if number(info, "master_last_io_seconds_ago", 1e9) > last_io_s:
        return "redis-replica-stale", f"replica {at} last heard the primary {info.get('master_last_io_seconds_ago')} s ago"
    if number(info, "loading") or number(info, "async_loading") or number(info, "master_sync_in_progress"):
        return "redis-replica-syncing", f"replica {at} is loading or syncing"
    lag = number(primary.info, "master_repl_offset") - number(info, "slave_repl_offset")
    if lag > LAG_BYTES:
        return "redis-replica-lag", f"replica {at} is {lag:.0f} bytes behind"
    if number(info, "slave_priority", 100.0) <= 0:
        return "redis-replica-not-promotable", f"replica {at} has priority 0: its owners do not want it promoted"
    if version(replica) < version(primary):
        return "redis-replica-older", f"replica {at} runs an older version than the primary"
    limit, own = number(primary.info, "maxmemory"), number(info, "maxmemory")
    if own and (not limit or own < limit):
        return "redis-replica-smaller", f"replica {at} has a lower maxmemory than the primary"
    return None


def best_replica(state: RedisState) -> NodeView | None:
    """The replica Sentinel would choose among those fit to be promoted: priority, offset, then run id.

    Source: Redis documentation, "High availability with Redis Sentinel", replica selection and priority.
    """
    primary = state.primary
    if primary is None:
        return None
    fit = [r for r in state.replicas if replica_problem(r, primary) is None]
    order = sorted(
        fit,
        key=lambda r: (
            number(r.info, "slave_priority", 100.0),
            -number(r.info, "slave_repl_offset"),
            str(r.info.get("run_id", "")),
        ),
    )
    return order[0] if order else None
