"""One recording through the agent's own eyes: sources, redaction, detectors, ranking, summary. Rules only, no model."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sre_agent.evidence.finding import Finding, RootCause
from sre_agent.evidence.view import EvidenceView
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.examine import examine
from sre_agent.investigation.fetch import fetch
from sre_agent.investigation.nodes.propose import rules_summary
from sre_agent.replay.case import Case
from sre_agent.replay.recorded import recorded_sources
from sre_agent.response.assess import scope_of
from sre_agent.triage.triage import Triage
from sre_agent.wiring import discovery
from tests.bench.cpu import cpu_ms
from tests.bench.verdict import Row, spread

_NOBODY = Triage(labelled=AlertClass.UNKNOWN, alert_class=AlertClass.UNKNOWN, owner="", receiver="")


@dataclass(frozen=True)
class Answer:
    """What the agent said of one case. `healthy`: it would leave everything alone. `cpu_ms`: from the sources to the summary."""

    case: str
    causes: tuple[RootCause, ...]
    findings: tuple[Finding, ...]
    healthy: bool
    summary: str
    cpu_ms: float

    @property
    def text(self) -> str:
        """Everything a person would read: the summary and each finding."""
        told = (f"{f.kind.value.replace('_', ' ')} {f.object}: {f.cause}" for f in self.findings)
        return "\n".join([self.summary, *told])

    def place(self, wanted: str) -> int:
        """1 when the first cause is in the object of that name, 2 for the second object, ...; 99 when it is not named."""
        objects = list(dict.fromkeys(cause.object.partition("/")[2] for cause in self.causes))
        return objects.index(wanted.lower()) + 1 if wanted.lower() in objects else 99


def answered(case: Case) -> Answer:
    """The answer to one case; making the case costs nothing here."""
    answer, spent = cpu_ms(partial(asyncio.run, _answered(case)))
    return replace(answer, cpu_ms=spent)


async def _answered(case: Case) -> Answer:
    scope = scope_of(case.incident, case.at)
    view = EvidenceView(scope=scope, evidence=await fetch(recorded_sources(case), scope, 60.0))
    examined = examine(view, discovery.detectors())
    for note in examined.notes:
        print(f"  {case.id}: {note}")
    summary = rules_summary(view, _NOBODY, examined)
    return Answer(case.id, examined.root_causes, examined.findings, examined.outcome.healthy, summary, 0.0)


def warmed(cases: Iterable[Case]) -> list[Answer]:
    """All answers. The first case is asked twice: what is imported late is not its own cost."""
    answers: list[Answer] = []
    for case in cases:
        if not answers:
            answered(case)
        answers.append(answered(case))
    return answers


def ranks(name: str, places: Sequence[int], targets: tuple[float, float]) -> list[Row]:
    """Top-1 and top-3 of one set, as shares."""
    first, three = targets
    return [
        share(f"{name}: root cause named first", [p <= 1 for p in places], first),
        share(f"{name}: root cause in the first three", [p <= 3 for p in places], three),
    ]


def share(what: str, good: Sequence[bool], target: float) -> Row:
    """How many cases went well, as a share of all."""
    return Row(what, sum(good) / len(good), "", target, at_least=True, seen=f"{sum(good)} of {len(good)} cases")


def cost(name: str, answers: Sequence[Answer], limit_ms: float) -> Row:
    """The dearest case of one set."""
    spent = [a.cpu_ms for a in answers]
    return Row(f"{name}: CPU of the dearest case", max(spent), " ms", limit_ms, seen=spread(spent, " ms"))
