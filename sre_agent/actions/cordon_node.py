"""cordon_node: let a node take no new pods, and mark the cordon as ours. No pod is moved or ended.

Steps, each recorded first: dry_run, cordon (point of no return).
"""

from typing import Any

from sre_agent.evidence.kubernetes.node_surroundings import unmet_for_cordon
from sre_agent.evidence.kubernetes.pod_template import INTENT
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.cordon import Turn
from sre_agent.execution.ledger import Intent
from sre_agent.execution.rollout import WallClock
from sre_agent.execution.single_write import SingleWrite
from sre_agent.incident.clock import Clock
from sre_agent.incident.target import Target


class CordonNode:
    """See the module. `clock` dates how long things have been as they are."""

    name = "cordon_node"
    tier = 1
    undo = "uncordon_node"
    rights = (("patch", "", "nodes"),)
    parameters = NoParameters

    def __init__(self, clock: Clock | None = None) -> None:
        self._turn = Turn(cordon=True, unmet=unmet_for_cordon, clock=clock or WallClock())

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """{name, uid, resource_version}. Refused("node-...") per condition."""
        return await self._turn.precondition(target, bench)

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Write as a dry run, look again, write for real, see it."""
        return await self._write(intent, bench).do(bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look for a cordon that carries our mark; never cordon again."""
        return await self._write(intent, bench).recover(intent, bench)

    def _write(self, intent: Intent, bench: Workbench) -> SingleWrite:
        return self._turn.write(intent.precondition, {INTENT: intent.key}, bench)
