"""plan: start from nothing but scope and triage; the first gathering asks every source."""

from sre_agent.investigation.reasoner import Dialogue
from sre_agent.investigation.state import VERSION, State


async def plan(state: State) -> State:  # noqa: ARG001
    """Clears whatever an older run left, so that a thread that is started again starts clean."""
    return State(
        version=VERSION,
        planned=None,
        evidence=[],
        asked=[],
        answers=[],
        dialogue=Dialogue().model_dump(mode="json"),
        opinion=None,
        remarks=[],
    )
