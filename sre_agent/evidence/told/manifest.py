"""What `kubectl get -o yaml` and `-o json` print, read back: API objects, and the answers of Prometheus' HTTP API. Pure.

SAFETY: aliases are refused (a few lines of them can stand for gigabytes), and nothing but plain values is ever made.
"""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from sre_agent.evidence.kubernetes.state import JsonObject

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_DEPTH = 60
_PLAIN = "tag:yaml.org,2002:"


def documents(text: str) -> list[Any]:
    """Every JSON or YAML document of the text; [] when it is neither."""
    start = text.lstrip()
    try:
        if start.startswith(("{", "[")):
            return [json.loads(start)]
        _bounded(text)
        return [_value(node, set(), 0) for node in yaml.compose_all(text, Loader=_LOADER)]
    except (ValueError, yaml.YAMLError, RecursionError):
        return []


def _bounded(text: str) -> None:
    """SAFETY: the composer in C goes down with the whole process on a text that is nested deeply enough; the parser does not.

    Raises ValueError for one that is nested deeper than anything that kubectl prints.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ValueError("nested too deeply")


def _value(node: Any, seen: set[int], depth: int) -> Any:
    """The node as JSON would hold it; times stay text."""
    if id(node) in seen or depth > MOST_DEPTH:
        raise ValueError("an alias, or too deep")
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, seen, depth + 1) for item in node.value]
    return {str(key.value): _value(item, seen, depth + 1) for key, item in node.value if isinstance(key, yaml.ScalarNode)}


def _scalar(node: Any) -> str | int | float | bool | None:
    text = str(node.value)
    match str(node.tag).removeprefix(_PLAIN):
        case "null":
            return None
        case "bool" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "int" if text.lstrip("+-").isdecimal():
            return int(text[:300])
        case "float":
            try:
                return float(text)
            except ValueError:
                return text
    return text


def objects_of(documents: list[Any]) -> Iterator[JsonObject]:
    """The API objects among the documents, lists opened up."""
    for document in documents:
        if not isinstance(document, dict):
            continue
        if isinstance(document.get("items"), list):
            yield from objects_of(document["items"])
        elif isinstance(document.get("kind"), str) and isinstance(document.get("metadata"), dict):
            yield document


def series_of(documents: list[Any]) -> list[JsonObject]:
    """{"labels", "samples"} of each series of a Prometheus answer, however the tool wrapped it."""
    found = []
    for document in documents:
        data = document.get("data") if isinstance(document, dict) else None
        data = data if isinstance(data, dict) else document
        rows = data.get("result") if isinstance(data, dict) and data.get("resultType") in ("matrix", "vector") else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("metric"), dict):
                samples = row.get("values") or ([row["value"]] if isinstance(row.get("value"), list) else [])
                found.append({"labels": {str(k): str(v) for k, v in row["metric"].items()}, "samples": samples})
    return found
