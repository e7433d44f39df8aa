"""What an expression is made of."""

from dataclasses import dataclass
from enum import StrEnum

from sre_agent.routing.expression.characters import Ranges


class Edge(StrEnum):
    """A place between characters."""

    TEXT_BEGIN = "begin of the text"
    TEXT_END = "end of the text"
    LINE_BEGIN = "begin of a line"
    LINE_END = "end of a line"
    WORD = "edge of a word"
    NO_WORD = "no edge of a word"


@dataclass(frozen=True)
class Char:
    """One character of a set."""

    of: Ranges


@dataclass(frozen=True)
class Place:
    """No character, but a place."""

    edge: Edge


@dataclass(frozen=True)
class Row:
    """One after the other; none is the empty text."""

    parts: "tuple[Part, ...]"


@dataclass(frozen=True)
class Choice:
    """One of them."""

    parts: "tuple[Part, ...]"


@dataclass(frozen=True)
class Repeat:
    """`least` to `most` times (None: without end). `counted`: written with braces."""

    part: "Part"
    least: int
    most: int | None
    counted: bool


Part = Char | Place | Row | Choice | Repeat
