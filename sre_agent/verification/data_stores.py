"""Whether a data store is well after an action on it: pure judgements over one state, and "cannot tell" when unseen."""

from sre_agent.evidence.postgres.patroni import PatroniState, agreed_leader, identity
from sre_agent.evidence.postgres.patroni import topology_problems as patroni_problems
from sre_agent.evidence.redis.cluster_health import primaries, topology_problems
from sre_agent.evidence.redis.cluster_state import RedisClusterState


def redis_cluster_state_ok(state: RedisClusterState, old_primary_id: str | None) -> tuple[bool | None, str]:
    """At least two nodes agree that all slots are served, and the old primary replicates from one that serves some."""
    if not state.answering:
        return None, "no node of the cluster answered"
    for rule, reason in topology_problems(state):
        return (None if rule == "cluster-unseen" else False), reason
    serving = primaries(state)
    if not old_primary_id or old_primary_id in serving:
        return False, "the old primary still serves its slots"
    followed = {n.primary for v in state.answering if (n := v.find(old_primary_id)) is not None}
    if len(followed) != 1 or not followed <= serving.keys():
        return False, "the old primary does not replicate from the new one"
    (new,) = followed
    return True, f"{serving[new].address} serves the slots, {len(state.answering)} nodes agree"


def patroni_state_ok(state: PatroniState, old_identity: str | None) -> tuple[bool | None, str]:
    """At least two members agree on another leader on a newer timeline, and the old leader runs as its replica."""
    if not state.answering:
        return None, "no member of the cluster answered"
    for rule, reason in patroni_problems(state):
        return (None if rule == "patroni-unseen" else False), reason
    _, old, timeline = (old_identity or "::").rsplit(":", 2)
    leader = agreed_leader(state)
    if not old or not timeline.isdigit() or leader is None or leader.name == old or identity(state) == old_identity:
        return False, "the old leader still leads"
    if (leader.timeline or 0) <= int(timeline):
        return False, f"{leader.name} leads, but not on a newer timeline"
    followers = [m for m in state.answering[0].members if m.name != leader.name]
    loose = [m.name for m in followers if m.state not in ("streaming", "running") or m.timeline != leader.timeline]
    return not loose, f"{leader.name} leads on timeline {leader.timeline}; not streaming: {', '.join(loose) or 'nobody'}"
