"""hypothesise: code computes findings and ranks causes, and the reasoner says what it would ask. Calls nobody.

What it would ask is reserved in the checkpoint that this node leaves: the call itself is another node (ask.py).
"""

from collections.abc import Sequence

from sre_agent.investigation.examine import Detector, examine
from sre_agent.investigation.reasoner import Brief, Dialogue, LookAnswer, Reasoner
from sre_agent.investigation.state import Node, State, view_of
from sre_agent.runbook.match import applicable
from sre_agent.runbook.runbook import Runbook
from sre_agent.triage.triage import Triage


def hypothesise(detectors: Sequence[Detector], reasoner: Reasoner, runbooks: Sequence[Runbook]) -> Node:
    """The node, over `detectors`, `reasoner` and `runbooks`."""

    async def node(state: State) -> State:
        view = view_of(state)
        examined = examine(view, detectors, state["planned"])
        brief = Brief(
            scope=view.scope,
            triage=Triage.model_validate(state["triage"]),
            evidence=view.evidence,
            findings=examined.findings,
            root_causes=examined.root_causes,
            outcome=examined.outcome,
            notes=examined.notes,
            runbooks=tuple((r.id, r.title) for r, _ in applicable(examined.standing, runbooks)),
        )
        answers = tuple(LookAnswer.model_validate(a) for a in state["answers"])
        turn = reasoner.prepare(brief, Dialogue.model_validate(state["dialogue"]), answers, state["looked_s"])
        return State(
            examined=examined.model_dump(mode="json"),
            dialogue=turn.dialogue.model_dump(mode="json"),
            asked=[],
            answers=[],
            looked_s=0.0,
            opinion=turn.opinion.model_dump(mode="json") if turn.opinion else None,
        )

    return node


async def decided(state: State) -> bool:
    """True when the reasoner has an opinion. Pure: it routes. (Async, so that no thread is started for it.)"""
    return state["opinion"] is not None
