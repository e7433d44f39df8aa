"""The text of an expression as it is read, and what a backslash says for one character."""

import re
from typing import Final

from sre_agent.routing.expression.characters import LAST

_SIGNS: Final = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_OCTAL: Final = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_HEX: Final = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})")


class Source:
    """A text and how far it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def next(self) -> str:
        """The next character; "" at the end."""
        return self._text[self._at : self._at + 1]

    @property
    def rest(self) -> str:
        """All that is not read yet."""
        return self._text[self._at :]

    def left(self) -> bool:
        """Whether anything is."""
        return self._at < len(self._text)

    def skip(self, count: int) -> None:
        """Read so many characters."""
        self._at += count

    def taken(self) -> str:
        """Read the next character."""
        self._at += 1
        return self._text[self._at - 1]

    def took(self, word: str) -> bool:
        """Read the word if it comes next."""
        found = self._text.startswith(word, self._at)
        self._at += len(word) if found else 0
        return found

    def match(self, form: re.Pattern[str]) -> re.Match[str] | None:
        """Read what has this form, if it comes next."""
        found = form.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found


def escaped(source: Source) -> int:
    """The code point that the backslash, which comes next, and what follows it stand for. Raises ValueError."""
    if octal := source.match(_OCTAL):
        return int(octal[1], 8)
    if digits := source.match(_HEX):
        point = int(digits[1] or digits[2], 16)
        if point > LAST:
            raise ValueError(f"{digits[0][:20]} is no character")
        return point
    char = source.rest[1:2]
    source.skip(2)
    if char in _SIGNS and char:
        return _SIGNS[char]
    if not char:
        raise ValueError("a backslash at the end")
    if char in "pP":
        raise ValueError(f"\\{char} names Unicode's classes, which are not read here: write the characters in brackets")
    if not char.isascii() or char.isalnum():
        raise ValueError(f"\\{char} is not known to Alertmanager's regular expressions")
    return ord(char)
