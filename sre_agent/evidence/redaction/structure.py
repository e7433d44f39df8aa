"""JSON: strings redacted, values under keys that name a secret replaced whole, whatever they look like."""

import json
from functools import lru_cache
from itertools import chain
from typing import Any

from sre_agent.evidence.redaction.labels import label_kind, labelled_value
from sre_agent.evidence.redaction.names import is_keylike, is_maybe, is_nothing, is_sensitive, secret_mark
from sre_agent.evidence.redaction.placeholder import HELD, OPENING
from sre_agent.evidence.redaction.text import redact

MOST_DEPTH = 64  # deeper JSON than any API object; beyond it the subtree is dropped, not passed through

_PLAIN = frozenset({float, int, bool, type(None)})


def redact_json(value: Any, depth: int = 0) -> Any:
    """`value` (JSON) with its strings redacted; values under keys that name a secret are replaced whole."""
    if isinstance(value, str):
        return _redact_string(value, depth)
    if depth > MOST_DEPTH:
        return f"{OPENING}too-deep]"
    if isinstance(value, dict):
        return _redact_object(value, depth)
    if isinstance(value, list | tuple):
        return _redact_list(value, depth)
    return value


def _redact_list(value: "list[Any] | tuple[Any, ...]", depth: int) -> list[Any]:
    """Numbers and samples pass untouched: a hundred services have hundreds of thousands, and they cannot hold a text."""
    kinds = set(map(type, value))
    if kinds <= _PLAIN or (kinds == {list} and set(map(type, chain.from_iterable(value))) <= _PLAIN):
        return list(value)
    out: list[Any] = []
    flag = False
    for item in value:
        # ["--password", "..."]: the arguments of a container.
        out.append(_whole(item, depth) if flag and isinstance(item, str) and item[:1] != "-" else redact_json(item, depth + 1))
        flag = isinstance(item, str) and item[:1] == "-" and is_sensitive(item)
    return out


def _redact_object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    secret_kind = value.get("kind") == "Secret"
    # {"name": "DB_PASSWORD", "value": "..."}: how Kubernetes writes an environment variable.
    name = value.get("name", value.get("key"))
    named = name if isinstance(name, str) and "value" in value else ""
    out: dict[str, Any] = {}
    for raw_key, item in value.items():
        key = raw_key if isinstance(raw_key, str) else str(raw_key)
        if secret_kind and key in ("data", "stringData") and isinstance(item, dict):
            out[key] = {str(k): _held(str(v)) for k, v in item.items()}
        else:
            out[_redact_key(key)] = _redact_member(named if named and key == "value" else key, item, depth)
    return out


def _redact_member(name: str, item: Any, depth: int) -> Any:
    """The value of one member, after what its name promises."""
    if is_sensitive(name):
        return _whole(item, depth)
    if isinstance(item, str | int) and not isinstance(item, bool):
        kind = label_kind(name)
        text = str(item)
        if kind and (marked := labelled_value(kind, text)) != text:
            return marked
        if is_maybe(name) and is_keylike(name, text):
            return _held(text)
    return redact_json(item, depth + 1)


def _whole(item: Any, depth: int) -> Any:
    """What stands under a sensitive name: texts and numbers go whole, also in a list; objects are looked into."""
    match item:
        case bool() | None:
            return item
        case str():
            return item if item == "" or is_nothing(item) else _held(item)
        case int() | float():
            return _held(str(item))
        case list() if depth < MOST_DEPTH and all(isinstance(i, str) for i in item):
            return [_whole(i, depth + 1) for i in item]
        case _:
            return redact_json(item, depth + 1)


def _held(text: str) -> str:
    """The placeholder of all of `text`, or what it is already."""
    return text if HELD.fullmatch(text) else secret_mark(text)


def _redact_string(value: str, depth: int) -> str:
    if value[:1] in ("{", "[") and depth <= MOST_DEPTH and not value.startswith(OPENING):
        # JSON inside a string (last-applied-configuration, structured logs): keys matter there too.
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return redact(value)
        if isinstance(inner, dict | list):
            cleaned = redact_json(inner, depth + 1)
            return value if cleaned == inner else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
    return redact(value)


@lru_cache(maxsize=4096)
def _is_clean_key(key: str) -> bool:
    """Keys repeat in every object of a list. INVARIANT: an answer is remembered, and it is no secret under any key."""
    return redact(key) == key


def _redact_key(key: str) -> str:
    return key if _is_clean_key(key) else redact(key)
