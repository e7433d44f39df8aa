"""The guard's facts about a PostgreSQL cluster under Patroni, read live. Anything unclear is unmet."""

from sre_agent.evidence.postgres.patroni import identity, problems
from sre_agent.evidence.source import PatroniReader
from sre_agent.policy.facts import FactContext


class PatroniFacts:
    """FactCollector for targets of kind PostgresCluster; {} for any other kind. Raises as the reader does."""

    name = "patroni"

    def __init__(self, reader: PatroniReader) -> None:
        self._reader = reader

    async def collect(self, context: FactContext) -> dict[str, object]:
        """target_resolved, unmet (ids of preconditions that do not hold), touches_behaviour."""
        target = context.proposal.target
        if target.kind != "PostgresCluster":
            return {}
        state = await self._reader.read(target.name)
        unmet = sorted({rule for rule, _ in problems(state, target.uid or "")})
        return {
            "target_resolved": bool(target.uid) and identity(state) == target.uid,
            "unmet": tuple(unmet),
            "touches_behaviour": False,
        }
