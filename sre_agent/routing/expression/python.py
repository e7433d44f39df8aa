"""A tree as an expression for Python's re, and how many ways through it a text can have."""

import re
from typing import Final, assert_never

from sre_agent.routing.expression.characters import ALL, NO_NEWLINE, Ranges
from sre_agent.routing.expression.tree import Char, Choice, Edge, Part, Place, Repeat, Row

_EDGES: Final = {
    Edge.TEXT_BEGIN: r"\A",
    Edge.TEXT_END: r"\Z",
    Edge.LINE_BEGIN: "(?m:^)",
    Edge.LINE_END: "(?m:$)",
    Edge.WORD: r"\b",
    Edge.NO_WORD: r"(?!\b)",  # Python's own does not hold in an empty text.
}


def source(part: Part) -> str:
    """The same for Python, with re.ASCII."""
    match part:
        case Char():
            return _char(part.of)
        case Place():
            return _EDGES[part.edge]
        case Row():
            return "".join(source(one) for one in part.parts)
        case Choice():
            return f"(?:{'|'.join(source(one) for one in part.parts)})"
        case Repeat():
            most = "" if part.most is None else part.most
            return f"(?:{source(part.part)}){{{part.least},{most}}}"
        case _:
            assert_never(part)


def _char(ranges: Ranges) -> str:
    if ranges in (ALL, NO_NEWLINE):
        return "." if ranges == NO_NEWLINE else "(?s:.)"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return re.escape(chr(ranges[0][0]))
    if not ranges:
        return "(?!)"
    return "[" + "".join(_span(low, high) for low, high in ranges) + "]"


def _span(low: int, high: int) -> str:
    return rf"\U{low:08x}" + (rf"-\U{high:08x}" if low < high else "")


def ways(part: Part, length: int, limit: int) -> int:
    """How many ways through the tree a text of so many characters can have at most; more than `limit` is `limit` and one."""
    match part:
        case Char() | Place():
            return 1
        case Row():
            found = 1
            for one in part.parts:
                found = min(found * ways(one, length, limit), limit + 1)
            return found
        case Choice():
            return min(sum(ways(one, length, limit) for one in part.parts), limit + 1)
        case Repeat():
            return _repeated(part, length, limit)
        case _:
            assert_never(part)


def _repeated(repeat: Repeat, length: int, limit: int) -> int:
    each, most = ways(repeat.part, length, limit), length if repeat.most is None else min(repeat.most, length)
    if each == 1:
        return min(max(most - repeat.least, 0) + 1, limit + 1)
    found, times = 0, each ** min(repeat.least, limit.bit_length())
    for _ in range(repeat.least, max(most, repeat.least) + 1):
        found += times
        times *= each
        if found > limit:
            return limit + 1
    return found
