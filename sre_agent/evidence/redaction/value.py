"""Where the value of a `key=value` ends, in every dress a log gives it: quoted, escaped, bare, in a query, a list, an element.

Written out by hand: each character is looked at once, so that a hostile line costs its length, and the end of a bare value
depends on what follows it ("a;b" is one password, "a; Database=b" is a password and a key).
"""

import re
from typing import NamedTuple

LONGEST = 4096
"""Characters that a quoted value may have before a quote that nobody closes counts as closed at the end of its line."""

_OPEN = re.compile(r"(\\{0,7})([\"'`])")
_BARE_END = re.compile(
    r"[\s\"'`<]|\\[nrt\"']|[;,&|](?=\s*\\{0,3}[\"']?[A-Za-z_][\w .\[-]{0,48}\\{0,3}[\"']?\s?(?:=|:\s))|[;,|](?=\s|\Z|\\|\")|"
    r"[)\]}](?=[\s,;.:)\]}>\"'\\]|\Z)"
)
# What languages print before a quoted text: bytes of Python, an option of Rust or Java.
_WRAPPED = re.compile(r"(?:b|u|r|@|Some\(|Optional\[|Just |SecretStr\()(?=\\{0,7}[\"'])")
# A reference to what is kept elsewhere: of a shell, of Kubernetes, of a template.
_REFERENCE = re.compile(r"(?:\$\{[^}\s]{1,256}\}|\$\([^)\s]{1,256}\)|\$?\{\{[^{}\n]{1,256}\}\})(?=[\s,;&\"')\]}]|\Z)")
_LINE_END = re.compile(r"[\r\n\"'\]]|\\[nr\"']")
_QUERY_END = re.compile(r"%26|%23|%20|[&#\s\"'`<>]|\\[\"'nrtu]")


class Value(NamedTuple):
    """The value is text[start:end]; `quoted` tells that its end was marked and not guessed."""

    start: int
    end: int
    quoted: bool


def value_at(text: str, at: int, *, in_query: bool = False, most: int | None = None) -> Value:
    """The value that starts at `at`; an empty one where there is none. `in_query`: "&" ends it. `most`: no bare one goes beyond."""
    wrapped = _WRAPPED.match(text, at)
    opening = _OPEN.match(text, wrapped.end() if wrapped is not None else at)
    if opening is not None:
        return _quoted(text, opening)
    if text.startswith("<", at):  # kubectl's "<set to the key 'password' in secret 'db'>"
        closing = text.find(">", at, at + 256)
        return Value(at, closing + 1 if closing > 0 else at, quoted=False)
    reference = _REFERENCE.match(text, at)
    if reference is not None:
        return Value(at, reference.end(), quoted=False)
    limit = len(text) if most is None else min(len(text), most)
    end = (_QUERY_END if in_query else _BARE_END).search(text, at, limit)
    stop = end.start() if end is not None else limit
    while stop > at and text[stop - 1] in ".,;:":
        stop -= 1
    return Value(at, stop, quoted=False)


def line_at(text: str, at: int) -> Value:
    """All to the end of the line or of the quotes it stands in: a header's value."""
    opening = _OPEN.match(text, at)
    if opening is not None:
        return _quoted(text, opening)
    end = _LINE_END.search(text, at)
    return Value(at, end.start() if end is not None else len(text), quoted=False)


def _quoted(text: str, opening: re.Match[str]) -> Value:
    """The inside of quotes. A quote inside is escaped once more than the marks around it, or doubled as in SQL."""
    start, escape, quote = opening.end(), len(opening.group(1)), opening.group(2)
    at = start
    while (at := text.find(quote, at, start + LONGEST)) >= 0:
        before = at
        while before > start and text[before - 1] == "\\":
            before -= 1
        slashes = at - before
        closes = slashes % 2 == 0 if escape == 0 else slashes == escape
        if closes and escape == 0 and quote == "'" and text.startswith("'", at + 1) and at > start:
            at += 2
            continue
        if closes or (slashes < escape and at > start):
            return Value(start, at - min(slashes, escape), quoted=True)
        at += 1
    end = text.find("\n", start)
    return Value(start, end if end >= 0 else len(text), quoted=True)
