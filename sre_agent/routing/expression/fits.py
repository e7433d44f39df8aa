"""An expression that can be asked, quickly where it can and in bounded time always."""

import re
from functools import lru_cache
from typing import Final

from sre_agent.routing.expression.linear import Linear
from sre_agent.routing.expression.literal import beginning, words
from sre_agent.routing.expression.parse import parsed
from sre_agent.routing.expression.python import source, ways

LONGEST: Final = 4_096
"""Characters of an expression."""

_MOST_WAYS: Final = 200_000
"""So many ways through an expression Python may try out in turn."""

_LENGTHS: Final = (8_192, 2_048, 512, 256, 128, 64, 32)


class Expression:
    """One expression. `words`: all texts that fit, where they are a few; `beginning`: what each of them begins with.

    Raises ValueError that says what is wrong with it.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise ValueError(f"an expression of more than {LONGEST} characters")
        part = parsed(text)
        self.words, self.beginning = words(part), beginning(part)
        self._quick_up_to = next((length for length in _LENGTHS if ways(part, length, _MOST_WAYS) <= _MOST_WAYS), -1)
        # With so few choices Python needs no more time than steps would, however many those are.
        self._linear = Linear(part) if self._quick_up_to < _LENGTHS[0] else None
        self._python = re.compile(source(part), re.ASCII) if self._quick_up_to > 0 else None

    def fits(self, text: str) -> bool:
        """Whether the whole text fits."""
        if self._linear is not None and len(text) > self._quick_up_to:
            return self._linear.fits(text)
        return self._python is not None and self._python.fullmatch(text) is not None


@lru_cache(maxsize=4_096)
def expression(text: str) -> Expression:
    """The expression of a text. Raises ValueError that says what is wrong with it."""
    try:
        return Expression(text)
    except ValueError as wrong:
        raise ValueError(f"{text[:80]!r} is no regular expression: {wrong}") from wrong
