"""Whether a data store is well after an action on it: pure judgements over one state, and "cannot tell" when unseen."""

from sre_agent.evidence.redis_cluster_health import primaries, topology_problems
from sre_agent.evidence.redis_cluster_state import RedisClusterState


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
