"""gather: code's own plan the first time, the reasoner's looks afterwards, all at once. Reads only."""

import asyncio

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
        asked = [Look.model_validate(raw) for raw in state["asked"]]
        if not asked:
            return State(answers=[], looked_s=0.0)
        clock = asyncio.get_running_loop().time
        started = clock()
        answers, more = await looks.answers(asked, scope, evidence_of(state))
        return State(
            evidence=[*state["evidence"], *(e.model_dump(mode="json") for e in more)],
            answers=[a.model_dump(mode="json") for a in answers],
            asked=[],
            looked_s=max(0.0, clock() - started),
        )

    return node
