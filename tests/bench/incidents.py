"""One incident through the whole walk on recorded evidence and doubles that answer at once: what the agent itself costs.

Event, intake, investigation (LangGraph with checkpoints, rules reasoner), facts, guard, note or hand-back; where the verdict
asks for it also the people's answers, the judging again right before the effect, a scripted action, and every look of the
verification until its time is over. The clock is moved, not waited for. Nothing here is mocked that thinks.
"""

import asyncio
import statistics
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
from sre_agent.replay.recorded import recorded_sources
from sre_agent.response.assess import Assessor
from sre_agent.response.record import IncidentRecord, State
from sre_agent.settings.load import fixed
from sre_agent.settings.shipped import shipped
from sre_agent.testing.rooms import ManualClock, MemoryTracker, ScriptedAction, ScriptedInvestigator
from sre_agent.testing.walkthrough import KEY, Walkthrough
from sre_agent.verification.probe import Probes
from sre_agent.wiring import discovery
from sre_agent.wiring.brain import Books
from sre_agent.wiring.recorded import dry_run, replay_books
from tests.bench.cpu import cpu_ms, cpu_ms_of
from tests.bench.verdict import Row, spread
from tests.bench.world import HEALABLE, World

ROUNDS = 7
LIMIT_MS = 150.0


def rows(rounds: int = ROUNDS) -> list[Row]:
    """CPU of the dearest golden case: walked to its end, and in a dry run from its folder to its note."""
    settings = fixed({})
    books = replay_books(settings)
    healed, unhealed, dry = Costs(), Costs(), Costs()
    for turn in range(rounds + 1):
        for folder in case_folders((shipped("incidents"),)):
            run, reading = cpu_ms(partial(dry_run, settings, books, folder))
            _, judging = asyncio.run(cpu_ms_of(run.result()))
            walks = [asyncio.run(_walked(run.case, books, run.assessor, helps=helps)) for helps in (True, False)]
            if turn:  # the first turn pays for what is imported late
                dry.add(run.case.id, reading + judging, "read, investigated, judged, told")
                healed.add(run.case.id, *walks[0])
                unhealed.add(run.case.id, *walks[1])
    return [
        healed.row("one incident: CPU of the whole walk", LIMIT_MS),
        unhealed.row("one incident whose action does not help: the same", None),
        dry.row("dry run of a further case: CPU", LIMIT_MS),
    ]


class Costs:
    """Milliseconds by case, over the rounds, and how the case went."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = {}
        self._went: dict[str, str] = {}

    def add(self, case: str, spent_ms: float, went: str) -> None:
        """One round of one case."""
        self._spent.setdefault(case, []).append(spent_ms)
        self._went[case] = went

    def row(self, what: str, limit_ms: float | None) -> Row:
        """The case that costs most is the one that is judged, by its quietest round."""
        quietest = {case: min(spent) for case, spent in self._spent.items()}
        most = max(quietest, key=lambda case: quietest[case])
        usual = f"the dearest of {len(quietest)} cases; the median case {statistics.median(quietest.values()):.0f} ms"
        seen = f"{most}: {self._went[most]}, quietest of {spread(self._spent[most], ' ms')}; {usual}"
        return Row(what, quietest[most], " ms", limit_ms, seen=seen)


async def _walked(case: Case, books: Books, judge: Assessor, *, helps: bool) -> tuple[float, str]:
    """CPU (ms) of a fresh agent that walks this case to its end, and how that was. `helps`: the action heals the world."""
    walk = _agent(case, books, judge, helps=helps)
    end, spent = await cpu_ms_of(_whole(walk, case, books))
    healed = helps and end.samples and end.proposal is not None and end.proposal.target.kind in HEALABLE
    if healed and end.state is not State.RECOVERED:
        raise SystemExit(f"{case.id} was healed, and that was not seen: {end.reason}")
    return spent, f"{end.state.value} after {len(end.samples)} looks"


async def _whole(walk: Walkthrough, case: Case, books: Books) -> IncidentRecord:
    """A fresh agent hears of this case; its record when the walk is over."""
    await walk.hear(case.incident, EventKind.TRIGGERED, agent=None)
    end = await _to_the_end(walk, case, books)
    if end.decision is None or walk.given_up:
        raise SystemExit(f"{case.id} did not come through: {end.reason}; given up: {walk.given_up}")
    if end.decision.verdict in (Verdict.ALLOW, Verdict.NEEDS_APPROVAL) and not end.samples:
        raise SystemExit(f"{case.id} was allowed and never looked at again: {end.reason}")
    return end


def _agent(case: Case, books: Books, judge: Assessor, *, helps: bool) -> Walkthrough:
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
    tracker = MemoryTracker()
    world = World(case, tracker)
    walk = Walkthrough(
        bundle=books.bundle,
        runbooks=books.runbooks,
        investigator=ScriptedInvestigator(found=_never),
        facts=_never,
        probes=Probes(metrics=world, redis=world, kubernetes=world),
        clock=ManualClock(case.at),
        tracker=tracker,
    )
    walk.responder = replace(walk.responder, assessor=assessor)
    scripted = {name: ScriptedAction(name=name, on_effect=world.heal if helps else None) for name in discovery.actions()}
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
