"""The investigation of the histories: the real nodes from evidence to proposal, with a reasoner that lies.

Everything after the gathering is the product's own: redaction, ranking, critique, resolving of the target. What the
model "says" comes from the place's Lies; a forged proposal even changes what code computed.
"""

import asyncio

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.investigation.examine import examine
from sre_agent.investigation.fetch import fetch
from sre_agent.investigation.graph import GraphInvestigator
from sre_agent.investigation.nodes.critique import critique
from sre_agent.investigation.nodes.propose import propose
from sre_agent.investigation.state import State
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.turns import at_once, stop
from sre_agent.triage.triage import Triage
from tests.properties.books import RUNBOOKS
from tests.properties.world import PlaceSource, World, detector, forge, wild_confidence


class WorldInvestigator:
    """response.ports.Investigator over a world. The asynchronous parts of the product run on a loop of their own."""

    def __init__(self, world: World, loop: asyncio.Runner) -> None:
        self._world = world
        self._loop = loop
        self._sources = (PlaceSource(world),)
        self._detectors = (detector(world),)
        self._runbooks = tuple(RUNBOOKS.values())
        self._again = GraphInvestigator(None, self._sources, self._detectors, 5.0, None)

    async def spent(self, thread: str) -> Spend:
        return Spend()

    async def investigate(self, scope: Scope, triage: Triage, thread: str, spent: Spend | None = None) -> Investigated:
        await stop("investigate")
        evidence = self._loop.run(fetch(self._sources, scope, 5.0))
        view = EvidenceView(scope=scope, evidence=evidence)
        live = self._world.of(scope.incident.id)
        state = State(
            scope=scope.model_dump(mode="json"),
            triage=triage.model_dump(mode="json"),
            planned=len(evidence),
            evidence=[e.model_dump(mode="json") for e in evidence],
            examined=examine(view, self._detectors).model_dump(mode="json"),
            opinion=live.lies.opinion.model_dump(mode="json"),
        )
        for node in (critique(self._runbooks), propose(self._runbooks)):
            state = {**state, **at_once(node(state))}
        found = Investigated.model_validate(state["investigated"])
        await stop("investigate done")
        diagnosis = found.diagnosis.model_copy(update=wild_confidence(live.lies))
        return found.model_copy(update={"diagnosis": diagnosis, "proposal": forge(found.proposal, live, scope.incident.id)})

    async def reexamine(self, scope: Scope, before: Diagnosis) -> Diagnosis:
        await stop("reexamine")
        after = self._loop.run(self._again.reexamine(scope, before))
        await stop("reexamine done")
        return after
