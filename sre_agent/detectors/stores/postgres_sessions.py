"""POSTGRES_LOCKED, _LONG_TRANSACTION, _CONNECTIONS_FULL, _SLOW_QUERIES: what the sessions of one PostgreSQL do to each other.

Pure, over one snapshot: so short waits, of which any busy database has some, are left alone, and so are backups and the
server's own processes. Statements are data and are not quoted.
"""

from collections import Counter
from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.postgres.state import PostgresState, Session, Waiting
from sre_agent.evidence.view import EvidenceView

WAITS_S = 5.0
"""A lock wait that any caller feels; deadlock_timeout (1 s) is when the server itself begins to look."""
LOCK_SHARE = 1 / 3
IDLE_S = 600.0
OPEN_S = 3600.0
FULL, NEARLY = 0.97, 0.9
SLOW_S = 60.0
MANY_SLOW = 5
# They hold a transaction for hours on purpose.
_BACKUP = ("pg_dump", "pg_basebackup", "pg_dumpall", "barman", "pgbackrest", "pg_restore", "wal-g")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Every finding about every instance that was seen, strongest first."""
    found = [
        f.model_copy(update={"onset": view.scope.now - timedelta(seconds=age) if age else None})
        for evidence, state in view.postgres()
        for told in (_full(evidence, state), _locked(evidence, state), _open(evidence, state), _slow(evidence, state))
        if told is not None
        for f, age in (told,)
    ]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.kind, f.object)))


Told = tuple[Finding, float] | None
"""A finding, and for how many seconds it has been so (0: unknown)."""


def _full(evidence: str, state: PostgresState) -> Told:
    """Refused connections, or a ceiling that is (nearly) reached, by the state of the sessions that use it up."""
    if state.sqlstate == "53300":
        cause = f"{state.name} refuses connections: {state.error[:120]}"
        return _finding(evidence, state, FindingKind.POSTGRES_CONNECTIONS_FULL, cause, 0.92), 0.0
    tight = [c for c in state.ceilings if c.used >= NEARLY * c.most]
    if not tight:
        return None
    worst = max(tight, key=lambda c: (c.used / c.most, c.most))
    most_by = Counter(s.application or s.user for s in state.sessions if s.client and (s.application or s.user)).most_common(1)
    by = f"; most are of {most_by[0][0]} ({most_by[0][1]} of those seen)" if most_by else ""
    states = ", ".join(f"{n} {what}" for what, n in sorted(state.states.items(), key=lambda e: (-e[1], e[0]))[:4])
    cause = f"{state.name}: {worst.used} of {worst.most} connections of {worst.what} are in use ({states}){by}"
    strength = 0.9 if worst.used >= FULL * worst.most else 0.7
    return _finding(evidence, state, FindingKind.POSTGRES_CONNECTIONS_FULL, cause, strength), 0.0


def _locked(evidence: str, state: PostgresState) -> Told:
    """The sessions that wait, behind the one that waits for nobody itself."""
    waits = [w for w in state.waiting if (w.waiting_s or 0.0) >= WAITS_S and not _background(state, w)]
    if not waits:
        return _lock_load(evidence, state)
    behind = Counter(root for w in waits for root in _roots(w, state))
    if not behind:
        return None
    pid, count = max(behind.items(), key=lambda e: (e[1], -e[0]))
    mine = [w for w in waits if pid in _roots(w, state)]
    longest = max(w.waiting_s or 0.0 for w in mine)
    relation = next((w.relation for w in sorted(mine, key=lambda w: -(w.waiting_s or 0.0)) if w.relation), "")
    holder = _described(state.session(pid), pid)
    cause = f"{state.name}: {holder} holds a lock{f' on {relation}' if relation else ''} that {count} session{'s' * (count > 1)} "
    cause += f"wait{'s' * (count == 1)} for, the longest {longest:.0f} s"
    strength = min(0.9, 0.6 + 0.05 * min(count - 1, 4) + (0.1 if longest >= 6 * WAITS_S else 0.0))
    return _finding(evidence, state, FindingKind.POSTGRES_LOCKED, cause, strength), longest


def _lock_load(evidence: str, state: PostgresState) -> Told:
    """Where only loads are told: at least one session waits for locks on average, and locks are a third of what all wait for."""
    total, locks = sum(state.loads.values()), {n: load for n, load in state.loads.items() if n.lower().startswith("lock:")}
    if sum(locks.values()) < 1.0 or sum(locks.values()) < LOCK_SHARE * total:
        return None
    most = max(locks, key=lambda n: (locks[n], n))
    cause = f"{state.name}: {sum(locks.values()):.1f} of {total:.1f} active sessions wait for locks, most for {most[:40]}"
    return _finding(evidence, state, FindingKind.POSTGRES_LOCKED, cause, 0.65), 0.0


def _roots(wait: Waiting, state: PostgresState) -> set[int]:
    """Who holds up a waiting session in the end: its blockers, and theirs, that wait for nobody. Rings end at themselves."""
    by_pid = {w.pid: w for w in state.waiting}
    seen, todo, roots = {wait.pid}, list(wait.blocked_by), set[int]()
    while todo:
        pid = todo.pop()
        if pid in seen:
            continue
        seen.add(pid)
        if pid in by_pid:
            todo += by_pid[pid].blocked_by
        else:
            roots.add(pid)
    return roots


def _open(evidence: str, state: PostgresState) -> Told:
    """The transaction that is open for longest: idle ones hold what they locked and keep vacuum from working."""
    own = [s for s in state.sessions if s.client and not s.application.lower().startswith(_BACKUP)]
    idle = [s for s in own if s.idle_in_transaction and (s.state_s or 0.0) >= IDLE_S and (s.transaction_s or 0.0) >= IDLE_S]
    working = [s for s in own if s.state == "active" and (s.transaction_s or 0.0) >= OPEN_S]
    if not (idle or working):
        return None
    worst = max(idle or working, key=lambda s: (s.transaction_s or 0.0, -s.pid))
    others = f", and {len(idle or working) - 1} more" if len(idle or working) > 1 else ""
    cause = f"{state.name}: a transaction is open for {worst.transaction_s or 0.0:.0f} s: {_described(worst, worst.pid)}{others}"
    # A long report alone is context; a session that does nothing and keeps its transaction is a fault of its client.
    strength = 0.6 if idle else 0.45
    return _finding(evidence, state, FindingKind.POSTGRES_LONG_TRANSACTION, cause, strength), worst.transaction_s or 0.0


def _slow(evidence: str, state: PostgresState) -> Told:
    """Many statements that run for a minute and more at once, and are most of what runs. One report does not count."""
    running = [s for s in state.sessions if s.client and s.state == "active" and s.wait_type != "Lock"]
    slow = [s for s in running if (s.statement_s or 0.0) >= SLOW_S and not s.application.lower().startswith(_BACKUP)]
    if len(slow) < MANY_SLOW or 2 * len(slow) < len(running):
        return None
    what, n = Counter(f"{s.wait_type}:{s.wait}" if s.wait_type else "CPU" for s in slow).most_common(1)[0]
    longest = max(s.statement_s or 0.0 for s in slow)
    cause = f"{state.name}: {len(slow)} of {len(running)} running statements take over {SLOW_S:.0f} s, "
    cause += f"the longest {longest:.0f} s; {n} wait for {what}"
    finding = _finding(evidence, state, FindingKind.POSTGRES_SLOW_QUERIES, cause, 0.5)
    return finding.model_copy(update={"reason": FindingReason.SLOW}), longest


def _background(state: PostgresState, wait: Waiting) -> bool:
    session = state.session(wait.pid)
    return session is not None and not session.client


def _described(session: Session | None, pid: int) -> str:
    if session is None:
        return f"pid {pid}"
    who = ", ".join(w for w in (session.database, session.user, session.application) if w)
    age = f" for {session.state_s:.0f} s" if session.state_s is not None else ""
    return f"pid {pid} ({who or 'unknown'}; {session.state or 'state unknown'}{age})"


_REFUTED = {
    FindingKind.POSTGRES_CONNECTIONS_FULL: "there are as many connections in quiet hours, and new ones are let in",
    FindingKind.POSTGRES_LOCKED: "nobody waits on a second look, or the waiting sessions are not those of the alert",
    FindingKind.POSTGRES_LONG_TRANSACTION: "it is a report or a backup that runs every day, and nobody waits for it",
    FindingKind.POSTGRES_SLOW_QUERIES: "the same statements run as long on other days",
}


def _finding(evidence: str, state: PostgresState, kind: FindingKind, cause: str, strength: float) -> Finding:
    full = FindingReason.TOO_MANY_CONNECTIONS if kind is FindingKind.POSTGRES_CONNECTIONS_FULL else None
    return Finding(
        kind=kind,
        object=f"postgres/{state.name}",
        cause=cause,
        reason=full,
        strength=strength,
        evidence=(evidence,),
        refuted_by=_REFUTED[kind],
    )
