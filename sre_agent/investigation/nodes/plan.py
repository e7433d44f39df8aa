"""plan: start from nothing but scope, triage and what was spent before; the first gathering asks every source."""

from sre_agent.evidence.budget import Spend
from sre_agent.investigation.reasoner import Dialogue
from sre_agent.investigation.state import VERSION, State


async def plan(state: State) -> State:
    """Clears whatever an older run left, so that a thread that is started again starts clean. Money does not come back."""
    dialogue = Dialogue(before=Spend.model_validate(state["spent_before"]), spent=Spend.model_validate(state["spent_here"]))
    return State(
        version=VERSION,
        planned=None,
        evidence=[],
        asked=[],
        answers=[],
        looked_s=0.0,
        dialogue=dialogue.model_dump(mode="json"),
        opinion=None,
        remarks=[],
    )
