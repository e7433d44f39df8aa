"""Mutants on trial: who notices the slip? The loader, a proof, a golden case; or z3 proves that there is none.

A slip in a policy about what the agent may do is also put before the real guard, on the real engine, with every
golden case of policies/tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.bundle import Bundle, Rule
from sre_agent.policy.case import Case, differences
from sre_agent.policy.engine import CedarEngine
from sre_agent.policy.facts import Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.lint import lint, vocabulary
from sre_agent.policy.prove.goals import broken
from sre_agent.policy.prove.invariants import APPROVERS, RELATIONS, possibilities, promises
from sre_agent.policy.prove.mutants import Mutant
from sre_agent.policy.prove.reading import REMEDIATION, Ruleset
from sre_agent.policy.prove.scene import Scene, scenes
from sre_agent.policy.prove.solver import Term
from sre_agent.policy.prove.spelling import spelled


@dataclass(frozen=True)
class Fate:
    """What became of a mutant. Each of the first three is who noticed, or ""; `equivalent`: z3 found no difference."""

    policy: str
    slip: str
    by_load: str = ""
    by_invariant: str = ""
    by_case: str = ""
    equivalent: bool = False
    text: str = ""

    @property
    def survived(self) -> bool:
        """Nobody noticed, and it is not the same."""
        return not (self.by_load or self.by_invariant or self.by_case or self.equivalent)


class Trial:
    """One bundle with its golden cases, ready to judge mutants of it."""

    def __init__(self, bundle: Bundle, rules: Ruleset, cases: Sequence[tuple[Case, Situation]]) -> None:
        self._bundle = bundle
        self._rules = rules
        self._cases = tuple(cases)
        self._scenes = {scene.world.name: scene for scene in scenes(rules)}
        self._texts = {p.id: spelled(p) for p in rules.policies}
        self._known = vocabulary("schema", rules.schema)

    def judge(self, mutant: Mutant) -> Fate:
        """The fate of one mutant. Raises solver.Undecided."""
        text = spelled(mutant.now) if mutant.now else ""
        fate = Fate(mutant.policy, mutant.slip, text=text)
        try:
            bundle = self._mutated(mutant, text)
        except (ConfigurationError, ValueError) as error:
            return replace(fate, by_load=str(error).split(": ", 1)[-1])
        changed = mutant.rules(self._rules)
        fate = replace(fate, by_case=self._by_case(bundle, mutant.policy), by_invariant=self._by_invariant(changed))
        if fate.by_case or fate.by_invariant:
            return fate
        return replace(fate, by_invariant=self._by_possibility(changed), equivalent=not self._differs(changed))

    def _mutated(self, mutant: Mutant, text: str) -> Bundle:
        rules: dict[str, Rule] = {i: r for i, r in self._bundle.rules.items() if i != mutant.policy}
        if mutant.now is not None:
            good, wrong = lint("mutant", text, self._known)
            for complaint in wrong:
                raise ConfigurationError(complaint)
            rules[mutant.policy] = good[0]
        texts: Mapping[str, str] = {**self._texts, mutant.policy: text}
        shadow = "\n".join(r.text for r in self._bundle.rules.values() if r.shadow)
        engine = CedarEngine(self._rules.schema, "\n".join(texts.values()), shadow)
        return replace(self._bundle, engine=engine, rules=MappingProxyType(rules))

    def _by_case(self, bundle: Bundle, policy: str) -> str:
        """The first golden case that fails; those about the policy itself are asked first."""
        guard = Guard(bundle, "trial", b"")
        for case, situation in sorted(self._cases, key=lambda pair: policy not in pair[0].expect.because):
            if differences(case, guard.decide(situation)):
                return case.id
        return ""

    def _by_invariant(self, changed: Ruleset) -> str:
        """The first promise or relation that no longer holds."""
        scene = self._scenes[REMEDIATION].having(changed)
        allowed = scene.plain.allowed()
        found = scene.possible(allowed, scene.symbols.some([term for _, term in self._broken]))
        if found is not None:
            return next(name for name, term in self._broken if found.holds(term))
        for goal in (*RELATIONS, *APPROVERS):
            at = self._scenes[goal.world].having(changed)
            if (at.possible(*goal.question(at)) is not None) is not goal.must_be_possible:
                return f"{goal.number} {goal.name}"
        return ""

    def _by_possibility(self, changed: Ruleset) -> str:
        for goal in possibilities():
            at = self._scenes[goal.world].having(changed)
            if at.possible(*goal.question(at)) is None:
                return f"{goal.number} {goal.name}"
        return ""

    def _differs(self, changed: Ruleset) -> bool:
        return any(s.possible(s.having(changed).differs_from(s)) is not None for s in self._scenes.values())

    @cached_property
    def _broken(self) -> tuple[tuple[str, Term], ...]:
        scene: Scene = self._scenes[REMEDIATION]
        return tuple((f"{p.number} {p.name}", broken(p, scene)) for p in promises())
