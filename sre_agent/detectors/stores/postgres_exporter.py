"""POSTGRES_...: the same troubles as the server's views tell, from postgres_exporter, where metrics are all there is.

Pure. Only what held in the newest samples counts. Metric names: prometheus-community/postgres_exporter, collectors and settings.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.postgres.state import LABELS
from sre_agent.evidence.rates import newest
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

K = FindingKind
LATELY = 3
FULL, NO_CONNECTION_LEFT = 0.9, 0.97
LAG_S, IDLE_S, OPEN_S = 60.0, 600.0, 3600.0
RETAINED = 1024.0**3
MIN_WAITING = 3.0
_ACTIVE = ("pg_replication_slots_active", "pg_replication_slot_slot_is_active", "pg_replication_slot_is_active")
_DATABASE = ("datname", "database")
_NAMES = (*(label for label in LABELS if label not in _DATABASE), "server", "instance", "pod", "service")


@dataclass(frozen=True)
class _Level:
    """One series' newest levels."""

    labels: dict[str, str]
    least: float
    most: float
    evidence: str


@dataclass
class _Server:
    """What one exporter tells, by metric name."""

    name: str
    told: dict[str, list[_Level]] = field(default_factory=lambda: defaultdict(list))

    def of(self, *metrics: str) -> list[_Level]:
        """The levels of the first of these metrics that is told."""
        return next((self.told[m] for m in metrics if m in self.told), [])


Told = tuple[FindingKind, str, float, list[_Level], FindingReason | None]


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding of each kind a server, strongest first."""
    found: dict[tuple[FindingKind, str], Finding] = {}
    for server in _servers(view).values():
        for kind, cause, strength, levels, reason in (t for rule in _RULES for t in rule(server)):
            told = Finding(
                kind=kind,
                object=f"postgres/{server.name.lower()}",
                cause=f"{server.name}: {cause}",
                reason=reason,
                strength=strength,
                evidence=tuple(dict.fromkeys(level.evidence for level in levels)),
                refuted_by="the newest samples are back at their usual level, or the same is seen on other days",
            )
            if (kind, told.object) not in found or found[kind, told.object].strength < strength:
                found[kind, told.object] = told
    return tuple(sorted(found.values(), key=lambda f: (-f.strength, f.kind, f.object)))


def _servers(view: EvidenceView) -> dict[str, _Server]:
    found: dict[str, _Server] = {}
    for evidence, series in view.series():
        name = _name(series) if series.name.startswith("pg_") else ""
        if name and (late := newest(series, view.scope.now, LATELY, gauge=True)):
            level = _Level(series.labels, min(late), max(late), evidence)
            found.setdefault(name, _Server(name)).told[series.name].append(level)
    return found


def _name(series: Series) -> str:
    return next((series.labels[label] for label in _NAMES if series.labels.get(label)), "")


def _down(server: _Server) -> Iterator[Told]:
    down = [level for level in server.of("pg_up") if level.most <= 0]
    if down:
        # One vantage point, the exporter's: it may have the wrong password.
        yield K.POSTGRES_DOWN, "pg_up is 0: the exporter gets no answer", 0.6, down, None


def _connections(server: _Server) -> Iterator[Told]:
    used = server.of("pg_stat_activity_count", "pg_stat_database_numbackends")
    limits = server.of("pg_settings_max_connections")
    total, most = sum(level.least for level in used), min((level.least for level in limits), default=0.0)
    if most > 0 and total >= FULL * most:
        states: dict[str, float] = defaultdict(float)
        for level in used:
            states[level.labels.get("state") or "connected"] += level.least
        by = ", ".join(f"{n:.0f} {state}" for state, n in sorted(states.items(), key=lambda e: (-e[1], e[0]))[:4] if n)
        strength = 0.85 if total >= NO_CONNECTION_LEFT * most else 0.65
        cause = f"{total:.0f} of {most:.0f} connections are in use ({by})"
        yield K.POSTGRES_CONNECTIONS_FULL, cause, strength, [*used, *limits], FindingReason.TOO_MANY_CONNECTIONS


def _locked(server: _Server) -> Iterator[Told]:
    waiting = [level for level in server.of("pg_stat_activity_count") if level.labels.get("wait_event_type") == "Lock"]
    total = sum(level.least for level in waiting)
    if total >= MIN_WAITING:
        yield K.POSTGRES_LOCKED, f"{total:.0f} sessions wait for locks all the time", 0.65, waiting, None


def _transactions(server: _Server) -> Iterator[Told]:
    for level in server.of("pg_stat_activity_max_tx_duration"):
        idle = level.labels.get("state", "").startswith("idle in transaction")
        if level.least >= (IDLE_S if idle else OPEN_S) and level.labels.get("state") != "idle":
            cause = f"a transaction is open for {level.least:.0f} s ({level.labels.get('state') or 'state unknown'})"
            yield K.POSTGRES_LONG_TRANSACTION, cause, 0.55 if idle else 0.45, [level], None


def _replication(server: _Server) -> Iterator[Told]:
    late = [level for level in server.of("pg_replication_lag_seconds", "pg_replication_lag") if level.least >= LAG_S]
    if late:
        worst = max(late, key=lambda level: level.least)
        yield K.POSTGRES_REPLICA_LAG, f"the replica is {worst.least:.0f} s behind", 0.7, [worst], None
    slots = ("pg_replication_slots_pg_wal_lsn_diff", "pg_replication_slot_lag_bytes", "pg_replication_slots_lag_bytes")
    kept = [level for level in server.of(*slots) if level.least >= RETAINED]
    idle = {level.labels.get("slot_name"): level for level in server.of(*_ACTIVE) if level.most <= 0}
    unread = [level for level in kept if level.labels.get("slot_name") in idle]
    if unread:
        worst = max(unread, key=lambda level: level.least)
        slot = worst.labels.get("slot_name")
        cause = f"slot {slot or '-'} has no reader and keeps {worst.least / RETAINED:.1f} GiB of write-ahead log"
        yield K.POSTGRES_WAL_RETAINED, cause, 0.7, [worst, idle[slot]], None


def _read_only(server: _Server) -> Iterator[Told]:
    setting = [level for level in server.of("pg_settings_default_transaction_read_only") if level.least >= 1]
    replica = any(level.most >= 1 for level in server.of("pg_replication_is_replica"))
    if setting and not replica:
        yield K.POSTGRES_READ_ONLY, "default_transaction_read_only is on; it should be off on a primary", 0.7, setting, None


_RULES: tuple[Callable[[_Server], Iterator[Told]], ...] = (
    _down,
    _connections,
    _locked,
    _transactions,
    _replication,
    _read_only,
)
