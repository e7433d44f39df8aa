"""Matchers in Alertmanager's syntax: name="value", name!="value", name=~"regular expression", name!~"regular expression".

Source: https://prometheus.io/docs/alerting/latest/configuration/#matcher, and its classic parser for what that page leaves open:
the quotes may be left out, a backslash escapes n, " and itself and stands for itself before anything else, and one text may hold
several matchers with commas between them, in braces or without. A missing label is "".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from sre_agent.routing.expression import Expression, expression

LONGEST: Final = 4_096
"""Characters of one text."""
_FORM: Final = re.compile(r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)[\t\n\f\r ]*(.*?)[\t\n\f\r ]*", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_QUOTE: Final = re.compile(r'((?:[^"\\]|\\.)*)"', re.DOTALL)
_SAID: Final = {"n": "\n", '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class Matcher:
    """One matcher. `operator`: "=", "!=", "=~" or "!~". Raises ValueError for an expression that cannot be read."""

    name: str
    operator: str
    value: str
    _expression: Expression | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_expression", expression(self.value) if self.operator in ("=~", "!~") else None)

    @property
    def words(self) -> frozenset[str] | None:
        """All values that fit its expression, where they are a few."""
        return self._expression.words if self._expression is not None else None

    @property
    def beginning(self) -> str:
        """What each value that fits its expression begins with."""
        return self._expression.beginning if self._expression is not None else ""

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether it holds for an alert's labels."""
        value = labels.get(self.name, "")
        fits = value == self.value if self._expression is None else self._expression.fits(value)
        return fits is not self.operator.startswith("!")


def matcher(text: str) -> Matcher:
    """The one matcher that a text says. Raises ValueError that says what is wrong."""
    found = matchers(text)
    if len(found) != 1:
        raise ValueError(f"{text[:80]!r} is {len(found)} matchers, not one; a value with a comma needs quotes")
    return found[0]


@lru_cache(maxsize=16_384)
def matchers(text: str) -> tuple[Matcher, ...]:
    """All matchers that a text says. Raises ValueError that says what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"a matcher of more than {LONGEST} characters")
    return tuple(_one(part) for part in _parts(text.removeprefix("{").removesuffix("}")))


def all_hold(texts: Iterable[str], labels: Mapping[str, str]) -> bool:
    """Whether all of them hold (none at all: they do). Raises ValueError for one that cannot be read."""
    return all(one.holds(labels) for text in texts for one in matchers(text))


def _parts(text: str) -> Iterator[str]:
    """What stands between commas outside of double quotes; nothing after the last one is no part."""
    begin, quoted, escaped = 0, False, False
    for at, char in enumerate(text):
        if char == "," and not quoted:
            yield text[begin:at]
            begin = at + 1
        elif char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    if text[begin:].strip():
        yield text[begin:]


def _one(text: str) -> Matcher:
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f'{text[:80]!r} is no matcher; write name="value", with =, !=, =~ or !~')
    return Matcher(found[1], found[2], _value(found[3]))


def _value(said: str) -> str:
    """The value without its quotes and escapes."""
    inner = said.removeprefix('"')
    quoted = inner != said
    end = _QUOTE.match(inner)
    if (end is None) is quoted or (end is not None and end.end() != len(inner)):
        raise ValueError(f'{said[:80]} has a double quote too few or too many; write \\" inside the value')
    return _ESCAPE.sub(lambda m: _SAID.get(m[1], m[0]), end[1] if end is not None else inner)
