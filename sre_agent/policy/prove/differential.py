"""The same requests to Cedar, to the Python reading and to the z3 reading: whoever answers differently is wrong."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sre_agent.policy.engine import PolicyEngine
from sre_agent.policy.prove.concrete import Concrete, Example, Value
from sre_agent.policy.prove.reading import REMEDIATION, Reading, Ruleset
from sre_agent.policy.prove.requests import answering, example_of, request_of
from sre_agent.policy.prove.solver import Symbolic, truth
from sre_agent.policy.prove.vocabulary import APPROVALS, World
from sre_agent.policy.request import PROBES, Answers, Question, remediation


@dataclass
class Comparison:
    """What came of it: counts, how often each policy decided, and every disagreement in words."""

    requests: int = 0
    answers: int = 0
    allowed: int = 0
    by_z3: int = 0
    decided: Counter[str] = field(default_factory=Counter)
    mismatches: list[str] = field(default_factory=list)

    def __add__(self, other: "Comparison") -> "Comparison":
        return Comparison(
            self.requests + other.requests,
            self.answers + other.answers,
            self.allowed + other.allowed,
            self.by_z3 + other.by_z3,
            self.decided + other.decided,
            self.mismatches + other.mismatches,
        )


def compare(rules: Ruleset, world: World, engine: PolicyEngine, examples: Iterable[Example], z3_every: int) -> Comparison:
    """Ask all of them. The slow z3 reading sees one example in `z3_every`."""
    result = Comparison()
    for number, example in enumerate(examples):
        question = remediation(request_of(example, world)) if world.name == REMEDIATION else answering(example)
        answers = engine.evaluate(question)
        result.requests += 1
        _against_python(result, rules, world, (question, answers))
        if number % z3_every == 0:
            result.by_z3 += 1
            _against_z3(result, rules, world, example_of(question, next(iter(question.contexts)), world))
    return result


def _against_python(result: Comparison, rules: Ruleset, world: World, asked: tuple[Question, Answers]) -> None:
    question, answers = asked
    for probe in answers.probes:
        example = example_of(question, probe.correlation_id, world)
        reading: Reading[Value] = Reading(rules, world, Concrete(example))
        mine = ("Allow", _applying(reading, "permit")) if reading.allowed() else ("Deny", _applying(reading, "forbid"))
        result.answers += 1
        result.allowed += mine[0] == "Allow"
        result.decided.update(mine[1])
        if probe.errors or mine != (probe.decision, probe.policy_ids):
            theirs = (probe.decision, probe.policy_ids, probe.errors)
            result.mismatches.append(f"Cedar says {theirs}, we say {mine}, about {_shown(example)}")


def _against_z3(result: Comparison, rules: Ruleset, world: World, example: Example) -> None:
    counts = PROBES if APPROVALS in world.symbols else (0,)
    for count in counts:
        asked = example.given({APPROVALS: count}) if APPROVALS in world.symbols else example
        ours: Reading[Value] = Reading(rules, world, Concrete(asked))
        theirs = Reading(rules, world, Symbolic(world, asked.values, asked.parents))
        for policy in rules.policies:
            if truth(theirs.satisfied(policy)) is not ours.satisfied(policy):
                result.mismatches.append(f"z3 and Python disagree about {policy.id} for {_shown(asked)}")


def _applying(reading: Reading[Value], effect: str) -> tuple[str, ...]:
    return tuple(sorted(p.id for p in reading.rules.policies if p.effect == effect and reading.satisfied(p)))


def _shown(example: Example) -> str:
    return ", ".join(f"{'.'.join(n)}={v.id if hasattr(v, 'id') else v!r}" for n, v in example.values.items())
