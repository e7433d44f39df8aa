"""YAML read with the place of everything in it: line, column and offsets into the text. The only import of yaml in this room.

Files come from strangers' repositories, so the reader counts: bytes, nodes after aliases are followed, and depth. What is too
much, no text, or no YAML is a ConfigurationError that names file and line, never a traceback.
Source of the format: https://yaml.org/spec/1.1/, as Prometheus and Alertmanager read it (merge keys included).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from sre_agent.incident.errors import ConfigurationError

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_NODES: Final = 1_000_000
"""Scalars, lists and mappings of a file, each alias counted as all that it stands for."""
MOST_DEPTH: Final = 60

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE: Final = "<<"
_NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TEMPLATED: Final = re.compile(r"^\s*\{\{|\{\{-|:\s*\{\{", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: `line` and `column` from 1, `start` and `end` as offsets (characters) into the text."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as text. `style`: "" plain, "'" or '"' quoted, "|" or ">" a block."""

    text: str
    place: Place
    style: str = ""
    weight: int = 1

    @property
    def empty(self) -> bool:
        """It says nothing: null, or an empty text."""
        return self.text == "" or (not self.style and self.text in _NOTHING)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list. `flow`: written in brackets."""

    items: "tuple[Node, ...]"
    place: Place
    flow: bool
    weight: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One key and its value; `merged`: it came in by a merge key (`<<`)."""

    key: Scalar
    value: "Node"
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in their order; of two equal keys both are here. `flow`: written in braces."""

    entries: tuple[Entry, ...]
    place: Place
    flow: bool
    weight: int

    def entry(self, key: str) -> Entry | None:
        """The entry of a key (the last of two, as YAML readers take it); None when there is none."""
        return next((e for e in reversed(self.entries) if e.key.text == key), None)

    def get(self, key: str) -> "Node | None":
        """The value of a key; None when it is missing or null."""
        found = self.entry(key)
        return None if found is None or (isinstance(found.value, Scalar) and _null(found.value)) else found.value

    def text(self, key: str) -> str:
        """The text of a key's scalar; "" when it is missing or no scalar."""
        value = self.get(key)
        return value.text if isinstance(value, Scalar) else ""

    def mapping(self, key: str) -> "Mapping | None":
        """The mapping under a key; None when there is none."""
        value = self.get(key)
        return value if isinstance(value, Mapping) else None

    def items(self, key: str) -> "tuple[Node, ...]":
        """The items of the list under a key; () when there is none."""
        value = self.get(key)
        return value.items if isinstance(value, Sequence) else ()


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True)
class Document:
    """One file: its text as it is (line ends too; `lead` is the byte order mark before it, if any), its YAML documents, and the
    stretches that an alias uses again elsewhere."""

    path: str
    text: str
    roots: tuple[Node, ...]
    shared: tuple[tuple[int, int], ...] = ()
    lead: str = ""


def load(path: Path) -> Document:
    """The file at a path. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such file") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(raw) > MOST_BYTES:
        raise ConfigurationError(f"{path}: is larger than {MOST_BYTES // 1024 // 1024} MiB; split it")
    try:
        return read(raw.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path}:{line}: this is not UTF-8 text; give rule files or an Alertmanager configuration"
        ) from error


def read(text: str, path: str) -> Document:
    """The documents of a text; empty ones are left out. Raises ConfigurationError with "path:line: what"."""
    building = _Building(path)
    lead = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(lead)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            building.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else _line_of(text, getattr(error, "position", 0))
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        hint = "; render the file's templates first" if _TEMPLATED.search(text) else "; check quotes and indentation"
        raise ConfigurationError(f"{path}:{line}: this is not valid YAML: {what}{hint}") from error
    roots = tuple(r for r in building.roots if not (isinstance(r, Scalar) and r.empty))
    return Document(path, text, roots, tuple(building.shared), lead)


def duplicates(node: Node) -> Iterator[tuple[Scalar, Scalar]]:
    """(first, again) of keys that a mapping has twice, at any depth."""
    seen, front = set[int](), [node]
    while front:
        one = front.pop()
        if id(one) in seen or isinstance(one, Scalar):
            continue
        seen.add(id(one))
        if isinstance(one, Sequence):
            front += one.items
            continue
        keys: dict[str, Scalar] = {}
        for entry in one.entries:
            front.append(entry.value)
            if not entry.merged and entry.key.text in keys:
                yield keys[entry.key.text], entry.key
            keys.setdefault(entry.key.text, entry.key)


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    event: Any
    children: list[Node] = field(default_factory=list)


@dataclass
class _Building:
    """Nodes made from yaml's events, bottom up, without recursion: depth and size are known before anything is built on them."""

    path: str
    roots: list[Node] = field(default_factory=list)
    shared: list[tuple[int, int]] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, Node | None] = field(default_factory=dict)
    _nodes: int = 0

    def take(self, event: Any) -> None:
        """The next event. Raises ConfigurationError for what is too much."""
        if isinstance(event, yaml.ScalarEvent):
            self._add(Scalar(event.value, _place(event, event), event.style or ""), event)
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._meant(event), event)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            if len(self._open) >= MOST_DEPTH:
                raise self._refused(event, f"nested deeper than {MOST_DEPTH} levels")
            if event.anchor:
                self._anchors[event.anchor] = None
            self._open.append(_Open(event))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            done = self._open.pop()
            self._add(self._closed(done, event), done.event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()

    def _meant(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise self._refused(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._refused(event, f"the anchor &{event.anchor} contains itself")
        self.shared.append((node.place.start, node.place.end))
        return node

    def _add(self, node: Node, event: Any) -> None:
        self._nodes += node.weight if isinstance(event, yaml.AliasEvent) else 1
        if self._nodes > MOST_NODES:
            raise self._refused(event, f"stands for more than {MOST_NODES:,} values once its aliases are followed; split it")
        if event.anchor and not isinstance(event, yaml.AliasEvent):
            self._anchors[event.anchor] = node
        (self._open[-1].children if self._open else self.roots).append(node)

    def _closed(self, done: _Open, end: Any) -> Node:
        place = _place(done.event, end)
        flow, children = bool(done.event.flow_style), done.children
        weight = 1 + sum(child.weight for child in children)
        if isinstance(done.event, yaml.SequenceStartEvent):
            return Sequence(tuple(children), place, flow, weight)
        own, merged = list[Entry](), list[Entry]()
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                todo = "put {{ ... }} in quotes, or render the file's templates first"
                raise ConfigurationError(f"{self.path}:{key.place.line}: a key must be a plain word; {todo}")
            if key.text == _MERGE and not key.style:
                merged += self._merged(value)
            else:
                own.append(Entry(key, value))
        known = {e.key.text for e in own}
        for entry in merged:
            if entry.key.text not in known:
                known.add(entry.key.text)
                own.append(entry)
        return Mapping(tuple(own), place, flow, weight)

    def _merged(self, value: Node) -> Iterator[Entry]:
        for part in value.items if isinstance(value, Sequence) else (value,):
            if not isinstance(part, Mapping):
                raise ConfigurationError(f"{self.path}:{part.place.line}: a merge key (<<) takes mappings only")
            yield from (Entry(e.key, e.value, merged=True) for e in part.entries)

    def _refused(self, event: Any, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}:{event.start_mark.line + 1}: {what}")


def _place(begin: Any, end: Any) -> Place:
    mark = begin.start_mark
    return Place(mark.line + 1, mark.column + 1, mark.index, end.end_mark.index)


def _null(node: Scalar) -> bool:
    return not node.style and node.text in _NOTHING


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
