"""The guard's facts about a Redis master, read live with read credentials.

Anything unclear is answered restrictively. The thresholds are those of the findings (evidence/redis_health.py).
"""

from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.redis.health import judge
from sre_agent.evidence.redis.quorum import (
    down_after_ms,
    failed_over_recently,
    has_quorum,
    in_failover,
    replica_refusal,
    sentinels_agree,
)
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.source import RedisReader
from sre_agent.incident.target import Target
from sre_agent.policy.facts import BOUND, FactContext

INHERITED = frozenset(
    {
        FindingKind.REDIS_MEMORY_FULL,
        FindingKind.REDIS_EVICTING,
        FindingKind.REDIS_OVERLOADED,
        FindingKind.REDIS_CLIENTS_FULL,
        FindingKind.REDIS_CLIENTS_BLOCKED,
        FindingKind.REDIS_PERSISTENCE_FAILING,
    }
)
"""Findings that say: a replica would have the same trouble."""


class RedisTargetFacts:
    """FactCollector for targets of kind RedisMaster; {} for any other kind. Raises Transient or Permanent as the reader does."""

    name = "redis_target"

    def __init__(self, reader: RedisReader) -> None:
        self._reader = reader

    async def collect(self, context: FactContext) -> dict[str, object]:
        """All Redis facts, target_resolved among them."""
        target = context.proposal.target
        if target.kind != "RedisMaster":
            return {}
        state = await self._reader.read(target.name)
        explained = any(f.kind in INHERITED and f.object == f"redis/{target.name.lower()}" for f in context.diagnosis.findings)
        return {
            "target_resolved": _resolved(target, state),
            "unmet": (),
            "touches_behaviour": False,
            "redis_primary_at_fault": judge(state).primary_at_fault and not explained,
            "redis_replica_in_sync": replica_refusal(state) is None,
            "redis_sentinels_agree": sentinels_agree(state) is None and not in_failover(state),
            "redis_quorum": has_quorum(state),
            "redis_recent_failover": sentinels_agree(state) is not None or failed_over_recently(state),
            "redis_down_after_ms": max(0, min(down_after_ms(state), BOUND)),
        }


def _resolved(target: Target, state: RedisState) -> bool:
    """The live primary is the very process the plan was made for."""
    primary = state.primary
    return target.uid is not None and primary is not None and str(primary.info.get("run_id", "")) == target.uid
