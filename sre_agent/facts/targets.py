"""Facts about the target that owners declared: managed or not, protected or not."""

from sre_agent.policy.declarations import Protected
from sre_agent.policy.facts import FactContext


class TargetFacts:
    """FactCollector over the target's declaration and the list of protected objects. Missing means no."""

    name = "targets"

    def __init__(self, protected: Protected) -> None:
        self._protected = protected

    async def collect(self, context: FactContext) -> dict[str, object]:
        """managed, protected, sentinel_aware."""
        return {
            "managed": context.declaration.managed,
            "protected": self._protected.covers(context.proposal.target),
            "sentinel_aware": context.declaration.sentinel_aware,
        }
