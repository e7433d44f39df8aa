"""YAML as text: rules and their tests are written the same way every time, byte for byte."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Value = str | int | float | Sequence["Value"] | Mapping[str, "Value"]
_UNSAFE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def text_of(value: Mapping[str, Value]) -> str:
    """A mapping as YAML, two blanks a level."""
    return "\n".join(_lines(value, 0)) + "\n"


def quoted(text: str) -> str:
    """A scalar: in double quotes unless it is a harmless word."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _UNSAFE.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text, ensure_ascii=False))


def _lines(value: Value, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from _entry(f"{pad}{quoted(key)}:", held, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for held in value:
            first, *rest = _lines(held, depth + 1)
            yield f"{pad}- {first.lstrip()}"
            yield from rest
    else:
        yield f"{pad}{quoted(value) if isinstance(value, str) else value}"


def _entry(head: str, held: Value, depth: int) -> Iterator[str]:
    if isinstance(held, str) and "\n" in held:
        yield f"{head} |-"
        yield from (f"{'  ' * depth}{line}" for line in held.split("\n"))
    elif isinstance(held, str | int | float):
        yield f"{head} {quoted(held) if isinstance(held, str) else held}"
    elif held:
        yield head
        yield from _lines(held, depth)
    else:
        yield f"{head} {'{}' if isinstance(held, Mapping) else '[]'}"
