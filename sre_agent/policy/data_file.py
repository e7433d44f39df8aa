"""One YAML file of a bundle: read strictly, and every complaint about it with file, line and what to do. The only
import of yaml in this room.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from yaml.constructor import SafeConstructor

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.declarations import Problem
from sre_agent.policy.lint import suggestion
from sre_agent.policy.lock import read_text

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same language read in C, where PyYAML was built with it: several times faster."""

T = TypeVar("T")
MOST_NAMES = 12
"""How many right names are listed; of more only the nearest is told."""
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class DataFile:
    """A file that is valid YAML with unique keys: as plain values, and as nodes that know their lines."""

    path: Path
    plain: Any
    node: yaml.Node | None

    def line(self, place: Place) -> int:
        """The line (from 1) of a key or item; of the nearest thing around it that is there."""
        node, line = self.node, 1
        for step in place:
            found = _step(node, step)
            if found is None:
                break
            line, node = found
        return line

    def complaint(self, problem: Problem) -> str:
        """ "file:line: what; did you mean ...; known: ..." """
        quoted = re.search(r"'([^']+)'(?!.*')", problem.message)
        hint = suggestion(quoted[1], problem.known) if quoted else ""
        known = f"; known: {', '.join(problem.known)}" if 0 < len(problem.known) <= MOST_NAMES else ""
        return f"{self.path}:{self.line(problem.path)}: {problem.message}{hint}{known}"

    def checked(self, kind: type[T]) -> tuple[T | None, tuple[str, ...]]:
        """The content as a `kind`, strictly; None and every complaint when it is not one."""
        adapter = TypeAdapter(kind)
        try:
            return adapter.validate_json(json.dumps(self.plain, default=_iso), strict=True), ()
        except ValidationError as error:
            known = frozenset(_field_names(adapter))
            # An unknown key first: it often explains a missing one.
            found = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
            return None, tuple(self._explained(e["loc"], e["msg"], e["type"] == "extra_forbidden", known) for e in found)

    def _explained(self, place: Place, message: str, unknown: bool, known: frozenset[str]) -> str:
        hint = f"; there is no such key{suggestion(str(place[-1]), known)}" if unknown and place else ""
        return self.complaint(Problem(place, f"{'.'.join(map(str, place))}: {message}{hint}"))


def opened(path: Path) -> DataFile:
    """The file, parsed. Raises ConfigurationError when it is missing, not YAML, or says a thing twice."""
    text = read_text(path)
    node: yaml.Node | None = None
    try:
        node = yaml.compose(text, Loader=_LOADER)
        for complaint in _key_complaints(path, node):
            raise ConfigurationError(complaint)
        return DataFile(path, None if node is None else SafeConstructor().construct_document(node), node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(error, "problem", None) or str(error)
        raise ConfigurationError(f"{path}:{line}: this is not valid YAML: {what}; check quotes and indentation") from error
    except ValueError as error:
        line = _impossible(node) or 1
        raise ConfigurationError(f"{path}:{line}: this YAML holds an impossible value: {error}; correct it") from error


def _iso(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a data file")


def _field_names(adapter: TypeAdapter[Any]) -> Iterable[str]:
    """The keys a file of this kind may have, at any depth."""
    schema = adapter.json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {})


def _step(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    """The line and node of one key or index below `node`."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child.start_mark.line + 1, child
    return None


def _impossible(node: yaml.Node | None) -> int:
    """The line of the first scalar that looks like a date or a number and is none."""
    if isinstance(node, yaml.ScalarNode) and not node.style:
        try:
            yaml.safe_load(node.value)
        except ValueError:
            return int(node.start_mark.line) + 1
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
    return next((line for child in children if (line := _impossible(child))), 0)


def _key_complaints(path: Path, node: yaml.Node | None) -> Iterator[str]:
    """Keys are unique strings. (YAML readers silently keep the last of two.)"""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _key_complaints(path, child)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            yield f"{path}:{line}: a key must be a plain word"
            continue
        if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
            yield f"{path}:{line}: key {key.value!r} was given on line {seen[key.value]} already; remove one"
        seen[key.value] = line
        yield from _key_complaints(path, value)
