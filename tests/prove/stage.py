"""The shipped bundle as the provers need it: loaded once per process."""

import functools
import itertools
import random
from dataclasses import dataclass
from pathlib import Path

from sre_agent.policy.bundle import Bundle
from sre_agent.policy.case import Case, situation
from sre_agent.policy.facts import GuardRequest, Situation
from sre_agent.policy.load import load_bundle, load_cases
from sre_agent.policy.lock import policy_texts
from sre_agent.policy.prove.concrete import Example
from sre_agent.policy.prove.differential import Comparison, compare
from sre_agent.policy.prove.mutants import Mutant, mutants
from sre_agent.policy.prove.reading import ANSWERING, REMEDIATION, Ruleset, read_rules
from sre_agent.policy.prove.requests import example_of
from sre_agent.policy.prove.sampling import Sampler, answering_seed
from sre_agent.policy.prove.scene import Scene, scenes
from sre_agent.policy.prove.trial import Trial
from sre_agent.policy.request import remediation

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"


@dataclass(frozen=True)
class Stage:
    """One bundle: as it is in force, as the prover reads it, and the cases that go with it."""

    bundle: Bundle
    rules: Ruleset
    cases: tuple[tuple[Case, Situation], ...]

    @functools.cached_property
    def scenes(self) -> tuple[Scene, ...]:
        return scenes(self.rules)

    @functools.cached_property
    def trial(self) -> Trial:
        return Trial(self.bundle, self.rules, self.cases)

    @functools.cached_property
    def mutants(self) -> tuple[Mutant, ...]:
        return mutants(self.rules)

    def seeds(self, world: str) -> tuple[Example, ...]:
        """Requests known to be good: those of the golden cases that are allowed, asking people or not."""
        known = self.rules.world(world)
        if world == ANSWERING:
            return (answering_seed(known),)
        good = (s for case, s in self.cases if case.expect.verdict in ("allow", "needs_approval"))
        return tuple(example_of(remediation(_request(s)), "0", known) for s in good)

    def compared(self, world: str, seed: int, count: int, z3_every: int) -> Comparison:
        """`count` requests near the edges, the same ones for the same seed."""
        known = self.rules.world(world)
        sampler = Sampler(self.rules, known, self.seeds(world), random.Random(seed))
        return compare(self.rules, known, self.bundle.engine, itertools.islice(sampler, count), z3_every)


def _request(s: Situation) -> GuardRequest:
    return GuardRequest(agent="a", proposal=s.proposal, declaration=s.declaration, facts=s.facts, claims=s.claims, approvals=0)


@functools.cache
def shipped() -> Stage:
    """The stage of the repository's policies."""
    bundle = load_bundle(POLICIES)
    cases, bases = load_cases(POLICIES)
    rules = read_rules(policy_texts(POLICIES))
    assert {w.name for w in rules.worlds} == {REMEDIATION, ANSWERING}
    return Stage(bundle, rules, tuple((case, situation(case, bases)) for case in cases))
