"""What is wrong with a Redis: from the state of sentinels and nodes, corroborated by latency series where there are any.

Pure. A cause that a replica would inherit (memory, load) outranks a slow primary and excludes it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import Shift, levels, shift
from sre_agent.evidence.redis.health import (
    BUSY_SHARE,
    LAG_BYTES,
    Judgement,
    Trouble,
    is_down,
    is_slow,
    judge,
    memory_full,
    number,
    overloaded,
    primary_of,
)
from sre_agent.evidence.redis.state import NodeView, RedisState
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MIN_SCORE = 3.0
MIN_RATIO = 3.0
MIN_LATE_S = 0.02
SILENT_S = 30.0
"""Three times the period at which a primary PINGs its replicas (repl-ping-replica-period, 10 s)."""
_UNITS = (("microseconds", 1e-6), ("usec", 1e-6), ("milliseconds", 1e-3), ("_ms", 1e-3), ("seconds", 1.0))
_LATE_NAMES = ("latency", "duration", "response_time")
_LOAD_NAMES = ("ops_per_sec", "commands_processed", "commands_total", "commands_per_sec")
_CUMULATIVE = ("_bucket", "_count", "_sum", "_total")

STRENGTH = {
    FindingKind.REDIS_MEMORY_FULL: 0.95,
    FindingKind.REDIS_PRIMARY_DOWN: 0.94,
    FindingKind.REDIS_OVERLOADED: 0.93,
    FindingKind.REDIS_NO_QUORUM: 0.90,
    FindingKind.REDIS_REPLICATION_BROKEN: 0.85,
}
SLOW_SEEN_TWICE, SLOW_SEEN_ONCE, SLOW_DISPUTED = 0.92, 0.60, 0.45


@dataclass(frozen=True)
class Seen:
    """One Redis master as gathered: the state, the id of its evidence, and what the series around it say."""

    state: RedisState
    evidence: str
    late: tuple[tuple[str, Shift], ...]
    measured: tuple[str, ...]
    load: tuple[str, str] | None

    def finding(self, kind: FindingKind, cause: str, refuted_by: str, also: tuple[str, ...] = ()) -> Finding:
        """A finding about this master at its kind's strength."""
        return Finding(
            kind=kind,
            object=f"redis/{self.state.name.lower()}",
            cause=cause,
            strength=STRENGTH[kind],
            evidence=tuple(dict.fromkeys((self.evidence, *also))),
            refuted_by=refuted_by,
        )


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Every finding about every Redis master seen, strongest first."""
    found: list[Finding] = []
    for evidence, state in view.redis():
        seen = _seen(view, evidence, state)
        asked = (_memory(seen), _load(seen), _primary(seen), _sentinels(seen), _replication(seen))
        found.extend(f for f in asked if f is not None)
    return tuple(sorted(found, key=lambda f: (-f.strength, f.kind, f.object)))


def _memory(seen: Seen) -> Finding | None:
    primary = primary_of(seen.state)
    why = memory_full(primary) if primary is not None else ""
    if not why:
        return None
    return seen.finding(FindingKind.REDIS_MEMORY_FULL, f"the primary's {why}", "used_memory well below maxmemory on a second look")


def _load(seen: Seen) -> Finding | None:
    primary = primary_of(seen.state)
    if primary is None:
        return None
    refuted = "the same rate and CPU share in hours without trouble"
    why = overloaded(primary)
    hurts = is_slow(primary) or (primary.busy or 0.0) >= BUSY_SHARE or "connections" in why
    if why and hurts:
        return seen.finding(FindingKind.REDIS_OVERLOADED, f"the primary is overloaded: {why}", refuted)
    if seen.load is not None and is_slow(primary):
        evidence, text = seen.load
        return seen.finding(FindingKind.REDIS_OVERLOADED, f"the primary is slow under more load: {text}", refuted, (evidence,))
    return None


def _primary(seen: Seen) -> Finding | None:
    judgement = judge(seen.state)
    if judgement.trouble is Trouble.DOWN:
        refuted = "an answer from the primary to anybody"
        return seen.finding(FindingKind.REDIS_PRIMARY_DOWN, judgement.why, refuted, tuple(e for e, _ in seen.late))
    # INVARIANT: what load or memory explains is never called a slow primary: a failover would only move it.
    if judgement.trouble is Trouble.SLOW and seen.load is None:
        return _slow(seen, judgement)
    return None


def _slow(seen: Seen, judgement: Judgement) -> Finding:
    if seen.late:
        best = max(seen.late, key=lambda e: e[1].ratio)
        strength, began = SLOW_SEEN_TWICE, datetime.fromtimestamp(min(s.at for _, s in seen.late), UTC)
        text = f"; measured latency rose {min(best[1].ratio, 10_000):.0f}-fold near the onset"
    else:
        strength, began = (SLOW_DISPUTED if seen.measured else SLOW_SEEN_ONCE), None
        text = "; the latency series did not rise" if seen.measured else "; no latency series to compare with"
    return Finding(
        kind=FindingKind.REDIS_PRIMARY_SLOW,
        object=f"redis/{seen.state.name.lower()}",
        cause=judgement.why + text,
        onset=began,
        strength=strength,
        evidence=tuple(dict.fromkeys((seen.evidence, *(e for e, _ in seen.late)))),
        refuted_by="the replicas answer late as well, the main thread is busy, or memory is full",
    )


def _sentinels(seen: Seen) -> Finding | None:
    state = seen.state
    answering = [s for s in state.sentinels if s.master]
    refusing = [s.ckquorum for s in answering if s.ckquorum and not s.ckquorum.startswith("OK")]
    why = ""
    if len(state.primary_addresses) > 1:
        why = f"the sentinels name different primaries: {', '.join(sorted(state.primary_addresses))}"
    elif refusing:
        why = f"no quorum: {refusing[0]}"
    elif state.sentinels and len(answering) * 2 <= len(state.sentinels):
        why = f"only {len(answering)} of {len(state.sentinels)} sentinels answer"
    refuted = "OK from SENTINEL CKQUORUM on every sentinel, and one address from all"
    return seen.finding(FindingKind.REDIS_NO_QUORUM, why, refuted) if why else None


def _replication(seen: Seen) -> Finding | None:
    primary = primary_of(seen.state)
    if primary is None or is_down(primary):
        return None
    replicas = [n for n in seen.state.nodes if n.address != primary.address]
    problems = [_out_of_sync(r, primary) for r in replicas]
    told_none = any(number(s.master, "num-slaves", 1.0) == 0 for s in seen.state.sentinels if s.master)
    if not replicas and told_none:
        problems = ["it has no replica"]
    if not problems or not all(problems):
        return None
    refuted = "one replica with its link up and its offset near the primary's"
    return seen.finding(FindingKind.REDIS_REPLICATION_BROKEN, f"no replica is in sync: {'; '.join(problems)}", refuted)


def _out_of_sync(replica: NodeView, primary: NodeView) -> str:
    info = replica.info
    if is_down(replica):
        return f"{replica.address} does not answer"
    if str(info.get("master_link_status", "up")) != "up":
        return f"{replica.address} has lost its link"
    if number(info, "master_sync_in_progress") or number(info, "loading"):
        return f"{replica.address} is loading or syncing"
    silent = number(info, "master_last_io_seconds_ago")
    if silent >= SILENT_S:
        return f"{replica.address} last heard its primary {silent:.0f} s ago"
    offset = number(info, "slave_repl_offset", number(primary.info, "master_repl_offset"))
    lag = number(primary.info, "master_repl_offset") - offset
    return f"{replica.address} is {lag:.0f} bytes behind" if lag > LAG_BYTES else ""


def _seen(view: EvidenceView, evidence: str, state: RedisState) -> Seen:
    late: list[tuple[str, Shift]] = []
    measured: list[str] = []
    load: tuple[str, str] | None = None
    for source, series in view.series():
        if not _about(series, state):
            continue
        moved = shift(levels(series), view.scope.onset)
        if _is_latency(series) and moved is not None:
            measured.append(source)
            if _rose(moved) and moved.after * _unit(series.name) >= MIN_LATE_S:
                late.append((source, moved))
        elif any(n in series.name for n in _LOAD_NAMES) and moved is not None and _rose(moved):
            load = (source, f"{series.name} {moved.before:.4g} -> {moved.after:.4g}")
    return Seen(state, evidence, tuple(late), tuple(measured), load)


def _about(series: Series, state: RedisState) -> bool:
    """Whether a series is about this master, or about the node that is its primary now."""
    if "redis_master" in series.labels:
        return series.labels["redis_master"] == state.name
    primary = primary_of(state)
    return primary is not None and primary.address in (series.labels.get("instance"), series.labels.get("addr"))


def _is_latency(series: Series) -> bool:
    return any(n in series.name for n in _LATE_NAMES) and not series.name.endswith(_CUMULATIVE)


def _rose(moved: Shift) -> bool:
    return moved.score >= MIN_SCORE and moved.ratio >= MIN_RATIO


def _unit(name: str) -> float:
    """Seconds per unit of a series, by its name."""
    return next((factor for word, factor in _UNITS if word in name), 1.0)
