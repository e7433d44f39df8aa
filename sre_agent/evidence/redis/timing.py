"""From timed PINGs and two INFOs to what a NodeView says about latency and load. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sre_agent.evidence.redis.state import NodeView

GROWING = ("evicted_keys", "rejected_connections", "keyspace_hits", "keyspace_misses")
"""Counters of INFO whose totals tell of the past; only their growth tells of now."""


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

    passed = _passed(before, after)
    return round((used(after) - used(before)) / passed, 3) if passed > 0 else None


def growth(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float]:
    """The counters of GROWING per second between two INFOs, by the server's own clock; a restart between them tells nothing."""
    passed = _passed(before, after)
    if passed <= 0 or before.get("run_id") != after.get("run_id"):
        return {}
    told = {k: _number(after.get(k)) - _number(before.get(k)) for k in GROWING if k in before and k in after}
    return {k: round(grown / passed, 3) for k, grown in told.items() if grown >= 0}


def slow_commands(answer: object, info: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """SLOWLOG GET as {"command", "ms", "ago_s"}; arguments are left out. Source: Redis documentation, SLOWLOG GET (RESP2)."""
    now, found = _number(info.get("server_time_usec")) / 1e6, []
    for entry in answer if isinstance(answer, list | tuple) else ():
        # The library parses entries into maps; the raw reply is [id, began, microseconds, [words], ...].
        told = entry if isinstance(entry, Mapping) else dict(zip(("id", "start_time", "duration", "command"), entry, strict=False))
        words = told.get("command")
        name = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        first = str(name[0] if isinstance(name, list | tuple) and name else name or "").split(" ")[0].lower()[:20]
        if first.isalpha() and now:
            ms, ago = _number(told.get("duration")) / 1000, now - _number(told.get("start_time"))
            found.append({"command": first, "ms": round(ms, 1), "ago_s": round(max(ago, 0.0))})
    return tuple(found)


def _passed(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    return (_number(after.get("server_time_usec")) - _number(before.get("server_time_usec"))) / 1e6


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        return 0.0
