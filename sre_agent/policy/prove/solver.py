"""The only import of z3, and a lazy one: terms, questions, answers. A development tool (extra `sre-agent[prove]`).

Enum values and actions are integers from 0 in their schema's order, other entities their id as a text; a set is an
array to booleans; membership in a team is an uninterpreted relation. Every question carries the bounds of the symbols
it could mention, and an answer that z3 cannot give at a bounded effort is an error, never a proof.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import NewType

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.prove.concrete import Example, Value
from sre_agent.policy.prove.vocabulary import Kind, World
from sre_agent.policy.syntax import Entity, Names

Term = NewType("Term", object)
"""A z3 expression. Opaque outside of this module."""

EFFORT = 50_000_000
"""What one question may cost, in z3's own resource units (a usual one costs some ten thousand): the same on every machine."""
FRESH = "something-else"
"""Stands for any text that no policy names, when a set has to be shown."""


class Undecided(RuntimeError):
    """z3 gave up: nothing is known, so nothing is proved."""


def z3() -> ModuleType:
    """The library. Raises ConfigurationError when it is not installed."""
    try:
        import z3 as library
    except ImportError as error:
        raise ConfigurationError("proofs need z3, which is not installed: pip install 'sre-agent[prove]'") from error
    module: ModuleType = library
    return module


class Symbolic:
    """The algebra of z3 terms over one world's symbols.

    `fixed` puts values in the place of symbols, `replaced` terms: so one request can be compared with another that
    differs from it in some paths. With `parents` the hierarchy is known and not a relation to be found.
    """

    def __init__(
        self,
        world: World,
        fixed: Mapping[Names, Value] | None = None,
        parents: Mapping[Entity, frozenset[Entity]] | None = None,
        replaced: Mapping[Names, Term] | None = None,
    ) -> None:
        self._z3 = z3()
        self._world = world
        self._fixed = dict(fixed or {})
        self._parents = parents
        self._replaced = dict(replaced or {})

    def given(self, fixed: Mapping[Names, Value]) -> "Symbolic":
        """The same with more paths fixed."""
        return Symbolic(self._world, {**self._fixed, **fixed}, self._parents, self._replaced)

    def replacing(self, replaced: Mapping[Names, Term]) -> "Symbolic":
        """The same with terms in the place of some paths."""
        return Symbolic(self._world, self._fixed, self._parents, {**self._replaced, **replaced})

    def symbol(self, names: Names, kind: Kind) -> Term:
        """See Algebra."""
        if names in self._replaced:
            return self._replaced[names]
        if names in self._fixed:
            return self.value(self._fixed[names], kind)
        return self.named(".".join(names), kind)

    def named(self, name: str, kind: Kind) -> Term:
        """A symbol of a name of its own."""
        return Term(self._z3.Const(name, self._sort(kind)))

    def value(self, value: Value, kind: Kind) -> Term:
        """A value of an example as a term."""
        if isinstance(value, Entity):
            return self.entity(value, kind)
        if isinstance(value, frozenset):
            element = kind.element or Kind("String")
            items = self._z3.EmptySet(self._sort(element))
            for item in sorted(value, key=str):
                items = self._z3.SetAdd(items, self.value(item, element))
            return Term(items)
        return self.constant(value)

    def constant(self, value: bool | int | str) -> Term:
        """See Algebra."""
        if isinstance(value, bool):
            return Term(self._z3.BoolVal(value))
        return Term(self._z3.IntVal(value) if isinstance(value, int) else self._z3.StringVal(value))

    def entity(self, value: Entity, kind: Kind) -> Term:
        """See Algebra. An id that is not among the members is a number that no symbol can have."""
        if not kind.members:
            return Term(self._z3.StringVal(value.id))
        return Term(self._z3.IntVal(kind.members.index(value.id) if value.id in kind.members else -1))

    def negation(self, term: Term) -> Term:
        """See Algebra."""
        return Term(self._z3.Not(term))

    def every(self, terms: Sequence[Term]) -> Term:
        """See Algebra."""
        return Term(self._z3.And(list(terms)))

    def some(self, terms: Sequence[Term]) -> Term:
        """See Algebra."""
        return Term(self._z3.Or(list(terms)))

    def equal(self, left: Term, right: Term) -> Term:
        """See Algebra."""
        return Term(left == right)

    def at_most(self, left: Term, right: Term) -> Term:
        """See Algebra."""
        return Term(self._z3.ArithRef.__le__(left, right))

    def arithmetic(self, operator: str, left: Term, right: Term) -> Term:
        """See Algebra."""
        return Term(self._z3.Sum(left, right) if operator == "add" else self._z3.Product(left, right))

    def empty(self, items: Term) -> Term:
        """See Algebra."""
        return Term(items == self._z3.EmptySet(self._z3.ArrayRef.domain(items)))

    def contains(self, items: Term, item: Term) -> Term:
        """See Algebra."""
        return Term(self._z3.IsMember(item, items))

    def below(self, child: Term, parent: Term, kinds: tuple[Kind, Kind]) -> Term:
        """See Algebra."""
        same = [Term(child == parent)] if kinds[0].type == kinds[1].type else []
        if self._parents is not None:
            known = [
                Term(self._z3.And(child == self.entity(one, kinds[0]), parent == self.entity(other, kinds[1])))
                for one, others in self._parents.items()
                for other in others
                if (one.type, other.type) == (kinds[0].type, kinds[1].type)
            ]
            return self.some([*same, *known])
        relation = self._z3.Function(
            f"{kinds[0].type} in {kinds[1].type}", self._sort(kinds[0]), self._sort(kinds[1]), self._z3.BoolSort()
        )
        return self.some([*same, Term(relation(child, parent))])

    def matches(self, text: Term, pieces: tuple[str, ...]) -> Term:
        """See Algebra."""
        library = self._z3
        if len(pieces) == 1:
            return Term(text == library.StringVal(pieces[0]))
        if len(pieces) == 2 and not pieces[1]:
            return Term(library.PrefixOf(library.StringVal(pieces[0]), text))
        anything = library.Full(library.ReSort(library.StringSort()))
        parts = [library.Re(library.StringVal(pieces[0]))]
        for piece in pieces[1:]:
            parts += [anything, library.Re(library.StringVal(piece))]
        return Term(library.InRe(text, library.Concat(*parts)))

    def bounds(self, extra: Iterable[tuple[Term, Kind]] = ()) -> tuple[Term, ...]:
        """That every symbol (and every extra one) is within its kind's bounds."""
        pairs = [(self.symbol(names, kind), kind) for names, kind in self._world.symbols.items()]
        return tuple(bound for term, kind in (*pairs, *extra) for bound in self._bound(term, kind))

    def _bound(self, term: Term, kind: Kind) -> tuple[Term, ...]:
        low, high = (0, len(kind.members) - 1) if kind.members else (kind.low, kind.high)
        if kind.sort == "Long" or kind.members:
            return self.at_most(self.constant(low), term), self.at_most(term, self.constant(high))
        return ()

    def _sort(self, kind: Kind) -> object:
        match kind.sort:
            case "Bool":
                return self._z3.BoolSort()
            case "Long":
                return self._z3.IntSort()
            case "Set":
                return self._z3.SetSort(self._sort(kind.element or Kind("String")))
            case "Entity" if kind.members:
                return self._z3.IntSort()
        return self._z3.StringSort()


class Prover:
    """Asks z3. `assumed` holds for every question: the bounds."""

    def __init__(self, assumed: Iterable[Term] = (), effort: int = EFFORT) -> None:
        self._z3 = z3()
        self._solver = self._z3.Solver()
        self._solver.set("rlimit", effort)
        self._solver.set("random_seed", 1)
        for term in assumed:
            self._solver.add(term)

    def possible(self, *terms: Term) -> "Found | None":
        """Values under which all terms hold, or None when there are none. Raises Undecided when that would cost too much."""
        self._solver.push()
        try:
            for term in terms:
                self._solver.add(term)
            answer = self._solver.check()
            if answer == self._z3.sat:
                return Found(self._solver.model())
            if answer == self._z3.unsat:
                return None
            raise Undecided(f"z3 answered {answer}: {self._solver.reason_unknown()}")
        finally:
            self._solver.pop()


class Found:
    """Values that z3 found."""

    def __init__(self, model: object) -> None:
        self._z3 = z3()
        self._model = model

    def holds(self, term: Term) -> bool:
        """Whether a term is true under them."""
        return bool(self._z3.is_true(self._evaluated(term)))

    def example(self, world: World, symbols: Symbolic, texts: Iterable[str]) -> Example:
        """Them as an example. `texts` are all that the policies name: what a set can be asked about."""
        asked = [*texts, FRESH]
        values: dict[Names, Value] = {}
        # Sets last: what they are asked about includes what the other symbols hold.
        for names, kind in sorted(world.symbols.items(), key=lambda item: item[1].sort == "Set"):
            value = self._value(symbols.symbol(names, kind), kind, asked, symbols)
            values[names] = value
            if not kind.members and isinstance(value, str | Entity):
                asked.append(value if isinstance(value, str) else value.id)
        return Example(values, self._parents(world, symbols, values))

    def _value(self, term: Term, kind: Kind, asked: Sequence[str], symbols: Symbolic) -> Value:
        if kind.sort == "Set":
            element = kind.element or Kind("String")
            inside = [t for t in asked if self.holds(symbols.contains(term, Term(self._z3.StringVal(t))))]
            found = frozenset(t if element.sort == "String" else Entity(element.type, t) for t in inside)
            if not found and not self.holds(symbols.empty(term)):
                found = frozenset({FRESH if element.sort == "String" else Entity(element.type, FRESH)})
            return found
        raw = self._evaluated(term)
        if kind.sort == "Bool":
            return bool(self._z3.is_true(raw))
        if kind.sort == "Long":
            return int(str(raw))
        if kind.members:
            return Entity(kind.type, kind.members[int(str(raw))])
        text = _unescaped(str(self._z3.SeqRef.as_string(raw)))
        return text if kind.sort == "String" else Entity(kind.type, text)

    def _parents(self, world: World, symbols: Symbolic, values: Mapping[Names, Value]) -> dict[Entity, frozenset[Entity]]:
        """Which of the named entities are in which, as far as the relations say so."""
        entities = [(v, world.symbols[n]) for n, v in values.items() if isinstance(v, Entity) and not world.symbols[n].members]
        found: dict[Entity, frozenset[Entity]] = {}
        for child, kind in entities:
            inside = frozenset(
                parent
                for parent, other in entities
                if kind.type != other.type
                and self.holds(symbols.below(symbols.entity(child, kind), symbols.entity(parent, other), (kind, other)))
            )
            if inside:
                found[child] = inside
        return found

    def _evaluated(self, term: Term) -> object:
        return self._z3.ModelRef.eval(self._model, term, model_completion=True)


def truth(term: Term) -> bool:
    """The value of a term without symbols. Raises Undecided when it has any."""
    library = z3()
    simple = library.simplify(term)
    if not (library.is_true(simple) or library.is_false(simple)):
        raise Undecided(f"not a value: {simple}")
    return bool(library.is_true(simple))


def _unescaped(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-fA-F]+)\}", lambda m: chr(int(m[1], 16)), text)
