"""REDIS_...: the same troubles as INFO tells, from the metrics of redis_exporter, where metrics are all there is.

Pure. Only what held in the newest samples counts; what recovered is left alone. Of evictions and blocked clients, which some
caches and queues have every day, only a rise near the onset counts. Metric names: oliver006/redis_exporter, README.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.rates import Shift, levels, newest, shift
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

K = FindingKind
PREFIX = "redis_"
LATELY = 3
FULL, NO_CLIENT_LEFT, MEMORY_FULL = 0.9, 0.98, 0.95
MIN_SCORE, MIN_RATIO = 3.0, 3.0
MIN_EVICTED_S, MIN_BLOCKED = 1.0, 10.0
_NAMES = ("redis_master", "redis_cluster", "redis", "addr", "instance", "pod", "service")


@dataclass
class _Node:
    """The newest levels of one exporter's metrics, and the ids of the evidence that they are from."""

    name: str
    late: dict[str, tuple[float, ...]] = field(default_factory=dict)
    moved: dict[str, Shift | None] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def least(self, metric: str) -> float | None:
        """The least of the newest levels; None without any."""
        return min(self.late[metric], default=None) if metric in self.late else None

    def share(self, part: str, whole: str) -> float:
        """The newest levels' ratio; 0 where either is unknown or there is no limit."""
        most = self.least(whole)
        return (self.least(part) or 0.0) / most if most else 0.0

    def rose(self, metric: str, least: float) -> bool:
        """It is at `least` or above now, and rose near the onset to a multiple of itself."""
        found = self.moved.get(metric)
        up = found is not None and found.score >= MIN_SCORE and found.ratio >= MIN_RATIO
        return up and (self.least(metric) or 0.0) >= least


Told = tuple[FindingKind, str, float, tuple[str, ...], FindingReason | None] | None


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Every finding about every Redis that an exporter tells of, strongest first."""
    nodes = _nodes(view)
    told = [(node, t) for node in nodes.values() for rule in _RULES if (t := rule(node)) is not None]
    # SAFETY: a failover can follow from a primary that is down. Where it was asked itself, its own answer says so, not an exporter.
    asked = {state.name for _, state in view.redis()}
    told = [(node, t) for node, t in told if t[0] is not K.REDIS_PRIMARY_DOWN or node.name not in asked]
    found = [
        Finding(
            kind=kind,
            object=f"redis/{node.name.lower()}",
            cause=f"{node.name}: {cause}",
            reason=reason,
            onset=_onset(node, metrics),
            strength=strength,
            evidence=tuple(dict.fromkeys(node.ids[m] for m in metrics if m in node.ids)),
            refuted_by="the newest samples are back at their usual level, or the same is seen on other days",
        )
        for node, (kind, cause, strength, metrics, reason) in told
    ]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.kind, f.object)))


def _nodes(view: EvidenceView) -> dict[str, _Node]:
    known = {node.address: state.name for _, state in view.redis() for node in state.nodes if state.primary is node}
    found: dict[str, _Node] = defaultdict(lambda: _Node(""))
    for evidence, series in view.series():
        name = _name(series) if series.name.startswith(PREFIX) else ""
        gauge = not series.name.endswith("_total")
        late = newest(series, view.scope.now, LATELY, gauge=gauge) if name else ()
        if not late:
            continue
        node, metric = found[known.get(name, name)], series.name.removeprefix(PREFIX)
        node.name = known.get(name, name)
        # One master's nodes may share a name: the worst of them would be mixed up with the best, so the first told counts.
        if metric not in node.late:
            node.late[metric], node.ids[metric] = late, evidence
            if metric in ("evicted_keys_total", "blocked_clients", "rejected_connections_total"):
                node.moved[metric] = shift(series.finite() if gauge else levels(series), view.scope.onset)
    return found


def _name(series: Series) -> str:
    return next((series.labels[label] for label in _NAMES if series.labels.get(label)), "").removeprefix("redis://")


def _onset(node: _Node, metrics: tuple[str, ...]) -> datetime | None:
    began = [s.at for m in metrics if (s := node.moved.get(m)) is not None]
    return datetime.fromtimestamp(min(began), UTC) if began else None


def _down(node: _Node) -> Told:
    if "up" not in node.late or max(node.late["up"]) > 0:
        return None
    # One vantage point, the exporter's: it may have the wrong password.
    return K.REDIS_PRIMARY_DOWN, "redis_up is 0: the exporter gets no answer", 0.55, ("up",), None


def _memory(node: _Node) -> Told:
    share = node.share("memory_used_bytes", "memory_max_bytes")
    if share < MEMORY_FULL or (node.least("evicted_keys_total") or 0.0) > 0:
        return None
    cause = f"redis_memory_used_bytes is {share:.0%} of redis_memory_max_bytes, and nothing is evicted"
    return K.REDIS_MEMORY_FULL, cause, 0.7, ("memory_used_bytes", "memory_max_bytes"), None


def _evicting(node: _Node) -> Told:
    if not node.rose("evicted_keys_total", MIN_EVICTED_S):
        return None
    cause = (
        f"it throws away {node.least('evicted_keys_total') or 0.0:.0f} keys a second since the onset, many times as many as before"
    )
    return K.REDIS_EVICTING, cause, 0.65, ("evicted_keys_total",), None


def _clients(node: _Node) -> Told:
    limit = "config_maxclients" if "config_maxclients" in node.late else "max_clients"
    share = node.share("connected_clients", limit)
    refused = node.least("rejected_connections_total") or 0.0
    if share < FULL and refused <= 0:
        return None
    cause = f"redis_connected_clients is {share:.0%} of maxclients" if share >= FULL else "connections are rejected"
    cause += f", {refused:.1f} a second are rejected" if refused > 0 else ""
    strength = 0.85 if share >= NO_CLIENT_LEFT or refused > 0 else 0.6
    metrics = ("connected_clients", limit, "rejected_connections_total")
    return K.REDIS_CLIENTS_FULL, cause, strength, metrics, FindingReason.TOO_MANY_CONNECTIONS


def _blocked(node: _Node) -> Told:
    if not node.rose("blocked_clients", MIN_BLOCKED):
        return None
    waiting = node.least("blocked_clients") or 0.0
    cause = f"{waiting:.0f} clients wait in blocking commands since the onset, many times as many as before"
    return K.REDIS_CLIENTS_BLOCKED, cause, 0.5, ("blocked_clients",), None


def _persistence(node: _Node) -> Told:
    for metric in ("aof_last_write_status", "rdb_last_bgsave_status"):
        if metric in node.late and max(node.late[metric]) <= 0:
            cause = f"redis_{metric} is 0, it should be 1: writes are refused (MISCONF) while it cannot save"
            return K.REDIS_PERSISTENCE_FAILING, cause, 0.8, (metric,), None
    return None


def _link(node: _Node) -> Told:
    if "master_link_up" in node.late and max(node.late["master_link_up"]) <= 0:
        return (
            K.REDIS_REPLICATION_BROKEN,
            "redis_master_link_up is 0: this replica has lost its primary",
            0.6,
            ("master_link_up",),
            None,
        )
    return None


def _cluster(node: _Node) -> Told:
    if "cluster_state" in node.late and max(node.late["cluster_state"]) <= 0:
        return K.REDIS_CLUSTER_INCOMPLETE, "redis_cluster_state is 0 (fail): slots are not served", 0.7, ("cluster_state",), None
    return None


_RULES: tuple[Callable[[_Node], Told], ...] = (_down, _memory, _evicting, _clients, _blocked, _persistence, _link, _cluster)
