"""ask: the one call that was reserved in the checkpoint before. The only node that costs money.

A process that dies in here leaves the reservation behind; whoever continues finds it, charges it as lost, and asks anew
under the same ceilings. So no answer that is in a checkpoint is ever paid for again.
"""

from sre_agent.investigation.reasoner import Dialogue, Reasoner
from sre_agent.investigation.state import Node, State


def ask(reasoner: Reasoner) -> Node:
    """The node, over `reasoner`."""

    async def node(state: State) -> State:
        turn = await reasoner.ask(Dialogue.model_validate(state["dialogue"]))
        return State(
            dialogue=turn.dialogue.model_dump(mode="json"),
            asked=[look.model_dump(mode="json") for look in turn.looks],
            opinion=turn.opinion.model_dump(mode="json") if turn.opinion else None,
        )

    return node


async def answered(state: State) -> bool:
    """True when the reasoner has an opinion; else there are looks to make, or the call has to be made again."""
    return state["opinion"] is not None
