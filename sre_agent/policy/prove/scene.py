"""One world's requests in z3's terms, together with the other requests that a goal compares them with."""

import copy

from sre_agent.policy.prove.reading import ANSWERING, REMEDIATION, Reading, Ruleset
from sre_agent.policy.prove.risk import NEUTRAL, Step, no_riskier
from sre_agent.policy.prove.solver import Found, Prover, Symbolic, Term
from sre_agent.policy.prove.vocabulary import APPROVALS, Kind, World
from sre_agent.policy.syntax import Names, Unsupported
from sre_agent.policy.whitelist import MOST_APPROVALS

FACTS: Names = ("context", "facts")
CLAIMS: Names = ("context", "claims")


class Scene:
    """Any request of a world, and its siblings: with one more approval, with neutral claims, with safer facts.

    `assumed` are the bounds of everything. Raises Unsupported.
    """

    def __init__(self, rules: Ruleset, world: World) -> None:
        self.world = world
        self.symbols = Symbolic(world)
        self.plain = Reading(rules, world, self.symbols)
        self.siblings: dict[str, Reading[Term]] = {}
        extra: list[tuple[Term, Kind]] = []
        self.safer_relation: tuple[Term, ...] = ()
        if world.name == REMEDIATION:
            self.siblings["approved"] = Reading(rules, world, self.symbols.replacing({APPROVALS: self._one_more()}))
            self.siblings["most"] = Reading(rules, world, self.symbols.given({APPROVALS: MOST_APPROVALS}))
            self.siblings["neutral"] = Reading(rules, world, self.symbols.replacing(self._neutral()))
            safer = self._safer()
            self.siblings["safer"] = Reading(rules, world, self.symbols.replacing({n: t for n, (t, _) in safer.items()}))
            self.safer_relation = tuple(
                no_riskier(self.symbols, Step(n[-1], k), t, self.symbols.symbol(n, k)) for n, (t, k) in safer.items()
            )
            extra = list(safer.values())
        self.assumed = self.symbols.bounds(extra)
        self.prover = Prover(self.assumed)

    @property
    def rules(self) -> Ruleset:
        """The policies it is about."""
        return self.plain.rules

    def having(self, rules: Ruleset) -> "Scene":
        """The same world under other policies of the same schema."""
        other = copy.copy(self)
        other.plain = self.plain.having(rules)
        other.siblings = {name: reading.having(rules) for name, reading in self.siblings.items()}
        return other

    def possible(self, *terms: Term) -> Found | None:
        """Values under which all terms hold. Raises solver.Undecided."""
        return self.prover.possible(*terms)

    def differs_from(self, other: "Scene") -> Term:
        """That some verdict differs: allowed by one only, or refused by both and handed back by one only."""
        one, two = self.plain.allowed(), other.plain.allowed()
        differing = [self._unlike(one, two)]
        if self.world.name == REMEDIATION:
            differing.append(self._unlike(self.handed_back(), other.handed_back()))
        return self.symbols.some(differing)

    def handed_back(self) -> Term:
        """That no count of approvals allows it, and a refusal says that people take over."""
        most = self.siblings["most"]
        return self.symbols.every([self.symbols.negation(most.allowed()), most.refused_for_good()])

    def _unlike(self, one: Term, two: Term) -> Term:
        return self.symbols.negation(self.symbols.equal(one, two))

    def _one_more(self) -> Term:
        held = self.symbols.symbol(APPROVALS, self.world.symbols[APPROVALS])
        return self.symbols.arithmetic("add", held, self.symbols.constant(1))

    def _neutral(self) -> dict[Names, Term]:
        found: dict[Names, Term] = {}
        for names, kind in self.world.symbols.items():
            if names[:2] == CLAIMS:
                if names[-1] not in NEUTRAL:
                    raise Unsupported(f"claim {names[-1]!r} has no neutral value in prove/risk.py")
                value = NEUTRAL[names[-1]]
                found[names] = self.symbols.symbol(value, kind) if isinstance(value, tuple) else self.symbols.constant(value)
        return found

    def _safer(self) -> dict[Names, tuple[Term, Kind]]:
        return {
            names: (self.symbols.named(f"safer.{names[-1]}", kind), kind)
            for names, kind in self.world.symbols.items()
            if names[:2] == FACTS
        }


def scenes(rules: Ruleset) -> tuple[Scene, ...]:
    """The scenes of a ruleset: what the agent may do, and who may approve. Raises Unsupported for any other world."""
    unknown = [w.name for w in rules.worlds if w.name not in (REMEDIATION, ANSWERING)]
    if unknown:
        raise Unsupported(f"schema: nothing is known about requests of the kind {', '.join(unknown)}")
    return tuple(Scene(rules, world) for world in rules.worlds)
