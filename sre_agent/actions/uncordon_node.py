"""uncordon_node: take back a cordon of our own, once the node has been well for a while. Never anybody else's.

Ours is a cordon that carries our mark and whose field nobody but this agent has written, by the API server's own record of
who wrote what. Steps, each recorded first: dry_run, uncordon (point of no return).
"""

from typing import Any

from sre_agent.evidence.kubernetes.node_surroundings import unmet_for_uncordon
from sre_agent.evidence.kubernetes.pod_template import INTENT
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.cordon import Turn
from sre_agent.execution.ledger import Intent
from sre_agent.execution.rollout import WallClock
from sre_agent.execution.single_write import SingleWrite
from sre_agent.incident.clock import Clock
from sre_agent.incident.target import Target


class UncordonNode:
    """See the module. `clock` dates how long things have been as they are."""

    name = "uncordon_node"
    tier = 1
    undo = "cordon_node"
    rights = (("patch", "", "nodes"),)
    parameters = NoParameters

    def __init__(self, clock: Clock | None = None) -> None:
        self._turn = Turn(cordon=False, unmet=unmet_for_uncordon, clock=clock or WallClock())

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """{name, uid, resource_version}. Refused("node-...") per condition."""
        return await self._turn.precondition(target, bench)

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Write as a dry run, look again, write for real, see it."""
        return await self._write(intent, bench).do(bench)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Look whether the node takes pods again, whoever did it; never uncordon again."""
        return await self._write(intent, bench).recover(intent, bench)

    def _write(self, intent: Intent, bench: Workbench) -> SingleWrite:
        # The mark goes with the cordon: left behind, it could make a person's later cordon look like ours.
        return self._turn.write(intent.precondition, {INTENT: None}, bench)
