"""A whole set of policies under one algebra: what is allowed, what is handed back, and who says so.

This is the guard's ladder (policy.guard) as a formula: allowed when a grant applies and no refusal does; handed back
when it is not allowed at any count of approvals and a refusal that applies at the largest count says so.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from sre_agent.policy.lock import SCHEMA, bundle_hash, sha256_text
from sre_agent.policy.prove.translate import Algebra, Translator
from sre_agent.policy.prove.vocabulary import World, worlds
from sre_agent.policy.syntax import Constant, Expression, Like, Policy, policies

T = TypeVar("T")

GROUPS = 12
REMEDIATION = "Remediation"
ANSWERING = "Answering"


@dataclass(frozen=True)
class Ruleset:
    """The enforced policies and the worlds of their schema. `files` says where each policy stands."""

    policies: tuple[Policy, ...]
    worlds: tuple[World, ...]
    files: Mapping[str, str]
    schema: str

    def world(self, name: str) -> World:
        """A world by name. Raises KeyError."""
        return {w.name: w for w in self.worlds}[name]

    def having(self, changed: tuple[Policy, ...]) -> "Ruleset":
        """The same with other policies."""
        return Ruleset(changed, self.worlds, self.files, self.schema)

    def texts(self) -> tuple[str, ...]:
        """Every text constant the policies name, sorted."""
        return tuple(sorted({value for value in self.constants() if isinstance(value, str)}))

    def constants(self) -> tuple[bool | int | str, ...]:
        """Every constant in a condition; the pieces of a wildcard pattern count as texts."""
        nodes = [node for policy in self.policies for node in policy.nodes]
        pieces = [piece for node in nodes if isinstance(node, Like) for piece in node.pieces if piece]
        return (*(node.value for node in nodes if isinstance(node, Constant)), *pieces)


def read_rules(texts: Mapping[str, str]) -> Ruleset:
    """The policies of a folder's texts (policy.lock.policy_texts). Shadow ones decide nothing and are left out.

    Raises Unsupported for anything the prover cannot translate, ValueError when a text does not parse.
    """
    found: list[Policy] = []
    files: dict[str, str] = {}
    for name, text in texts.items():
        if name == SCHEMA:
            continue
        parsed = policies(text)
        if not name.startswith("shadow/"):
            found += parsed
            files |= {p.id: name for p in parsed}
    return Ruleset(tuple(found), worlds(texts[SCHEMA]), files, texts[SCHEMA])


def rules_hash(texts: Mapping[str, str]) -> str:
    """sha256 (hex) over schema and policies, shadow ones included: what a report of the proofs is about."""
    return bundle_hash({name: sha256_text(text) for name, text in texts.items()})


class Reading(Generic[T]):
    """A ruleset's decisions about requests of one world, as terms. `world` may be wider than the ruleset's own."""

    def __init__(self, rules: Ruleset, world: World, algebra: Algebra[T]) -> None:
        own = next((w.groups for w in rules.worlds if w.name == world.name), {})
        self.rules = rules
        self.algebra = algebra
        self._translator = Translator(world, algebra, own)
        self._groups: dict[tuple[int, ...], T] = {}
        self._allowed: T | None = None

    def having(self, rules: Ruleset) -> "Reading[T]":
        """Other policies of the same schema in the same terms; what was translated already is not translated again."""
        other = copy.copy(self)
        other.rules = rules
        other._allowed = None
        return other

    def satisfied(self, policy: Policy) -> T:
        """Whether a policy applies. Raises Unsupported."""
        return self._translator.satisfied(policy)

    def condition(self, expression: Expression) -> T:
        """Any condition about the same request. Raises Unsupported."""
        return self._translator.condition(expression)

    def number(self, expression: Expression) -> T:
        """Any integer expression about the same request. Raises Unsupported."""
        return self._translator.number(expression)

    def allowed(self) -> T:
        """Whether the request is allowed at its own count of approvals."""
        if self._allowed is None:
            granted = self._any(p for p in self.rules.policies if p.effect == "permit")
            refused = self._any(p for p in self.rules.policies if p.effect == "forbid")
            self._allowed = self.algebra.every([granted, self.algebra.negation(refused)])
        return self._allowed

    def refused_for_good(self) -> T:
        """Whether a refusal that hands back applies. (Such a one never reads the approvals: see lint.)"""
        return self._any(p for p in self.rules.policies if p.effect == "forbid" and p.outcome == "hand_back")

    def _any(self, chosen: Iterable[Policy]) -> T:
        """Whether any of them applies. In groups that are kept: most of them stay when one policy changes."""
        groups: dict[int, list[Policy]] = {}
        for policy in chosen:
            groups.setdefault(sum(map(ord, policy.id)) % GROUPS, []).append(policy)
        return self.algebra.some([self._group(tuple(group)) for group in groups.values()])

    def _group(self, group: tuple[Policy, ...]) -> T:
        key = tuple(id(p) for p in group)
        if key not in self._groups:
            self._groups[key] = self.algebra.some([self.satisfied(p) for p in group])
        return self._groups[key]
