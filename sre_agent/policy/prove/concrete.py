"""Policies read with Python values: slow, plain, and independent of Cedar. The oracle of the differential test."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sre_agent.policy.prove.vocabulary import Kind
from sre_agent.policy.syntax import Entity, Names

Value = bool | int | str | Entity | frozenset[str | Entity]
"""What a path of a request holds. A set holds texts or entities."""

LEAST_LONG: Final = -(2**63)
GREATEST_LONG: Final = 2**63 - 1
"""Cedar's integers. Beyond them Cedar raises, and skips the policy."""


@dataclass(frozen=True)
class Example:
    """One request as values: what every path holds, and in which entities an entity is."""

    values: Mapping[Names, Value]
    parents: Mapping[Entity, frozenset[Entity]] = field(default_factory=dict)

    def given(self, changes: Mapping[Names, Value]) -> "Example":
        """The same request with some paths changed."""
        return Example({**self.values, **changes}, self.parents)


class Concrete:
    """The algebra of Python values over one example. Raises OverflowError where Cedar would."""

    def __init__(self, example: Example) -> None:
        self._example = example

    def symbol(self, names: Names, _kind: Kind) -> Value:
        """See Algebra. Raises KeyError when the example does not say."""
        return self._example.values[names]

    def constant(self, value: bool | int | str) -> Value:
        """See Algebra."""
        return value

    def entity(self, value: Entity, _kind: Kind) -> Value:
        """See Algebra."""
        return value

    def negation(self, term: Value) -> Value:
        """See Algebra."""
        return not term

    def every(self, terms: Sequence[Value]) -> Value:
        """See Algebra."""
        return all(terms)

    def some(self, terms: Sequence[Value]) -> Value:
        """See Algebra."""
        return any(terms)

    def equal(self, left: Value, right: Value) -> Value:
        """See Algebra."""
        return left == right

    def at_most(self, left: Value, right: Value) -> Value:
        """See Algebra."""
        return _integer(left) <= _integer(right)

    def arithmetic(self, operator: str, left: Value, right: Value) -> Value:
        """See Algebra. Raises OverflowError."""
        one, two = _integer(left), _integer(right)
        result = one + two if operator == "add" else one * two
        if not LEAST_LONG <= result <= GREATEST_LONG:
            raise OverflowError(f"{one} {operator} {two} does not fit 64 bits")
        return result

    def empty(self, items: Value) -> Value:
        """See Algebra."""
        return items == frozenset()

    def contains(self, items: Value, item: Value) -> Value:
        """See Algebra."""
        if not isinstance(items, frozenset):
            raise TypeError(f"{items!r} is not a set")
        return item in items

    def below(self, child: Value, parent: Value, _kinds: tuple[Kind, Kind]) -> Value:
        """See Algebra."""
        if not isinstance(child, Entity) or not isinstance(parent, Entity):
            raise TypeError(f"{child!r} in {parent!r} is not about entities")
        return child == parent or parent in self._example.parents.get(child, frozenset())

    def matches(self, text: Value, pieces: tuple[str, ...]) -> Value:
        """See Algebra."""
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is not a text")
        return re.fullmatch(".*".join(re.escape(piece) for piece in pieces), text, re.DOTALL) is not None


def _integer(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not an integer")
    return value
