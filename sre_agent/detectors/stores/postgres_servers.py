"""POSTGRES_DOWN, _READ_ONLY, _REPLICATION_BROKEN, _REPLICA_LAG, _WAL_RETAINED: how a PostgreSQL stands, and its replicas.

Pure, over one snapshot. A replica that catches up after a restart is late, not broken; a slot without a reader is told only
once it keeps log that fills a disk.
"""

from collections.abc import Iterator

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.postgres.state import PostgresState, Replica, Slot
from sre_agent.evidence.view import EvidenceView

K = FindingKind
GIB = 1024.0**3
RETAINED, MUCH_RETAINED = 1 * GIB, 10 * GIB
LATE_S, LATE_BYTES = 60.0, 1 * GIB
SILENT_S = 300.0
_WRITERS = frozenset({"primary", "master", "leader", "writer"})
# strength: a refused connection was answered by the host itself; silence may be the way there.
_DOWN = {
    "refused": (0.9, FindingReason.CONNECTION_REFUSED, "nothing listens there"),
    "57P03": (0.85, None, "it is starting, stopping or recovering and takes no connections"),
    "timeout": (0.6, FindingReason.TIMED_OUT, "it does not answer"),
}


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Every finding about every instance that was seen, strongest first."""
    roles = {r.lower() for r in view.scope.incident.label_values("role")}
    found = [f for evidence, state in view.postgres() for f in _judged(evidence, state, bool(roles & _WRITERS))]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.kind, f.object)))


def _judged(evidence: str, state: PostgresState, writes: bool) -> Iterator[Finding]:
    if state.error:
        if state.sqlstate in _DOWN:
            strength, reason, why = _DOWN[state.sqlstate]
            cause = f"{state.name} does not let anybody in: {why} ({state.error[:120]})"
            found = _finding(evidence, state, K.POSTGRES_DOWN, cause, strength)
            yield found.model_copy(update={"reason": reason})
        return
    if (read_only := _read_only(state, writes)) is not None:
        yield _finding(evidence, state, K.POSTGRES_READ_ONLY, f"{state.name} takes no writes: {read_only}", 0.88)
    if (broken := _broken(state)) is not None:
        yield _finding(evidence, state, K.POSTGRES_REPLICATION_BROKEN, f"{state.name}: {broken[0]}", broken[1])
    if (late := _late(state)) is not None:
        yield _finding(evidence, state, K.POSTGRES_REPLICA_LAG, f"{state.name}: {late}", 0.75)
    if (slot := _retained(state)) is not None:
        yield _kept(evidence, state, slot)


def _read_only(state: PostgresState, writes: bool) -> str | None:
    if not state.in_recovery and state.settings.get("default_transaction_read_only", "off").lower() in ("on", "true", "1"):
        return "default_transaction_read_only is on; it should be off on a primary"
    if state.in_recovery and writes:
        return "it is in recovery, a standby, and the alert is about the one that takes the writes"
    return None


def _broken(state: PostgresState) -> tuple[str, float] | None:
    """(why, strength): a standby that receives nothing, a synchronous standby that is not there, a replica's slot unread."""
    if state.in_recovery and state.receiving is False and (state.replay_age_s or 0.0) >= SILENT_S:
        return f"the standby receives nothing from its primary and last replayed {state.replay_age_s or 0.0:.0f} s ago", 0.85
    synchronous = state.settings.get("synchronous_standby_names", "").strip()
    if synchronous and not state.in_recovery and not any(r.sync_state in ("sync", "quorum") for r in state.replicas):
        return f"no synchronous standby is connected (synchronous_standby_names = {synchronous[:60]}): every commit waits", 0.88
    silent = [s for s in state.slots if s.kind == "physical" and s.active is False and s.retained_bytes > 0]
    if silent and not any(_streams(r) for r in state.replicas):
        return f"no replica streams, and the slot of one ({silent[0].name}) has no reader", 0.75
    stopped = [r for r in state.replicas if r.state and not _streams(r) and r.state not in ("startup", "catchup", "backup")]
    if stopped:
        return f"replica {stopped[0].name} is {stopped[0].state}, not streaming", 0.75
    return None


def _streams(replica: Replica) -> bool:
    return replica.state in ("streaming", "catchup", "")


def _late(state: PostgresState) -> str | None:
    behind = [r for r in state.replicas if (r.lag_s or 0.0) >= LATE_S or (r.lag_bytes or 0.0) >= LATE_BYTES]
    if behind:
        worst = max(behind, key=lambda r: (r.lag_s or 0.0, r.lag_bytes or 0.0, r.name))
        told = [f"{worst.lag_s:.0f} s" if worst.lag_s else "", f"{worst.lag_bytes / GIB:.2f} GiB" if worst.lag_bytes else ""]
        return (
            f"replica {worst.name} is {' and '.join(t for t in told if t)} behind ({len(behind)} of {len(state.replicas)} are late)"
        )
    if state.in_recovery and state.receiving is not False and (state.replay_age_s or 0.0) >= LATE_S:
        return f"this standby has received log that it has not replayed; the newest it replayed is {state.replay_age_s:.0f} s old"
    return None


def _retained(state: PostgresState) -> Slot | None:
    unread = [s for s in state.slots if s.active is False and s.retained_bytes >= RETAINED]
    lost = [s for s in state.slots if s.active is not True and s.wal_status in ("lost", "unreserved")]
    far = [s for s in state.slots if s.active and s.retained_bytes >= MUCH_RETAINED]
    return max(unread or lost or far, key=lambda s: (s.retained_bytes, s.name), default=None)


def _kept(evidence: str, state: PostgresState, slot: Slot) -> Finding:
    reader = "has no reader" if slot.active is False else "is read too slowly" if slot.active else "is not known to be read"
    status = f", wal_status {slot.wal_status}" if slot.wal_status else ""
    cause = f"{state.name}: slot {slot.name} {reader} and keeps {slot.retained_bytes / GIB:.1f} GiB of write-ahead log{status}"
    return _finding(evidence, state, K.POSTGRES_WAL_RETAINED, cause, 0.8 if slot.retained_bytes >= MUCH_RETAINED else 0.6)


_REFUTED = {
    K.POSTGRES_DOWN: "a connection from another place is answered",
    K.POSTGRES_READ_ONLY: "it is meant to be read-only, and writes go elsewhere",
    K.POSTGRES_REPLICATION_BROKEN: "the replica streams on a second look, or was taken away on purpose",
    K.POSTGRES_REPLICA_LAG: "the lag is less on a second look",
    K.POSTGRES_WAL_RETAINED: "the slot's reader is connected on a second look, and the retained log shrinks",
}


def _finding(evidence: str, state: PostgresState, kind: FindingKind, cause: str, strength: float) -> Finding:
    return Finding(
        kind=kind,
        object=f"postgres/{state.name}",
        cause=cause,
        strength=strength,
        evidence=(evidence,),
        refuted_by=_REFUTED[kind],
    )
