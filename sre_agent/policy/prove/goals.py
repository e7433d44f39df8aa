"""What can be proved: a question to z3 and the answer that must come back.

Impossible: z3 finds no request, so the statement holds for every one there is. Possible: z3 finds one, so the
statement is not empty. Anything else (no answer, a construct not translated) is an error.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sre_agent.policy.prove.concrete import Example
from sre_agent.policy.prove.scene import Scene
from sre_agent.policy.prove.solver import Term
from sre_agent.policy.syntax import expression
from sre_agent.policy.whitelist import Promise


@dataclass(frozen=True)
class Goal:
    """One statement. `number` as in docs/proofs.md; `question` must be impossible, or possible, as `must_be` says."""

    number: str
    name: str
    world: str
    question: Callable[[Scene], tuple[Term, ...]]
    must_be_possible: bool = False


@dataclass(frozen=True)
class Outcome:
    """Whether a goal holds. `found` is the counterexample of one that does not (for impossibilities)."""

    number: str
    name: str
    held: bool
    found: Example | None = None


def check(goal: Goal, scene: Scene) -> Outcome:
    """Ask. Raises solver.Undecided and syntax.Unsupported."""
    found = scene.possible(*goal.question(scene))
    shown = found.example(scene.world, scene.symbols, scene.rules.texts()) if found and not goal.must_be_possible else None
    return Outcome(goal.number, goal.name, (found is not None) is goal.must_be_possible, shown)


def check_all(goals: Iterable[Goal], scenes: Iterable[Scene]) -> tuple[Outcome, ...]:
    """Every goal in its scene."""
    by_name = {scene.world.name: scene for scene in scenes}
    return tuple(check(goal, by_name[goal.world]) for goal in goals)


def promised(promise: Promise, world: str) -> Goal:
    """Nothing is allowed that breaks a promise."""
    return Goal(promise.number, promise.name, world, lambda scene: (scene.plain.allowed(), broken(promise, scene)))


def reachable(number: str, name: str, world: str, conditions: tuple[str, ...]) -> Goal:
    """Something is allowed under all of some conditions."""

    def question(scene: Scene) -> tuple[Term, ...]:
        return (scene.plain.allowed(), *(scene.plain.condition(expression(c)) for c in conditions))

    return Goal(number, name, world, question, must_be_possible=True)


def broken(promise: Promise, scene: Scene) -> Term:
    """That a request is one a promise is about, and does not fulfil it."""
    algebra, reading = scene.symbols, scene.plain
    fulfilled = reading.condition(expression(promise.holds))
    return algebra.every([reading.condition(expression(promise.given)), algebra.negation(fulfilled)])
