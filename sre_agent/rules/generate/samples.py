"""Label sets that selectors choose, found by trying: what a test feeds to the rules.

A regular expression is met by one of its alternatives made literal; where none is found there is no sample, and no test.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from sre_agent.rules.series_selector import Match, SeriesSelector, compiled, series_selector

Labels = dict[str, str]
_ORDINARY: Final = ("", "ok", "200", "test", "1")
_PIECE: Final = re.compile(
    r"(?P<escape>\\.)|\[(?P<set>\^?(?:[^\]\\]|\\.)+)\]|(?P<any>\.)|(?P<sign>[*+?^$]|\{\d+(?:,\d*)?\})|(?P<plain>.)", re.DOTALL
)
_CLASSES: Final = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}


def both(errors: SeriesSelector, total: SeriesSelector) -> Labels | None:
    """Labels of a series that both select."""
    return _labels((*errors.matches, *total.matches))


def one(matches: Iterable[Match]) -> Labels | None:
    """Labels of a series that the matchers select."""
    return _labels(tuple(matches))


def only(total: SeriesSelector, errors: SeriesSelector) -> Labels | None:
    """Labels of a series that `total` selects and `errors` does not."""
    for match in errors.matches:
        own = [m for m in total.matches if m.label == match.label]
        value = next((v for v in _candidates([*own, match]) if _all(own, v) and not match.holds(v)), None)
        rest = None if value is None else _labels(tuple(m for m in total.matches if m.label != match.label))
        if rest is not None and value is not None:
            return rest | ({match.label: value} if value else {})
    return None


def kept(labels: Labels, by: tuple[str, ...]) -> Labels:
    """The labels with a value for each that the sums keep."""
    return labels | {name: labels.get(name) or "test" for name in by}


def fits(labels: Labels, matches: Iterable[Match]) -> bool:
    """Whether a series with these labels is selected."""
    return all(match.holds(labels.get(match.label, "")) for match in matches)


def plain(text: str) -> SeriesSelector | None:
    """The selector that an expression is; None when it is more than one."""
    try:
        return series_selector(text)
    except ValueError:
        return None


def _labels(matches: tuple[Match, ...]) -> Labels | None:
    found = Labels()
    for label in dict.fromkeys(match.label for match in matches):
        own = [match for match in matches if match.label == label]
        value = next((v for v in _candidates(own) if _all(own, v)), None)
        if value is None:
            return None
        if value:
            found[label] = value
    return found


def _all(matches: list[Match], value: str) -> bool:
    return all(match.holds(value) for match in matches)


def _candidates(matches: Iterable[Match]) -> Iterator[str]:
    for match in matches:
        if match.operator in ("=", "!="):
            yield match.value
        elif compiled(match.value) is not None:
            yield from _literal(match.value)
    yield from _ORDINARY


def _literal(pattern: str) -> Iterator[str]:
    """Each alternative with something in place of its signs; groups are taken as if they were not there."""
    inner = re.sub(r"\(\?[imsU:]+:?", "(", pattern)
    for part in (inner, *re.findall(r"\(([^()]*)\)", inner)):
        for alternative in part.split("|"):
            bare = re.sub(r"(?<!\\)[()]", "", alternative)
            yield "".join(_piece(piece) for piece in _PIECE.finditer(bare))
    heads = re.sub(r"\(([^()|]*)\|[^()]*\)", r"\1", inner)
    yield "".join(_piece(piece) for piece in _PIECE.finditer(re.sub(r"(?<!\\)[()]", "", heads)))


def _piece(piece: re.Match[str]) -> str:
    if piece["escape"]:
        return _CLASSES.get(piece["escape"][1], piece["escape"][1])
    if piece["set"]:
        return "~" if piece["set"].startswith("^") else piece["set"].lstrip("\\")[0]
    if piece["any"]:
        return "0"
    return "" if piece["sign"] else piece["plain"]
