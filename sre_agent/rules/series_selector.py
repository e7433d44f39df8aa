"""Series selectors as people write them in a file of objectives: a metric's name, and matchers in braces.

Source of the syntax: https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors
"""

import json
import re
from dataclasses import dataclass
from typing import Final

METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCH: Final = re.compile(
    r"""\s*(?P<label>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<operator>=~|!~|!=|=)\s*"""
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(?:,|$)"""
)
_RE2_ONLY: Final = re.compile(r"\\[pPzQEC]|\[\[|\(\?[^:]")
"""What RE2 knows and Python does not, or knows otherwise (https://github.com/google/re2/wiki/Syntax)."""
_NOT_RE2: Final = re.compile(r"\(\?<?[=!]|(?<!\\)(?:\\\\)*\\[1-9]")
"""Looking ahead and behind, and references back: RE2 has none."""


def compiled(pattern: str) -> re.Pattern[str] | None:
    """A regular expression as Prometheus takes it; None where Python reads another language than RE2."""
    if _RE2_ONLY.search(pattern):
        return None
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, RecursionError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Match:
    """One matcher. `value` is what its quoted text means."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{json.dumps(self.value, ensure_ascii=False)}"

    def holds(self, value: str) -> bool:
        """Whether a label's value ("" for a missing label) matches; no, for an expression that only Prometheus can read."""
        if self.operator in ("=", "!="):
            return (value == self.value) == (self.operator == "=")
        pattern = compiled(self.value)
        return pattern is not None and (pattern.fullmatch(value) is not None) == (self.operator == "=~")


@dataclass(frozen=True, slots=True)
class SeriesSelector:
    """Series of one metric."""

    metric: str
    matches: tuple[Match, ...] = ()

    def __str__(self) -> str:
        return f"{self.metric}{{{','.join(map(str, self.matches))}}}" if self.matches else self.metric


def series_selector(text: str) -> SeriesSelector:
    """`metric` or `metric{label="value"}`. Raises ValueError that says what is wrong."""
    found = METRIC.match(text.strip())
    if found is None:
        raise ValueError(f'{text!r} does not begin with a metric\'s name; write metric or metric{{label="value"}}')
    rest = text.strip()[found.end() :].strip()
    if "(" in rest.partition("{")[0]:
        raise ValueError(f"{text!r} is an expression; write the counter's selector alone, its rate and sum are taken for you")
    if rest.endswith("]") or rest.startswith("["):
        raise ValueError(f"{text!r} has a range; leave [..] out, the windows are added for you")
    if rest and not (rest.startswith("{") and rest.endswith("}")):
        raise ValueError(f"{text!r} is no selector: after {found[0]} only {{matchers}} may follow")
    return SeriesSelector(found[0], matches(rest))


def matches(text: str) -> tuple[Match, ...]:
    """Matchers with or without braces around them. Raises ValueError that says what is wrong."""
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        raise ValueError(f"{text!r} has only one of its two braces")
    inner = inner.removeprefix("{").removesuffix("}").strip()
    found, at = list[Match](), 0
    while at < len(inner):
        one = _MATCH.match(inner, at)
        if one is None:
            raise ValueError(
                f'{inner[at:].strip()!r} is no matcher; write label="value", with =, !=, =~ or !~, separated by commas'
            )
        if one["label"] == "__name__":
            raise ValueError("__name__ may not be matched here; write the metric's name before the braces")
        found.append(Match(one["label"], one["operator"], _unquoted(one["text"])))
        _check_pattern(found[-1])
        at = one.end()
    return tuple(found)


def _check_pattern(match: Match) -> None:
    if not match.operator.endswith("~"):
        return
    if _NOT_RE2.search(match.value):
        raise ValueError(f"{match} looks ahead, behind or back, which Prometheus cannot; write alternatives (a|b), or use !~")
    if compiled(match.value) is None and not _RE2_ONLY.search(match.value):
        raise ValueError(f"{match} holds no regular expression; correct it")


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    inner = text[1:-1]
    if text.startswith("'"):
        inner = re.sub(r"""\\'|(?<!\\)\"""", lambda m: "'" if m[0] == "\\'" else '\\"', inner)
    try:
        return str(json.loads(f'"{inner}"'))
    except ValueError as error:
        raise ValueError(f"{text} has an escape that PromQL does not know; write \\\\ for one backslash") from error
