"""Sets of characters as ranges of code points, and the classes that have names.

Source: https://github.com/google/re2/wiki/Syntax. What ignores case follows Unicode's simple case
folding (CaseFolding.txt, C and S).
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

Ranges = tuple[tuple[int, int], ...]
"""Sorted, apart from each other, both ends inclusive."""

LAST: Final = 0x10FFFF
ALL: Final[Ranges] = ((0, LAST),)
NO_NEWLINE: Final[Ranges] = ((0, 9), (11, LAST))

_DIGIT: Final = ((48, 57),)
_UPPER: Final = ((65, 90),)
_LOWER: Final = ((97, 122),)
_WORD: Final = (*_DIGIT, *_UPPER, (95, 95), *_LOWER)
PERL: Final[dict[str, Ranges]] = {"d": _DIGIT, "w": _WORD, "s": ((9, 10), (12, 13), (32, 32))}
POSIX: Final[dict[str, Ranges]] = {
    "alnum": (*_DIGIT, *_UPPER, *_LOWER),
    "alpha": (*_UPPER, *_LOWER),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": _LOWER,
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": (*_DIGIT, (65, 70), (97, 102)),
}
_LAST_CASED: Final = 0x1F000
"""No character above this has a case."""


def united(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The ranges in order, those that touch as one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def others(ranges: Ranges) -> Ranges:
    """Every character that is not in them."""
    return tuple(_gaps(ranges))


def _gaps(ranges: Ranges) -> Iterator[tuple[int, int]]:
    begin = 0
    for low, high in ranges:
        if begin < low:
            yield begin, low - 1
        begin = high + 1
    if begin <= LAST:
        yield begin, LAST


def holds(ranges: Ranges, point: int) -> bool:
    """Whether a code point is in them."""
    return any(low <= point <= high for low, high in ranges)


@lru_cache(maxsize=4_096)
def folded(ranges: Ranges) -> Ranges:
    """With every character that is the same but for its case."""
    ascii_only = not ranges or ranges[-1][1] < 128
    orbits = _ascii_orbits() if ascii_only else _orbits()
    more = [(point, point) for orbit in orbits if any(holds(ranges, point) for point in orbit) for point in orbit]
    return united((*ranges, *more))


@lru_cache(maxsize=1)
def _ascii_orbits() -> tuple[tuple[int, ...], ...]:
    """Of a to z; the Kelvin sign is a K, and the long s an s."""
    strange = {"k": (0x212A,), "s": (0x17F,)}
    return tuple((ord(c), ord(c.upper()), *strange.get(c, ())) for c in "abcdefghijklmnopqrstuvwxyz")


@lru_cache(maxsize=1)
def _orbits() -> tuple[tuple[int, ...], ...]:
    """All sets of characters that differ only in case."""
    found: dict[str, list[int]] = {}
    for point in range(_LAST_CASED):
        found.setdefault(_fold(chr(point)), []).append(point)
    return tuple(tuple(orbit) for orbit in found.values() if len(orbit) > 1)


def _fold(char: str) -> str:
    """Simple folding: one character stays one, so the full folding counts only where it is one."""
    full = char.casefold()
    if len(full) == 1:
        return full
    lower = char.lower()
    return lower if len(lower) == 1 else char
