"""From timed PINGs and two INFOs to what a NodeView says about latency and load. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sre_agent.evidence.redis_state import NodeView


def measured(address: str, info: dict[str, Any], taken: Sequence[float | None], timeout_s: float) -> NodeView:
    """A node with p50 and p99 of its PINGs (seconds each; None: given up after `timeout_s`, which then counts)."""
    ordered = sorted(timeout_s if t is None else t for t in taken)
    quantiles = {name: _rank(ordered, q) * 1000 for name, q in (("p50", 0.5), ("p99", 0.99))} if ordered else {}
    return NodeView(
        address=address,
        info=info,
        latency_ms={k: round(v, 3) for k, v in quantiles.items()},
        attempts=len(taken),
        timeouts=sum(t is None for t in taken),
    )


def _rank(ordered: Sequence[float], q: float) -> float:
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def busy_share(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Share of a core between two INFOs, by the server's own clock; the main thread's where the server tells."""

    def used(info: Mapping[str, Any]) -> float:
        ends = "_main_thread" if "used_cpu_user_main_thread" in info else ""
        return float(info.get(f"used_cpu_user{ends}", 0)) + float(info.get(f"used_cpu_sys{ends}", 0))

    passed = (float(after.get("server_time_usec", 0)) - float(before.get("server_time_usec", 0))) / 1e6
    return round((used(after) - used(before)) / passed, 3) if passed > 0 else None
