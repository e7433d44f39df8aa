"""REDIS_EVICTING, _CLIENTS_FULL, _CLIENTS_BLOCKED, _PERSISTENCE_FAILING: what a primary's own INFO says, Sentinel or Cluster.

Pure. Totals since the start are history; what counts is their growth while the node was looked at, and states that hold now.
A cache at its limit throws keys away every day: that counts only when most look-ups miss. Workers of a queue wait in blocking
commands every day: only a pause or a command that holds up all others counts. Field meanings: Redis documentation, INFO.
"""

from collections.abc import Callable, Iterator

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.redis.cluster_health import primaries
from sre_agent.evidence.redis.health import CLIENTS_SHARE, FULL_SHARE, is_down, number, primary_of
from sre_agent.evidence.redis.state import NodeView
from sre_agent.evidence.view import EvidenceView

K = FindingKind
NO_CLIENT_LEFT = 0.98
MISSES = 0.5
HELD_UP_MS, LONG_MS, RECENT_S = 100.0, 1000.0, 900.0
MIN_HELD_UP = 3
# Their time grows with the data; on one thread everybody else waits for them. A late GET is a symptom, not one of these.
_HEAVY = frozenset(
    """keys smembers hgetall hvals hkeys lrange zrange zrangebyscore zrevrange sort sunion sinter sdiff sunionstore sinterstore
    zunionstore zinterstore eval evalsha fcall flushall flushdb del save debug mget lrem linsert bitcount bitop pfcount dump
    restore migrate georadius geosearch xrange""".split()  # noqa: SIM905
)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Every finding about every primary that was seen, strongest first."""
    found = []
    for name, evidence, node in _primaries(view):
        for judge in _JUDGES:
            if (told := judge(node)) is not None:
                kind, cause, strength, reason = told
                found.append(
                    Finding(
                        kind=kind,
                        object=f"redis/{name.lower()}",
                        cause=f"{node.address}: {cause}",
                        reason=reason,
                        strength=strength,
                        evidence=(evidence,),
                        refuted_by=_REFUTED[kind],
                    )
                )
    return tuple(sorted(found, key=lambda f: (-f.strength, f.kind, f.object)))


def _primaries(view: EvidenceView) -> Iterator[tuple[str, str, NodeView]]:
    """(name, evidence id, answer) of each primary that answers; one of a cluster goes by its address."""
    for evidence, state in view.redis():
        primary = primary_of(state)
        if primary is not None and not is_down(primary):
            yield state.name, evidence, primary
    for evidence, cluster in view.redis_clusters():
        for node_id in primaries(cluster):
            seat = cluster.seat(node_id)
            if seat is not None and not is_down(seat.node):
                yield seat.node.address, evidence, seat.node


Told = tuple[FindingKind, str, float, FindingReason | None] | None


def _clients_full(node: NodeView) -> Told:
    used, most = number(node.info, "connected_clients"), number(node.info, "maxclients")
    refused = node.per_s.get("rejected_connections", 0.0)
    if most <= 0 or used < CLIENTS_SHARE * most:
        return None
    full = used >= NO_CLIENT_LEFT * most or refused > 0
    told = f", and {refused:.1f} a second are refused" if refused > 0 else ""
    cause = f"{used:.0f} of {most:.0f} client connections are in use (maxclients){told}"
    return K.REDIS_CLIENTS_FULL, cause, 0.94 if full else 0.6, FindingReason.TOO_MANY_CONNECTIONS


def _evicting(node: NodeView) -> Told:
    limit, used = number(node.info, "maxmemory"), number(node.info, "used_memory")
    policy = str(node.info.get("maxmemory_policy", "noeviction"))
    if limit <= 0 or used < FULL_SHARE * limit or policy == "noeviction":
        return None
    evicted = node.per_s.get("evicted_keys", 0.0 if node.per_s else number(node.info, "evicted_keys"))
    told = node.per_s if "keyspace_misses" in node.per_s else node.info
    hits, misses = number(told, "keyspace_hits"), number(told, "keyspace_misses")
    if evicted <= 0 or hits + misses <= 0 or misses < MISSES * (hits + misses):
        return None
    rate = f"{evicted:.0f} keys a second" if node.per_s else f"{evicted:.0f} keys so far"
    share = f"{misses / (hits + misses):.0%} of look-ups miss"
    return K.REDIS_EVICTING, f"at {used / limit:.0%} of maxmemory it throws away {rate} ({policy}), and {share}", 0.6, None


def _blocked(node: NodeView) -> Told:
    paused = str(node.info.get("paused_actions", "none") or "none")
    if paused != "none":
        why = str(node.info.get("paused_reason", "") or "unknown")[:40]
        return K.REDIS_CLIENTS_BLOCKED, f"clients are paused ({paused[:20]}; reason {why})", 0.7, None
    heavy = [s for s in node.slow if str(s.get("command", "")) in _HEAVY and number(s, "ago_s", RECENT_S + 1) <= RECENT_S]
    late = [s for s in heavy if number(s, "ms") >= HELD_UP_MS]
    if not late or (len(late) < MIN_HELD_UP and max(number(s, "ms") for s in late) < LONG_MS):
        return None
    worst = max(late, key=lambda s: number(s, "ms"))
    cause = f"{len(late)} slow commands in {RECENT_S / 60:.0f} minutes held up all clients; {str(worst['command']).upper()} took "
    cause += f"{number(worst, 'ms'):.0f} ms"
    return K.REDIS_CLIENTS_BLOCKED, cause, 0.7, FindingReason.SLOW


def _persistence(node: NodeView) -> Told:
    saving = str(node.info.get("rdb_last_bgsave_status", "ok"))
    writing = str(node.info.get("aof_last_write_status", "ok"))
    if writing == "err":
        return K.REDIS_PERSISTENCE_FAILING, "aof_last_write_status is err, it should be ok: writes are refused (MISCONF)", 0.9, None
    if saving == "err":
        unsaved = number(node.info, "rdb_changes_since_last_save")
        cause = (
            "rdb_last_bgsave_status is err, it should be ok: writes are refused (MISCONF) unless stop-writes-on-bgsave-error is off"
        )
        return K.REDIS_PERSISTENCE_FAILING, f"{cause}; {unsaved:.0f} changes are not saved", 0.85, None
    return None


_JUDGES: tuple[Callable[[NodeView], Told], ...] = (_clients_full, _evicting, _blocked, _persistence)
_REFUTED = {
    K.REDIS_CLIENTS_FULL: "there are as many clients in quiet hours, and new ones are let in",
    K.REDIS_EVICTING: "there are as many evictions and misses on other days, when nothing was wrong",
    K.REDIS_CLIENTS_BLOCKED: "the same commands take as long on other days, or the pause was asked for and ends by itself",
    K.REDIS_PERSISTENCE_FAILING: "a later save succeeded",
}
