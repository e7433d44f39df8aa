"""What a model costs in each case of a set: calls, tokens and how often rules had to take over. The causes are code's either way.

`scripted`: a stand-in that makes four looks in two rounds and answers, counted by our pessimistic estimate. `configured`: the
endpoint of OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL, counted by what it says itself.
"""

import asyncio
import statistics
import time
from collections.abc import Iterable

from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.model_reasoner import ModelReasoner
from sre_agent.investigation.reasoner import Reasoner
from sre_agent.replay.case import Case
from sre_agent.replay.recorded import recorded_sources
from sre_agent.response.assess import scope_of
from sre_agent.settings import Settings
from sre_agent.settings.load import fixed
from sre_agent.testing.reasoning import ScriptedChat, looking_twice
from sre_agent.triage.classify import triage
from sre_agent.wiring import brain, discovery
from sre_agent.wiring.recorded import replay_books
from tests.bench.verdict import Row

MOST_TOKENS, MOST_CALLS = 15_000, 12
DOZENS = frozenset({"nezha_tt"})
"""Sets of dozens of pods with logs each: no typical incident, so their tokens are told and judged by nobody."""


def spent(name: str, cases: Iterable[Case], model: str) -> list[Row]:
    """Median and greatest input tokens of a case, calls, and fallbacks of one set."""
    settings = Settings()
    used = [asyncio.run(_usage(case, model, settings)) for case in cases]
    tokens = [u.input_tokens for u in used]
    lost = [u.fallback for u in used if u.fallback]
    seen = f"greatest {max(tokens):,}; {sum(u.usd for u in used):.4f} USD in all; rules took over in {len(lost)} of {len(used)}"
    return [
        Row(
            f"{name}: input tokens of a case, median ({model})",
            statistics.median(tokens),
            "",
            None if name in DOZENS else MOST_TOKENS,
            seen=seen,
        ),
        Row(f"{name}: calls of a case, most ({model})", max(u.calls for u in used), "", MOST_CALLS),
    ]


async def _usage(case: Case, model: str, settings: Settings) -> ModelUsage:
    sources, books = recorded_sources(case), replay_books(fixed({}))
    reasoner = _reasoner(model, [s.name for s in sources], settings)
    runbooks = tuple(books.runbooks.values())
    built = build_investigator(sources, discovery.detectors(), reasoner, runbooks, source_deadline_s=30.0)
    done = await built.investigate(
        scope_of(case.incident, case.at), triage(case.incident, books.bundle.declared.ownership), case.id
    )
    return done.diagnosis.usage


def _reasoner(model: str, names: list[str], settings: Settings) -> Reasoner:
    if model == "configured":
        return brain.reasoner(settings, names)
    return ModelReasoner(ScriptedChat(looking_twice(names[0])), names, time.monotonic)
