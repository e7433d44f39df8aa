"""The one piece of PromQL the stand-in Prometheus understands: a bare instant-vector selector."""

import re
from collections.abc import Callable

Predicate = Callable[[str], bool]

_SELECTOR = re.compile(r"\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{(?P<matchers>.*)\})?\s*", re.DOTALL)
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*(?:,|$)')
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}


class BadQuery(Exception):
    """An expression or parameter the real server would answer with 400 bad_data; `text` is its error text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def parse_selector(expression: str) -> list[tuple[str, Predicate]]:
    """(label, predicate) pairs of a bare selector; a missing label is "". Raises BadQuery with the server's kind of text."""
    found = _SELECTOR.fullmatch(expression)
    if found is None:
        raise BadQuery(f'invalid parameter "query": parse error: the stand-in knows bare selectors only, not {expression!r}')
    predicates: list[tuple[str, Predicate]] = []
    selective = bool(found["name"])
    if found["name"]:
        predicates.append(("__name__", found["name"].__eq__))
    text, position = found["matchers"] or "", 0
    while text[position:].strip():
        matcher = _MATCHER.match(text, position)
        if matcher is None:
            raise BadQuery(f'invalid parameter "query": parse error: unexpected character in {text[position:]!r}')
        name, operator, raw = matcher.groups()
        predicate = _predicate(operator, re.sub(r"\\(.)", _unescape, raw))
        selective |= not predicate("")
        predicates.append((name, predicate))
        position = matcher.end()
    if not selective:
        raise BadQuery('invalid parameter "query": parse error: vector selector must contain at least one non-empty matcher')
    return predicates


def _unescape(found: re.Match[str]) -> str:
    if found[1] not in _ESCAPES:
        raise BadQuery(f'invalid parameter "query": parse error: unknown escape sequence {found[0]!r}')
    return _ESCAPES[found[1]]


def _predicate(operator: str, wanted: str) -> Predicate:
    if operator == "=":
        return wanted.__eq__
    if operator == "!=":
        return wanted.__ne__
    try:
        pattern = re.compile(wanted)
    except re.error as error:
        raise BadQuery(f'invalid parameter "query": parse error: error parsing regexp: {error}') from error
    return (lambda v: pattern.fullmatch(v) is not None) if operator == "=~" else (lambda v: pattern.fullmatch(v) is None)
