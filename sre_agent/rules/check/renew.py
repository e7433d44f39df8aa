"""`match` and `match_re` written as `matchers`, in place: the same alerts, the same comments."""

import json
from typing import Final

from sre_agent.rules.document import Document, Entry, Mapping, Node, Scalar
from sre_agent.rules.finding import Edit, Fix
from sre_agent.rules.tree import Route

OPERATORS: Final = {"match": "=", "match_re": "=~"}


def renewed(document: Document, route: Route) -> Fix | None:
    """The edits; None where that cannot be done without moving things.

    A key may be given once only: where both old ones are there, they must stand one after the other, indented alike.
    """
    entries = route.node.entries
    old = [e for e in entries if e.key.text in OPERATORS]
    if any(e.key.text == "matchers" for e in entries) or not all(_simple(document, e) for e in old):
        return None
    if len(old) == 1:
        return Fix(f"{old[0].key.text} as matchers", (_key(old[0]), *_items(old[0])))
    first, second = old
    if entries.index(second) != entries.index(first) + 1 or _columns(first) != _columns(second) or len(_columns(first)) != 1:
        return None
    edits = (_key(first), *_items(first), _without(document, second), *_items(second))
    return Fix("match and match_re as matchers", edits)


def _simple(document: Document, entry: Entry) -> bool:
    """Names with values on lines of their own, or all of it in braces on one line."""
    under = entry.value
    if entry.merged or not isinstance(under, Mapping) or not under.entries or any(e.merged for e in under.entries):
        return False
    if under.flow and "\n" in document.text[under.place.start : under.place.end]:
        return False
    return all(isinstance(e.value, Scalar) and _one_line(document, e.key, e.value) for e in under.entries)


def _one_line(document: Document, key: Scalar, value: Scalar) -> bool:
    one = "\n" not in document.text[key.place.start : value.place.end] and value.text.isprintable()
    return one and value.style in ("", "'", '"') and not value.empty and value.place.start > key.place.end


def _columns(entry: Entry) -> set[int]:
    """The columns in which its names begin; {0} for one in braces, which none is like."""
    under = entry.value
    if not isinstance(under, Mapping) or under.flow:
        return {0, 1}
    return {e.key.place.column for e in under.entries}


def _key(entry: Entry) -> Edit:
    return Edit(entry.key.place.start, entry.key.place.end, "matchers")


def _items(entry: Entry) -> tuple[Edit, ...]:
    under = entry.value
    if not isinstance(under, Mapping):
        return ()
    operator = OPERATORS[entry.key.text]
    said = [(e.key.place.start, e.value.place.end, _item(e.key.text, operator, e.value)) for e in under.entries]
    if under.flow:
        return (Edit(under.place.start, under.place.end, f"[{', '.join(text for _, _, text in said)}]"),)
    return tuple(Edit(start, end, f"- {text}") for start, end, text in said)


def _without(document: Document, entry: Entry) -> Edit:
    """The key and its colon taken away; its whole line, where nothing else stands there."""
    text, start, end = document.text, entry.key.place.start, entry.key.place.end
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    colon = text.index(":", end) + 1
    alone = not text[line_start:start].strip() and not text[colon:line_end].strip()
    return Edit(line_start, line_end + 1, "") if alone else Edit(start, colon, "")


def _item(name: str, operator: str, value: Node) -> str:
    """A matcher as a YAML item: in single quotes, which need no escapes but their own."""
    quoted = json.dumps(value.text if isinstance(value, Scalar) else "", ensure_ascii=False)
    return "'" + f"{name}{operator}{quoted}".replace("'", "''") + "'"
