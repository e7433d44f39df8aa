"""Small mistakes, made on purpose: each mutant is the shipped policies with one slip of the pen in one of them.

A slip that no proof and no golden case notices would go unnoticed if a person made it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sre_agent.policy.prove.reading import Ruleset
from sre_agent.policy.prove.vocabulary import World
from sre_agent.policy.syntax import Clause, Constant, Entity, Expression, Like, Listed, Operation, Path, Policy, Scope

OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    "less": ("less_eq", "greater"),
    "less_eq": ("less", "greater_eq"),
    "greater": ("greater_eq", "less"),
    "greater_eq": ("greater", "less_eq"),
    "eq": ("not_eq", "less_eq", "greater_eq"),
    "not_eq": ("eq",),
    "and": ("or",),
    "or": ("and",),
    "add": ("mul",),
    "mul": ("add",),
}
"""What each operator is easily confused with. Those that do not fit the operands' kinds are refused at load."""

NEGATED: Final = frozenset({"contains", "is_empty", "in"})


@dataclass(frozen=True)
class Mutant:
    """One slip: which policy, what kind of slip, what it says now (None: it is gone)."""

    policy: str
    slip: str
    now: Policy | None

    def rules(self, before: Ruleset) -> Ruleset:
        """The whole set with the slip in it."""
        changed = (self.now if p.id == self.policy else p for p in before.policies)
        return before.having(tuple(p for p in changed if p is not None))


def mutants(rules: Ruleset) -> tuple[Mutant, ...]:
    """Every mutant of every enforced policy, in a fixed order, none twice."""
    found: dict[tuple[str, Policy | None], Mutant] = {}
    for policy in rules.policies:
        for slip, now in _of(policy, rules):
            if now != policy:
                found.setdefault((policy.id, now), Mutant(policy.id, slip, now))
    return tuple(found.values())


def _of(policy: Policy, rules: Ruleset) -> Iterator[tuple[str, Policy | None]]:
    yield "delete", None
    yield "flip effect", replace(policy, effect="forbid" if policy.effect == "permit" else "permit")
    if policy.outcome:
        other = "deny" if policy.outcome == "hand_back" else "hand_back"
        yield "swap outcome", replace(policy, notes=tuple((n, other if n == "outcome" else v) for n, v in policy.notes))
    yield from _scopes(policy, rules.worlds)
    members = {k.type: k.members for w in rules.worlds for k in w.symbols.values() if k.members}
    for at, clause in enumerate(policy.clauses):
        before, after = policy.clauses[:at], policy.clauses[at + 1 :]
        yield "drop clause", replace(policy, clauses=(*before, *after))
        flipped: Clause = replace(clause, word="unless" if clause.word == "when" else "when")
        yield "when/unless", replace(policy, clauses=(*before, flipped, *after))
        for slip, condition in _conditions(clause.condition, members):
            yield slip, replace(policy, clauses=(*before, replace(clause, condition=condition), *after))


def _scopes(policy: Policy, worlds: tuple[World, ...]) -> Iterator[tuple[str, Policy]]:
    yield "drop scope", replace(policy, principal=Scope())
    yield "drop scope", replace(policy, resource=Scope())
    if policy.actions is None:
        return
    yield "drop scope", replace(policy, actions=None, exact=False)
    if len(policy.actions) > 1:
        for action in policy.actions:
            yield "drop action", replace(policy, actions=tuple(a for a in policy.actions if a != action))
    named = {a.id for a in policy.actions}
    for world in worlds:
        covered = named | {a for g in named for a in world.groups.get(g, ())}
        if covered & set(world.actions):
            for extra in sorted(set(world.actions) - covered):
                added = (*policy.actions, Entity(policy.actions[0].type, extra))
                yield "add action", replace(policy, actions=added, exact=False)
            for group in sorted(named):
                for lost in world.groups.get(group, ()):
                    rest = tuple(Entity(policy.actions[0].type, a) for a in world.groups[group] if a != lost)
                    yield "drop action", replace(policy, actions=rest, exact=False)


def _conditions(node: Expression, members: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Expression]]:
    """Every way to slip once in a condition: at its top, or in one of its parts."""
    yield from _negations(node)
    yield from _slips(node, members)
    match node:
        case Operation(operands=parts):
            for at, part in enumerate(parts):
                for slip, now in _conditions(part, members):
                    yield slip, replace(node, operands=(*parts[:at], now, *parts[at + 1 :]))
        case Listed(items=parts):
            for at, part in enumerate(parts):
                for slip, now in _conditions(part, members):
                    yield slip, Listed((*parts[:at], now, *parts[at + 1 :]))
        case _:
            pass


def _negations(node: Expression) -> Iterator[tuple[str, Expression]]:
    """A boolean leaf negated. (One that is not boolean is refused at load.)"""
    match node:
        case Operation(name="not", operands=(inner,)):
            yield "negate", inner
        case Operation(name=name) if name in NEGATED:
            yield "negate", Operation("not", (node,))
        case Path() | Like():
            yield "negate", Operation("not", (node,))
        case _:
            pass


def _slips(node: Expression, members: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Expression]]:
    match node:
        case Operation(name=name, operands=operands):
            for other in OPERATORS.get(name, ()):
                yield "operator", Operation(other, operands)
            if name in ("and", "or"):
                yield from (("drop half", half) for half in operands)
        case Constant(value=bool(value)):
            yield "constant", Constant(not value)
        case Constant(value=int(value)):
            yield from (("constant", Constant(value + step)) for step in (-1, 1))
        case Constant(value=str(text)):
            yield "constant", Constant(f"{text}x")
        case Entity(type=kind, id=name):
            yield from (("enum", Entity(kind, other)) for other in members.get(kind, ()) if other != name)
        case Like(base=base, pieces=pieces):
            for at, piece in enumerate(pieces):
                if piece:
                    yield "pattern", Like(base, (*pieces[:at], piece[:-1], *pieces[at + 1 :]))
            yield "pattern", Like(base, ("".join(pieces),))
        case Listed(items=items):
            yield from (("drop item", Listed(tuple(i for i in items if i is not item))) for item in items)
        case _:
            pass
