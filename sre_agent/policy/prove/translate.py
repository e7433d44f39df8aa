"""The one translation: from a policy's tree to terms of any algebra that has these operations.

Read with z3's terms it is what is proved; read with Python's values it is what the differential test holds against
Cedar. Cedar's errors (missing attribute, overflow, wrong type) do not occur in a well-typed policy within the bounds:
kinds are checked here, attributes against the schema, overflow is a proof of its own (invariant 22).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sre_agent.policy.prove.vocabulary import ACTION, PRINCIPAL, RESOURCE, Kind, World
from sre_agent.policy.syntax import (
    Constant,
    Entity,
    Expression,
    Like,
    Listed,
    Names,
    Operation,
    Path,
    Policy,
    Scope,
    Unsupported,
)

T = TypeVar("T")
A = TypeVar("A")

BOOL, LONG, STRING = Kind("Bool"), Kind("Long"), Kind("String")
ACTION_TYPE = "Sre::Action"


class Algebra(Protocol[T]):
    """What policies are made of. Comparisons get two terms of one kind; `below` asks for membership in a hierarchy."""

    def symbol(self, names: Names, kind: Kind, /) -> T:
        """The value of a path."""
        ...

    def constant(self, value: bool | int | str) -> T:
        """A constant."""
        ...

    def entity(self, value: Entity, kind: Kind, /) -> T:
        """An entity named in a policy."""
        ...

    def negation(self, term: T) -> T:
        """Not."""
        ...

    def every(self, terms: Sequence[T]) -> T:
        """And; true when there are none."""
        ...

    def some(self, terms: Sequence[T]) -> T:
        """Or; false when there are none."""
        ...

    def equal(self, left: T, right: T) -> T:
        """Equality."""
        ...

    def at_most(self, left: T, right: T) -> T:
        """<= of integers."""
        ...

    def arithmetic(self, operator: str, left: T, right: T) -> T:
        """ "add" or "mul" of integers."""
        ...

    def empty(self, items: T) -> T:
        """Is the set empty?"""
        ...

    def contains(self, items: T, item: T) -> T:
        """Is it in the set?"""
        ...

    def below(self, child: T, parent: T, kinds: tuple[Kind, Kind], /) -> T:
        """Is the child the parent, or in it?"""
        ...

    def matches(self, text: T, pieces: tuple[str, ...]) -> T:
        """Does the text match the wildcard pattern?"""
        ...


@dataclass(frozen=True)
class Typed(Generic[T]):
    """A term and its kind."""

    term: T
    kind: Kind


class Translator(Generic[T]):
    """Policies of one world as terms of one algebra. `groups` are the action groups of the policies' own schema."""

    def __init__(self, world: World, algebra: Algebra[T], groups: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._world = world
        self._algebra = algebra
        self._groups = world.groups if groups is None else groups
        # By identity: hashing whole trees costs more than translating them. The policy is kept, so that its id is.
        self._known: dict[int, tuple[Policy, T]] = {}

    def satisfied(self, policy: Policy) -> T:
        """Whether a policy applies to the request: scope and every condition. Raises Unsupported, naming the policy."""
        known = self._known.get(id(policy))
        if known is None:
            try:
                known = self._known[id(policy)] = (policy, self._satisfied(policy))
            except Unsupported as error:
                raise Unsupported(f"policy {policy.id!r}: {error}") from error
        return known[1]

    def condition(self, expression: Expression) -> T:
        """A condition as a term. Raises Unsupported."""
        return self._of(expression, BOOL)

    def number(self, expression: Expression) -> T:
        """An integer expression as a term. Raises Unsupported."""
        return self._of(expression, LONG)

    def _satisfied(self, policy: Policy) -> T:
        algebra = self._algebra
        action = self._action(policy)
        if not action or not (self._fits(policy.principal, PRINCIPAL) and self._fits(policy.resource, RESOURCE)):
            return algebra.constant(False)
        parts = [self._in_actions(action), *self._scope(policy.principal, PRINCIPAL), *self._scope(policy.resource, RESOURCE)]
        if any(part is False for part in parts):
            # Python's values know already that the scope does not fit (z3's terms never are False); most do not.
            return algebra.constant(False)
        for clause in policy.clauses:
            term = self.condition(clause.condition)
            parts.append(term if clause.word == "when" else algebra.negation(term))
        return algebra.every(parts)

    def _action(self, policy: Policy) -> tuple[str, ...]:
        """The actions of this world that the scope names."""
        if policy.actions is None:
            return self._world.actions
        named: set[str] = set()
        for entity in policy.actions:
            named |= {entity.id} if policy.exact else self._members(entity)
        return tuple(a for a in self._world.actions if a in named)

    def _members(self, entity: Entity) -> set[str]:
        return {entity.id, *self._groups.get(entity.id, ())}

    def _in_actions(self, actions: tuple[str, ...]) -> T:
        kind = self._world.symbols[ACTION]
        chosen = self._algebra.symbol(ACTION, kind)
        named = [self._algebra.equal(chosen, self._algebra.entity(Entity(ACTION_TYPE, a), kind)) for a in actions]
        return self._algebra.some(named)

    def _fits(self, scope: Scope, names: Names) -> bool:
        return scope.type in ("", self._world.symbols[names].type)

    def _scope(self, scope: Scope, names: Names) -> list[T]:
        if scope.entity is None:
            return []
        return [self._of(Operation(scope.relation, (Path(names), scope.entity)), BOOL)]

    def _of(self, expression: Expression, wanted: Kind) -> T:
        typed = self._typed(expression)
        if typed.kind.sort != wanted.sort:
            raise Unsupported(f"a {typed.kind.sort} stands where a {wanted.sort} is needed")
        return typed.term

    def _typed(self, expression: Expression) -> Typed[T]:
        match expression:
            case Constant(value=value):
                kind = BOOL if isinstance(value, bool) else LONG if isinstance(value, int) else STRING
                return Typed(self._algebra.constant(value), kind)
            case Entity():
                kind = self._kind_of(expression)
                return Typed(self._algebra.entity(expression, kind), kind)
            case Path(names=names):
                if names not in self._world.symbols:
                    raise Unsupported(f"{'.'.join(names)} is not something a {self._world.name} request has")
                kind = self._world.symbols[names]
                return Typed(self._algebra.symbol(names, kind), kind)
            case Like(base=base, pieces=pieces):
                return Typed(self._algebra.matches(self._of(base, STRING), pieces), BOOL)
            case Operation(name=name, operands=operands):
                return self._operation(name, operands)
            case Listed():
                raise Unsupported("a set written out is supported only under contains and in")

    def _kind_of(self, entity: Entity) -> Kind:
        """The kind of an entity literal: an enum's with its members, if the world has that enum anywhere."""
        known = (k.element or k for k in self._world.symbols.values())
        kind = next((k for k in known if k.sort == "Entity" and k.type == entity.type), Kind("Entity", entity.type))
        if kind.members and entity.id not in kind.members and kind.type != ACTION_TYPE:
            raise Unsupported(f'{entity.type}::"{entity.id}" is not one of {", ".join(kind.members)}')
        return kind

    def _operation(self, name: str, operands: tuple[Expression, ...]) -> Typed[T]:
        algebra = self._algebra
        match name:
            case "not":
                return Typed(algebra.negation(self._of(operands[0], BOOL)), BOOL)
            case "and":
                return Typed(algebra.every([self._of(o, BOOL) for o in operands]), BOOL)
            case "or":
                return Typed(algebra.some([self._of(o, BOOL) for o in operands]), BOOL)
            case "eq":
                return Typed(self._equal(*operands), BOOL)
            case "not_eq":
                return Typed(algebra.negation(self._equal(*operands)), BOOL)
            case "less_eq" | "less" | "greater_eq" | "greater":
                return Typed(self._compared(name, *operands), BOOL)
            case "add" | "mul":
                return Typed(algebra.arithmetic(name, self.number(operands[0]), self.number(operands[1])), LONG)
            case "is_empty":
                return Typed(algebra.empty(self._set(operands[0]).term), BOOL)
            case "contains":
                return Typed(self._contains(*operands), BOOL)
            case "in":
                return Typed(self._below(*operands), BOOL)
        raise Unsupported(f"the operator {name} is not translated")

    def _compared(self, name: str, left: Expression, right: Expression) -> T:
        one, two = self.number(left), self.number(right)
        if name in ("greater_eq", "less"):
            one, two = two, one
        term = self._algebra.at_most(one, two)
        return self._algebra.negation(term) if name in ("less", "greater") else term

    def _equal(self, left: Expression, right: Expression) -> T:
        one, two = self._typed(left), self._typed(right)
        if not one.kind.like(two.kind):
            raise Unsupported(f"compares a {one.kind.sort} {one.kind.type} with a {two.kind.sort} {two.kind.type}")
        return self._algebra.equal(one.term, two.term)

    def _set(self, expression: Expression) -> Typed[T]:
        typed = self._typed(expression)
        if typed.kind.sort != "Set":
            raise Unsupported(f"a {typed.kind.sort} stands where a Set is needed")
        return typed

    def _contains(self, items: Expression, item: Expression) -> T:
        if isinstance(items, Listed):
            return self._algebra.some([self._equal(one, item) for one in items.items])
        whole, one = self._set(items), self._typed(item)
        if whole.kind.element is None or not whole.kind.element.like(one.kind):
            raise Unsupported(f"asks whether a set contains a {one.kind.sort} {one.kind.type}, which it cannot")
        return self._algebra.contains(whole.term, one.term)

    def _below(self, child: Expression, parent: Expression) -> T:
        if isinstance(parent, Listed):
            return self._algebra.some([self._below(child, one) for one in parent.items])
        if child == Path(ACTION):
            if not isinstance(parent, Entity):
                raise Unsupported("action in something that is not an action")
            return self._in_actions(tuple(a for a in self._world.actions if a in self._members(parent)))
        one, two = self._typed(child), self._typed(parent)
        if one.kind.sort != "Entity" or two.kind.sort != "Entity":
            raise Unsupported(f"asks whether a {one.kind.sort} is in a {two.kind.sort}")
        return self._algebra.below(one.term, two.term, (one.kind, two.kind))
