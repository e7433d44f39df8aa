"""Six sources that take 200 ms each: a whole investigation must cost about one of them, not the six (the quietest round)."""

import asyncio
import time

from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.replay.case import load_case
from sre_agent.replay.recorded import recorded_sources
from sre_agent.response.assess import scope_of
from sre_agent.settings.load import fixed
from sre_agent.settings.shipped import shipped
from sre_agent.triage.classify import triage
from sre_agent.wiring import discovery
from sre_agent.wiring.recorded import replay_books
from tests.bench.verdict import Row, spread

SLOW_S = 0.2
SOURCES = 6
ROUNDS = 7
CASE = "redis-slow-primary"


class SlowSource:
    """A recorded source behind a slow network: the recorded answer, SLOW_S later."""

    def __init__(self, behind: EvidenceSource) -> None:
        self.name = behind.name
        self.kind = behind.kind
        self._behind = behind

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """Wait, then answer."""
        await asyncio.sleep(SLOW_S)
        return await self._behind.gather(scope)


def rows(rounds: int = ROUNDS) -> list[Row]:
    """Wall time of a whole investigation over the slow sources; one after another for comparison."""
    books = replay_books(fixed({}))
    case = load_case(shipped("incidents") / CASE)
    sources = tuple(SlowSource(source) for source in recorded_sources(case)[:SOURCES])
    scope = scope_of(case.incident, case.at)
    judged = triage(case.incident, books.bundle.declared.ownership)
    investigator = build_investigator(
        sources, discovery.detectors(), RulesReasoner(), tuple(books.runbooks.values()), source_deadline_s=5.0
    )

    async def together() -> float:
        began = time.perf_counter()
        found = await investigator.investigate(scope, judged, "bench")
        took = (time.perf_counter() - began) * 1000
        if found.proposal is None:
            raise SystemExit(f"the investigation of {CASE} proposed nothing: {found.reason}")
        return took

    async def one_by_one() -> float:
        began = time.perf_counter()
        for source in sources:
            await source.gather(scope)
        return (time.perf_counter() - began) * 1000

    asyncio.run(together())  # the first run pays for what is imported late
    taken = [asyncio.run(together()) for _ in range(rounds)]
    seen = f"one after another: {asyncio.run(one_by_one()):.0f} ms; quietest of {spread(taken, ' ms')}"
    what = f"gathering: {len(sources)} sources of {SLOW_S * 1000:.0f} ms each, wall"
    return [Row(what, min(taken), " ms", 300.0, seen=seen)]
