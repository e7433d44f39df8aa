"""Slots that nobody serves, and a primary of a Redis Cluster that is slow while its replicas are fine.

Pure. A slow primary is corroborated by latency series where there are any. What a replica would inherit (memory, load) is never
called a slow primary. The alert's label `redis_node` says which primary is meant: a finding about it carries the cluster's name;
any other sick primary is told under its own address.
"""

from datetime import UTC, datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.rates import Shift, levels, shift
from sre_agent.evidence.redis.cluster_health import judge_shard, named_node, primaries
from sre_agent.evidence.redis.cluster_state import SLOTS, ClusterNode, RedisClusterState, Vantage
from sre_agent.evidence.redis.health import Trouble, number
from sre_agent.evidence.series import Series
from sre_agent.evidence.view import EvidenceView

MIN_SCORE = 3.0
MIN_RATIO = 3.0
SEEN_TWICE, SEEN_ONCE, DISPUTED = 0.92, 0.60, 0.45
INHERITED_STRENGTH = {FindingKind.REDIS_MEMORY_FULL: 0.95, FindingKind.REDIS_OVERLOADED: 0.93}
_KINDS = {
    Trouble.SLOW: FindingKind.REDIS_CLUSTER_PRIMARY_SLOW,
    Trouble.MEMORY_FULL: FindingKind.REDIS_MEMORY_FULL,
    Trouble.OVERLOADED: FindingKind.REDIS_OVERLOADED,
}
_LATE_NAMES = ("latency", "duration", "response_time")
_CUMULATIVE = ("_bucket", "_count", "_sum", "_total")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """Every finding about every primary of every Redis Cluster seen, strongest first."""
    found: list[Finding] = []
    for evidence, state in view.redis_clusters():
        if (gap := _incomplete(evidence, state)) is not None:
            found.append(gap)
        labels = view.scope.incident.label_values("redis_node")
        meant = {named_node(state, label) for label in labels} - {""}
        for node in primaries(state).values():
            finding = _judged(view, evidence, state, node)
            if finding is not None:
                name = state.name.lower() if meant == {node.id} else node.address
                found.append(finding.model_copy(update={"object": f"redis/{name}"}))
    return tuple(sorted(found, key=lambda f: (-f.strength, f.kind, f.object)))


def _incomplete(evidence: str, state: RedisClusterState) -> Finding | None:
    """Slots that nobody serves, as most of the answering nodes say: the view of one that is cut off does not count."""
    seen = state.answering
    failing = [v for v in seen if v.info.get("cluster_state") == "fail" or _uncovered(v)]
    if not failing or len(failing) * 2 <= len(seen):
        return None
    worst = max(failing, key=_uncovered)
    dead = sorted({n.address for v in failing for n in v.nodes if "master" in n.flags and "fail" in n.flags})
    lost = f"{_uncovered(worst)} of {SLOTS} slots are served by nobody"
    down = f"; primaries down: {', '.join(dead[:4])}" if dead else ""
    return Finding(
        kind=FindingKind.REDIS_CLUSTER_INCOMPLETE,
        object=f"redis/{state.name.lower()}",
        cause=f"cluster_state is {worst.info.get('cluster_state', 'unknown')} on {len(failing)} of {len(seen)} nodes: {lost}{down}",
        strength=0.92 if len(seen) > 1 else 0.6,
        evidence=(evidence,),
        refuted_by="most nodes say cluster_state ok on a second look",
    )


def _uncovered(vantage: Vantage) -> int:
    """Slots that are not served, by CLUSTER INFO; 0 when it does not tell."""
    served = number(vantage.info, "cluster_slots_ok", float(SLOTS))
    return max(SLOTS - int(served), 0)


def _judged(view: EvidenceView, evidence: str, state: RedisClusterState, node: ClusterNode) -> Finding | None:
    judgement = judge_shard(state, node.id)
    kind = _KINDS.get(judgement.trouble)
    if kind is None:
        return None
    cause = f"{node.address}: {judgement.why}"
    if kind is not FindingKind.REDIS_CLUSTER_PRIMARY_SLOW:
        refuted = "memory and load are well below their limits on a second look"
        return Finding(
            kind=kind, object="redis/-", cause=cause, strength=INHERITED_STRENGTH[kind], evidence=(evidence,), refuted_by=refuted
        )
    seen = [(e, m) for e, s in view.series() if _about(s, state, node) and (m := shift(levels(s), view.scope.onset)) is not None]
    late = [(e, m) for e, m in seen if _rose(m)]
    strength = SEEN_TWICE if late else DISPUTED if seen else SEEN_ONCE
    text = "measured latency rose near the onset" if late else "no latency series rose with it"
    return Finding(
        kind=kind,
        object="redis/-",
        cause=f"{cause}; {text}",
        onset=datetime.fromtimestamp(min(m.at for _, m in late), UTC) if late else None,
        strength=strength,
        evidence=tuple(dict.fromkeys((evidence, *(e for e, _ in late)))),
        refuted_by="the replicas answer late as well, the main thread is busy, or memory is full",
    )


def _about(series: Series, state: RedisClusterState, node: ClusterNode) -> bool:
    """A latency series of this very node: by its address or id, and by the cluster where that is said."""
    if not any(n in series.name for n in _LATE_NAMES) or series.name.endswith(_CUMULATIVE):
        return False
    if series.labels.get("redis_cluster", state.name) != state.name:
        return False
    told = {series.labels.get(k) for k in ("redis_node", "instance", "addr")}
    return bool(told & {node.address, node.id})


def _rose(moved: Shift) -> bool:
    return moved.score >= MIN_SCORE and moved.ratio >= MIN_RATIO
