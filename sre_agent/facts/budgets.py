"""Facts about what was done lately: the counts of the ledger, actions in flight included."""

from sre_agent.policy.facts import BOUND, Budgets, FactContext


class BudgetFacts:
    """FactCollector over the ledger's counts. Raises what the ledger raises."""

    name = "budgets"

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    async def collect(self, context: FactContext) -> dict[str, object]:
        """All six counts, for the target's place and for its service (PagerDuty's when none is declared)."""
        service = context.declaration.service or context.incident.service.id
        spent = await self._budgets.spent(context.proposal.target.key, service, context.incident.id, context.now)
        return {name: min(count, BOUND) for name, count in spent}
