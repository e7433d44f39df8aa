"""The guard's facts about a primary of a Redis Cluster, read live with read credentials.

Anything unclear is answered restrictively: it is unmet.
"""

from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.redis.cluster_health import primaries, problems
from sre_agent.evidence.source import RedisClusterReader
from sre_agent.policy.facts import FactContext

INHERITED = frozenset({FindingKind.REDIS_MEMORY_FULL, FindingKind.REDIS_OVERLOADED})
"""Findings that say: a replica would have the same trouble."""


class RedisClusterFacts:
    """FactCollector for targets of kind RedisCluster; {} for any other kind. Raises Transient or Permanent as the reader does."""

    name = "redis_cluster"

    def __init__(self, reader: RedisClusterReader) -> None:
        self._reader = reader

    async def collect(self, context: FactContext) -> dict[str, object]:
        """target_resolved, unmet (ids of preconditions that do not hold), touches_behaviour."""
        target = context.proposal.target
        if target.kind != "RedisCluster":
            return {}
        state = await self._reader.read(target.name)
        unmet = {rule for rule, _ in problems(state, target.uid or "")}
        if any(f.kind in INHERITED and f.object == f"redis/{target.name.lower()}" for f in context.diagnosis.findings):
            unmet.add("cluster-primary-not-at-fault")
        resolved = target.uid is not None and target.uid in primaries(state)
        return {"target_resolved": resolved, "unmet": tuple(sorted(unmet)), "touches_behaviour": False}
