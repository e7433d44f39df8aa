"""The parts of an expression. `start` and `end` are offsets (characters) into its text, without brackets around the part."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an expression yields."""

    SCALAR = "a number"
    VECTOR = "an instant vector"
    MATRIX = "a range vector"
    TEXT = "a text"


@dataclass(frozen=True, slots=True)
class Number:
    """A number; a duration in its place counts as seconds."""

    value: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name ("" when only matchers say) and (label, operator, value) triples.

    `range_s`: the length of its range, None for an instant vector. `body_end`: where name and matchers end, before range,
    offset and @.
    """

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    range_s: float | None
    start: int
    body_end: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function over arguments."""

    function: str
    arguments: "tuple[Expression, ...]"
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregation. `kept`: "by", "without" or "" (everything is summed up). `open`: where its first argument's bracket opens;
    `list_open`: where the list of labels opens, -1 without one."""

    operator: str
    argument: "Expression"
    parameter: "Expression | None"
    kept: str
    labels: tuple[str, ...]
    start: int
    end: int
    open: int
    list_open: int


@dataclass(frozen=True, slots=True)
class Matching:
    """How two sides are matched: "on" or "ignoring" labels; `group`: "group_left", "group_right" or "", with labels taken over."""

    how: str
    labels: tuple[str, ...]
    group: str
    included: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides and what is between them. `as_bool`: a comparison that yields 0 and 1 instead of leaving out. `gives`: what it
    yields, told once because long chains are deep."""

    operator: str
    left: "Expression"
    right: "Expression"
    as_bool: bool
    matching: Matching | None
    gives: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Minus:
    """A sign before an expression."""

    operand: "Expression"
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression evaluated over a range."""

    inner: "Expression"
    range_s: float
    start: int
    end: int


Expression = Number | Text | Selector | Call | Aggregate | Binary | Minus | Subquery
COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SETS = frozenset({"and", "or", "unless"})


def children(of: Expression) -> tuple[Expression, ...]:
    """The parts directly below."""
    match of:
        case Call():
            return of.arguments
        case Aggregate():
            return (of.argument,) if of.parameter is None else (of.parameter, of.argument)
        case Binary():
            return of.left, of.right
        case Minus():
            return (of.operand,)
        case Subquery():
            return (of.inner,)
        case _:
            return ()


def walk(of: Expression) -> Iterator[Expression]:
    """The expression and everything below it."""
    yield of
    for child in children(of):
        yield from walk(child)


def selectors(of: Expression) -> Iterator[Selector]:
    """Every selector in it."""
    return (part for part in walk(of) if isinstance(part, Selector))
