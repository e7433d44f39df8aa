"""Matchers in Alertmanager's syntax."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from sre_agent.routing.file import Matchers

_MATCHER: Final = re.compile(r'\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*')


def all_hold(matchers: Matchers, labels: Mapping[str, str]) -> bool:
    """Whether every matcher holds. A missing label is "". Raises ValueError for text that is no matcher."""
    return all(_holds(_parsed(text), labels) for text in matchers)


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> tuple[str, str, str, re.Pattern[str] | None]:
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is no matcher like name="value"')
    name, operator, value = found.groups()
    return name, operator, value, re.compile(value) if "~" in operator else None


def _holds(matcher: tuple[str, str, str, re.Pattern[str] | None], labels: Mapping[str, str]) -> bool:
    name, operator, value, pattern = matcher
    told = labels.get(name, "")
    same = told == value if pattern is None else pattern.fullmatch(told) is not None
    return same is (operator in ("=", "=~"))
