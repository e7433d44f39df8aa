"""Matchers in Alertmanager's syntax: name="value", name!="value", name=~"regular expression", name!~"regular expression".

Source: https://prometheus.io/docs/alerting/latest/configuration/#matcher, and its classic parser for what that page leaves open:
the quotes may be left out, a backslash escapes n, " and itself and stands for itself before anything else, and a regular
expression must fit the whole value. A missing label is "". Go's regular expressions know neither lookaround nor references;
such are refused here too, and so are repetitions that could take for ever.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from sre_agent.routing.file import Matchers

LONGEST: Final = 4_096
"""Characters of one matcher."""
_FORM: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_QUOTE: Final = re.compile(r'(?<!\\)(?:\\\\)*"')
_FOREIGN: Final = re.compile(r"(?<!\\)(?:\\\\)*(\(\?(?:[=!>(#]|<[=!]|P[=>])|\\[1-9])")
_GO_ONLY: Final = ((r"\z", r"\Z"), ("[[:alpha:]]", "[a-zA-Z]"), ("[[:digit:]]", "[0-9]"), ("[[:alnum:]]", "[a-zA-Z0-9]"))


@dataclass(frozen=True)
class Matcher:
    """One matcher. `operator`: "=", "!=", "=~" or "!~". Made by `matcher`; raises ValueError for an impossible expression."""

    name: str
    operator: str
    value: str
    _fits: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_fits", _compiled(self.value) if self.operator in ("=~", "!~") else None)

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether it holds for an alert's labels."""
        value = labels.get(self.name, "")
        fits = value == self.value if self._fits is None else self._fits.fullmatch(value) is not None
        return fits is not self.operator.startswith("!")


@lru_cache(maxsize=16_384)
def matcher(text: str) -> Matcher:
    """The matcher that a text says. Raises ValueError that says what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"a matcher of more than {LONGEST} characters")
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f'{text[:80]!r} is no matcher; write name="value", with =, !=, =~ or !~')
    return Matcher(found[1], found[2], _value(found[3]))


def all_hold(matchers: Matchers, labels: Mapping[str, str]) -> bool:
    """Whether all of them hold (none at all: they do). Raises ValueError for one that cannot be read."""
    return all(matcher(text).holds(labels) for text in matchers)


def _value(said: str) -> str:
    """The value without its quotes and escapes."""
    inner = said
    if said.startswith('"'):
        end = _PLAIN_QUOTE.search(said, 1)
        if end is None or end.end() != len(said):
            raise ValueError(f'{said[:80]} has a double quote too few or too many; write \\" inside the value')
        inner = said[1:-1]
    elif _PLAIN_QUOTE.search(said):
        raise ValueError(f'{said[:80]} has a double quote too few or too many; write \\" inside the value')
    return _ESCAPE.sub(lambda m: {"n": "\n", '"': '"', "\\": "\\"}.get(m[1], m[0]), inner)


def _compiled(expression: str) -> re.Pattern[str]:
    foreign = _FOREIGN.search(expression)
    if foreign is not None:
        raise ValueError(f"{expression[:80]!r}: {foreign[1]} is not known to Alertmanager's regular expressions")
    if _runs_away(expression):
        raise ValueError(f"{expression[:80]!r} repeats what itself varies, which could take for ever; write it simpler")
    for go, ours in _GO_ONLY:
        expression = expression.replace(go, ours)
    try:
        # Go's classes w, d and s are ASCII; ignoring case it knows all letters.
        return re.compile(expression, 0 if "(?i" in expression and not expression.isascii() else re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{expression[:80]!r} is no regular expression: {error}") from error


def _runs_away(expression: str) -> bool:
    """A group that is repeated without end holds a repetition or alternatives itself."""
    opened, at = [False], 0
    while at < len(expression):
        char = expression[at]
        if char == "\\":
            at += 1
        elif char == "[":
            at = _past_class(expression, at)
        elif char == "(":
            opened.append(False)
            at += 1 if expression[at + 1 : at + 2] == "?" else 0
        elif char == ")" and len(opened) > 1:
            varies = opened.pop()
            repeated = re.match(r"[*+]|\{\d*,\}|\{\d{2,}", expression[at + 1 :]) is not None
            if varies and repeated:
                return True
            opened[-1] = opened[-1] or varies or repeated
        elif char in "*+?|{":
            opened[-1] = True
        at += 1
    return False


def _past_class(expression: str, at: int) -> int:
    """The index of the bracket that closes a character class."""
    at += 2 if expression[at + 1 : at + 2] == "^" else 1
    at += 1 if expression[at : at + 1] == "]" else 0
    while at < len(expression) and expression[at] != "]":
        at += 2 if expression[at] == "\\" else 1
    return at
