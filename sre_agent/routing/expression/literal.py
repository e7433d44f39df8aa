"""What a tree says word for word: so a table of routes finds those that can hold without asking each."""

from itertools import product
from typing import Final

from sre_agent.routing.expression.tree import Char, Choice, Part, Repeat, Row

MOST: Final = 64
"""So many texts are listed at most."""


def words(part: Part) -> frozenset[str] | None:
    """All texts that fit; None where they are not a few."""
    match part:
        case Char():
            few = sum(high - low + 1 for low, high in part.of) <= MOST
            return frozenset(chr(p) for low, high in part.of for p in range(low, high + 1)) if few else None
        case Row():
            return _rows(part)
        case Choice():
            found = [words(one) for one in part.parts]
            union = frozenset(text for one in found for text in one or ())
            return union if None not in found and len(union) <= MOST else None
        case _:
            return None


def beginning(part: Part) -> str:
    """What every text that fits begins with; "" where that is not sure."""
    found = ""
    for one in part.parts if isinstance(part, Row) else (part,):
        said = words(one) if not isinstance(one, Repeat) else None
        if said is None or len(said) != 1:
            break
        found += next(iter(said))
    return found


def _rows(row: Row) -> frozenset[str] | None:
    found = frozenset({""})
    for one in row.parts:
        said = words(one)
        if said is None or len(found) * len(said) > MOST:
            return None
        found = frozenset(a + b for a, b in product(found, said))
    return found
