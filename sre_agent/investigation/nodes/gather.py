"""gather: code's own plan the first time, the reasoner's looks afterwards. Reads only."""

from sre_agent.evidence.source import Scope
from sre_agent.investigation.reasoner import Look
from sre_agent.investigation.state import Node, State, evidence_of
from sre_agent.investigation.tools import Looks


def gather(looks: Looks) -> Node:
    """The node, over `looks`."""

    async def node(state: State) -> State:
        scope = Scope.model_validate(state["scope"])
        if state["planned"] is None:
            found = await looks.everything(scope)
            return State(evidence=[e.model_dump(mode="json") for e in found], planned=len(found))
        evidence = evidence_of(state)
        answers = []
        # One after the other: ids must not depend on who answers first.
        for raw in state["asked"]:
            answer, more = await looks.answer(Look.model_validate(raw), scope, evidence)
            answers.append(answer.model_dump(mode="json"))
            evidence = (*evidence, *more)
        return State(evidence=[e.model_dump(mode="json") for e in evidence], answers=answers, asked=[])

    return node
