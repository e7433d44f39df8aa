"""Facts about the agent itself: its mode, the kill switch, the freezes in force."""

from sre_agent.incident.errors import SreAgentError
from sre_agent.policy.calendar import Freezes
from sre_agent.policy.facts import FactContext, Halt, ModeSource


class AgentFacts:
    """FactCollector over modes, the kill switch and the freeze calendar."""

    name = "agent"

    def __init__(self, modes: ModeSource, halt: Halt, freezes: Freezes) -> None:
        self._modes = modes
        self._halt = halt
        self._freezes = freezes

    async def collect(self, context: FactContext) -> dict[str, object]:
        """mode, halted, active_freezes."""
        namespace = context.proposal.target.namespace
        return {
            "mode": await self._modes.mode(context.proposal.action, context.declaration.service, context.now),
            "halted": await self._halted(),
            "active_freezes": self._freezes.active(context.now, context.declaration, namespace),
        }

    async def _halted(self) -> bool:
        try:
            return await self._halt.halted()
        except (SreAgentError, OSError):
            # SAFETY: a kill switch whose state cannot be read is engaged.
            return True
