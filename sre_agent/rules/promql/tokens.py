"""An expression cut into tokens."""

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 50_000
UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}

_DURATION: Final = r"(?:[0-9]+(?:ms|[smhdwy]))+"
_SPAN: Final = rf"(?:{_DURATION}|[0-9]+(?:\.[0-9]+)?)"
_TOKEN: Final = re.compile(
    r"(?P<blank>\s+|\#[^\n]*)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"
    rf"|(?P<range>\[\s*{_SPAN}\s*(?::\s*(?:{_SPAN})?\s*)?\])"
    rf"|(?P<duration>{_DURATION}(?![0-9a-zA-Z_.]))"
    r"|(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![a-zA-Z_]))"
    r"|(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"|(?P<mark>=~|!~|!=|==|<=|>=|[-+*/%^<>=(){},@])"
)
_PIECE: Final = re.compile(r"([0-9]+)(ms|[smhdwy])")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANS: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class NotPromQL(ValueError):
    """The expression cannot be read; `at` is the offset where that shows. `beyond`: it may be right, but is larger than is read
    here."""

    def __init__(self, what: str, at: int, *, beyond: bool = False) -> None:
        super().__init__(what)
        self.at = at
        self.beyond = beyond


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: text, range, duration, number, word, mark or end."""

    kind: str
    text: str
    start: int
    end: int


def tokens(expression: str) -> list[Token]:
    """The tokens without blanks and comments, and one of kind "end". Raises NotPromQL."""
    if len(expression) > LONGEST:
        raise NotPromQL(f"is longer than {LONGEST:,} characters", 0, beyond=True)
    found, at = list[Token](), 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None:
            raise NotPromQL(f"unexpected {expression[at : at + 12]!r}", at)
        if token.lastgroup != "blank":
            found.append(Token(str(token.lastgroup), token[0], at, token.end()))
        at = token.end()
    return [*found, Token("end", "", at, at)]


def seconds(duration: str) -> float:
    """The length of a duration ("1h30m") or of a number of seconds; 0.0 for what is neither."""
    pieces = _PIECE.findall(duration)
    if pieces:
        return sum(int(count) * UNITS[unit] for count, unit in pieces)
    return float(duration) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", duration) else 0.0


def range_of(token: Token) -> tuple[float, bool]:
    """(seconds, whether it is a subquery's) of a range token."""
    inner = token.text[1:-1]
    return seconds(inner.split(":")[0].strip()), ":" in inner


def unquoted(text: str) -> str:
    """A quoted text's value; inside backticks a backslash is itself."""
    return text[1:-1] if text.startswith("`") else _ESCAPED.sub(lambda m: _MEANS.get(m[1], m[1]), text[1:-1])
