"""One incident through the whole walk on recorded evidence and doubles that answer at once: what the agent itself costs.

Event, intake, investigation (LangGraph with checkpoints, rules reasoner), facts, guard, note or hand-back; where the verdict
asks for it also the people's answers, the judging again right before the effect, a scripted action, and every look of the
verification until its time is over. The clock is moved, not waited for. Nothing here is mocked that thinks.
"""

import asyncio
import statistics
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NoReturn

from sre_agent.approval.decide import Approvers
from sre_agent.execution.action import Readers
from sre_agent.execution.executor import Executor, Tools
from sre_agent.execution.hands import Hands
from sre_agent.incident.event import EventKind
from sre_agent.investigation.graph import build_investigator, lock_down
from sre_agent.investigation.rules import RulesReasoner
from sre_agent.policy.decision import Verdict
from sre_agent.replay.case import Case, case_folders
from sre_agent.replay.recorded import RecordedKubernetes, RecordedRedis, recorded_sources
from sre_agent.response.assess import Assessor
from sre_agent.response.record import IncidentRecord, State
from sre_agent.settings.load import fixed
from sre_agent.settings.shipped import shipped
from sre_agent.testing.rooms import ManualClock, ScriptedAction, ScriptedInvestigator
from sre_agent.testing.walkthrough import KEY, Walkthrough
from sre_agent.verification.probe import Probes
from sre_agent.wiring import discovery
from sre_agent.wiring.brain import Books
from sre_agent.wiring.recorded import dry_run, replay_books
from tests.bench.cpu import cpu_ms, cpu_ms_of
from tests.bench.verdict import Row, spread

REPEATS = 5


def rows(repeats: int = REPEATS) -> list[Row]:
    """CPU of the dearest golden case: walked to its end, and in a dry run from its folder to its note."""
    settings = fixed({})
    books = replay_books(settings)
    walked: dict[str, list[float]] = {}
    dry: dict[str, list[float]] = {}
    ends: dict[str, IncidentRecord] = {}
    for turn in range(repeats + 1):
        for folder in case_folders((shipped("incidents"),)):
            run, reading = cpu_ms(partial(dry_run, settings, books, folder))
            _, judging = asyncio.run(cpu_ms_of(run.result()))
            agent = _agent(run.case, books, run.assessor)
            ends[run.case.id], walking = asyncio.run(cpu_ms_of(_whole(agent, run.case, books)))
            if turn:  # the first turn pays for what is imported late
                walked.setdefault(run.case.id, []).append(walking)
                dry.setdefault(run.case.id, []).append(reading + judging)
    most = _dearest(walked)
    end = ends[most]
    return [
        _row("one incident: CPU of the whole walk", walked, f"ended {end.state.value} after {len(end.samples)} looks"),
        _row("dry run of a further case: CPU", dry, "read, investigated, judged, told"),
    ]


def _dearest(costs: Mapping[str, list[float]]) -> str:
    return max(costs, key=lambda case: statistics.median(costs[case]))


def _row(what: str, costs: Mapping[str, list[float]], how: str) -> Row:
    most = _dearest(costs)
    usual = statistics.median(statistics.median(spent) for spent in costs.values())
    seen = f"{most} ({how}; {spread(costs[most], ' ms')}), the dearest of {len(costs)} cases; the median case {usual:.0f} ms"
    return Row(what, statistics.median(costs[most]), " ms", 150.0, seen=seen)


async def _whole(walk: Walkthrough, case: Case, books: Books) -> IncidentRecord:
    """A fresh agent hears of this case; its record when the walk is over."""
    await walk.hear(case.incident, EventKind.TRIGGERED, agent=None)
    end = await _to_the_end(walk, case, books)
    if end.decision is None or walk.given_up:
        raise SystemExit(f"{case.id} did not come through: {end.reason}; given up: {walk.given_up}")
    if end.decision.verdict in (Verdict.ALLOW, Verdict.NEEDS_APPROVAL) and not end.samples:
        raise SystemExit(f"{case.id} was allowed and never looked at again: {end.reason}")
    return end


def _agent(case: Case, books: Books, judge: Assessor) -> Walkthrough:
    """A walk over memory with the real judge of this case, as the wiring would put it together once per process."""
    lock_down()
    from langgraph.checkpoint.memory import InMemorySaver

    investigator = build_investigator(
        recorded_sources(case),
        discovery.detectors(),
        RulesReasoner(),
        tuple(books.runbooks.values()),
        source_deadline_s=5.0,
        checkpointer=InMemorySaver(),
    )
    assessor = replace(judge, investigator=investigator, guard=books.guard(KEY))
    walk = Walkthrough(
        bundle=books.bundle,
        runbooks=books.runbooks,
        investigator=ScriptedInvestigator(found=_never),
        facts=_never,
        probes=Probes(redis=RecordedRedis(case), kubernetes=RecordedKubernetes(case)),
        clock=ManualClock(case.at),
    )
    walk.responder = replace(walk.responder, assessor=assessor)
    scripted = {name: ScriptedAction(name=name) for name in discovery.actions()}
    executor = Executor(scripted, walk.ledger, Tools(Hands(), Readers(), walk.clock.sleep), KEY, walk.clock)
    walk.operator = replace(walk.operator, assessor=assessor, executor=executor)
    return walk


def _never(*_: object) -> NoReturn:
    """The doubles of the walkthrough that this benchmark replaces."""
    raise SystemExit("a scripted answer was asked for; the real parts were to be measured")


async def _to_the_end(walk: Walkthrough, case: Case, books: Books) -> IncidentRecord:
    """Answer what is asked, act, and let time pass from one due job to the next until the walk is over."""
    record = await walk.record(case.incident.id)
    if record.state is State.AWAITING_APPROVAL:
        await _approve(walk, record, books)
    while not (record := await walk.record(case.incident.id)).state.final:
        if not walk.store.jobs:
            raise SystemExit(f"{case.id} hangs in state {record.state.value}; given up: {walk.given_up}")
        due = min(job.at or walk.clock.now() for job in walk.store.jobs)
        walk.clock.advance(max(0.0, (due - walk.clock.now()).total_seconds()))
        await walk.settle()
    return record


async def _approve(walk: Walkthrough, record: IncidentRecord, books: Books) -> None:
    """As many people say yes as the question asks for, each of whom the policies let."""
    question = await walk.store.approval(record.approval_id or "")
    if question is None or record.proposal is None:
        raise SystemExit(f"{record.id} waits for an answer to no question")
    judge = Approvers(books.bundle)
    people = [p.id for p in books.bundle.declared.people.people]
    willing = [p for p in people if judge.eligible(question, p, walk.clock.now()).verdict is Verdict.ALLOW]
    for person in willing[: question.required]:
        await walk.answer(record.id, person)
