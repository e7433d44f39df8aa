"""What an alert's expression amounts to: what it compares with which numbers, and whether it is a burn rate over two windows."""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sre_agent.rules.promql.tokens import seconds
from sre_agent.rules.promql.tree import COMPARISONS, Binary, Call, Expression, Minus, Number, Selector, Subquery, selectors, walk

_SUFFIX: Final = re.compile(r"_(bucket|count|sum|total|created)$")
_WINDOW: Final = re.compile(r"(?:^|[:_]|rate|ratio|increase|over)((?:[0-9]+(?:ms|[smhdwy]))+)(?=$|[:_])")
_LATENCY: Final = re.compile(r"latency|duration|(^|_)(seconds|milliseconds|ms|ftl|rtt)(_|$)|first_?token|response_time")
_FLIPPED: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_SUMS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(frozen=True)
class Compared:
    """`side` is compared with the number `limit`; `sign` as if the number stood on the right."""

    side: Expression
    sign: str
    limit: float


def number(of: Expression) -> float | None:
    """The number that a constant expression is ("14.4 * 0.001"); None when it is none."""
    if isinstance(of, Number):
        return of.value
    if isinstance(of, Minus):
        inner = number(of.operand)
        return None if inner is None else -inner
    if isinstance(of, Call) and of.function in ("vector", "scalar") and of.arguments:
        return number(of.arguments[0])
    if isinstance(of, Binary) and of.operator in _SUMS:
        left, right = number(of.left), number(of.right)
        if left is None or right is None or (of.operator == "/" and right == 0):
            return None
        return _SUMS[of.operator](left, right)
    return None


def comparisons(of: Expression) -> Iterator[Compared]:
    """What the alert compares with numbers: through and, or, and the left of unless."""
    if not isinstance(of, Binary):
        return
    if of.operator in ("and", "or"):
        yield from comparisons(of.left)
        yield from comparisons(of.right)
    elif of.operator == "unless":
        yield from comparisons(of.left)
    elif of.operator in COMPARISONS:
        left, right = number(of.left), number(of.right)
        if right is not None and left is None:
            yield Compared(of.left, of.operator, right)
        elif left is not None and right is None:
            yield Compared(of.right, _FLIPPED.get(of.operator, of.operator), left)


def family(name: str) -> str:
    """A metric's name without the ending that tells one series of a family from the others."""
    return _SUFFIX.sub("", name)


def window_of(selector: Selector) -> float:
    """The seconds it looks back: its range, or what its recorded name says ("...:ratio_rate5m"); 0.0 when nothing says."""
    if selector.range_s is not None:
        return selector.range_s
    found = _WINDOW.findall(selector.name) if ":" in selector.name else []
    return seconds(found[-1]) if found else 0.0


def windows(of: Expression) -> frozenset[float]:
    """The lengths of time that it looks back over."""
    named = {window_of(selector) for selector in selectors(of)}
    named |= {part.range_s for part in walk(of) if isinstance(part, Subquery)}
    return frozenset(named - {0.0})


def burn_rate(of: Expression) -> bool:
    """Two windows of the same thing must agree: somewhere an `and` joins comparisons that look back over different lengths."""
    return any(isinstance(part, Binary) and part.operator == "and" and _two_windows(part) for part in walk(of))


def _two_windows(of: Binary) -> bool:
    left, right = windows(of.left), windows(of.right)
    same = _bases(of.left) & _bases(of.right)
    return bool(left and right and left != right and same)


def _bases(of: Expression) -> set[str]:
    """Names without their windows."""
    return {_WINDOW.sub("", family(selector.name)) for selector in selectors(of)}


def ratio(of: Expression) -> bool:
    """Series divided by series."""
    return any(isinstance(p, Binary) and p.operator == "/" and any(selectors(p.left)) and any(selectors(p.right)) for p in walk(of))


def latency(of: Expression) -> bool:
    """A quantile, or series that are named after a time something took."""
    return any(
        (isinstance(p, Call) and p.function == "histogram_quantile")
        or (isinstance(p, Selector) and _LATENCY.search(family(p.name)) is not None)
        for p in walk(of)
    )
