"""The schema as the prover reads it: which variables a request has, of what kind, and within which bounds.

A small reader for the part of the Cedar schema language that policies/schema.cedarschema uses; anything else in it
raises Unsupported. (cedarpy parses the same text when a bundle is loaded, but gives nothing out.)
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sre_agent.policy.prove.bounds import bounds_of
from sre_agent.policy.syntax import Names, Unsupported

ACTION: Names = ("action",)
PRINCIPAL: Names = ("principal",)
RESOURCE: Names = ("resource",)
APPROVALS: Names = ("context", "approvals")

_TOKEN = re.compile(r'\s+|//[^\n]*|("(?:[^"\\]|\\.)*"|[A-Za-z_]\w*(?:::\w+)*|[{}\[\]<>=,;:?])')


@dataclass(frozen=True)
class Kind:
    """The kind of a value. `type` names an entity's type, `members` the values of an enum or of the actions."""

    sort: Literal["Bool", "Long", "String", "Entity", "Set"]
    type: str = ""
    members: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    element: "Kind | None" = None

    def like(self, other: "Kind") -> bool:
        """True when values of the two can be compared; bounds do not matter."""
        if self.element is not None and other.element is not None:
            return self.element.like(other.element)
        return (self.sort, self.type) == (other.sort, other.type)


@dataclass(frozen=True)
class World:
    """All requests of one shape: the actions that take the same principal, resource and context.

    `symbols` maps every readable path to its kind. `groups` maps action groups to the actions in them.
    """

    name: str
    principal: str
    resource: str
    actions: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    symbols: Mapping[Names, Kind]


@dataclass
class _Schema:
    """What the text declares, by full name."""

    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    applies: dict[str, tuple[str, str, str]] = field(default_factory=dict)


def worlds(text: str) -> tuple[World, ...]:
    """Every world of a schema, in the order of their first actions. Raises Unsupported."""
    schema = _Reader(text).schema()
    shapes: dict[tuple[str, str, str], list[str]] = {}
    for action, shape in schema.applies.items():
        shapes.setdefault(shape, []).append(action)
    return tuple(_world(schema, shape, tuple(actions)) for shape, actions in shapes.items())


def _world(schema: _Schema, shape: tuple[str, str, str], actions: tuple[str, ...]) -> World:
    principal, resource, context = shape
    symbols: dict[Names, Kind] = {
        ACTION: Kind("Entity", "Sre::Action", actions),
        PRINCIPAL: Kind("Entity", principal),
        RESOURCE: Kind("Entity", resource),
    }
    symbols.update(_fields(schema, RESOURCE, schema.records[resource], resource))
    symbols.update(_fields(schema, ("context",), schema.aliases[context], context))
    groups = {name: tuple(a for a in members if a in actions) for name, members in schema.groups.items()}
    return World(context.split("::")[-1], principal, resource, actions, groups, symbols)


def _fields(schema: _Schema, prefix: Names, record: Mapping[str, str], owner: str) -> Iterator[tuple[Names, Kind]]:
    for name, type_name in record.items():
        full = f"Sre::{type_name}"
        if schema.records.get(full):
            yield from _fields(schema, (*prefix, name), schema.records[full], full)
        else:
            yield (*prefix, name), _kind(schema, type_name, (owner.split("::")[-1], name))


def _kind(schema: _Schema, type_name: str, owner: tuple[str, str]) -> Kind:
    if type_name == "Long":
        low, high = bounds_of(*owner)
        return Kind("Long", low=low, high=high)
    if type_name == "Bool":
        return Kind("Bool")
    if type_name == "String":
        return Kind("String")
    if inner := re.fullmatch(r"Set<(\w+)>", type_name):
        return Kind("Set", element=_kind(schema, inner[1], owner))
    full = f"Sre::{type_name}"
    if full in schema.enums:
        return Kind("Entity", full, schema.enums[full])
    if full in schema.records:
        return Kind("Entity", full)
    raise Unsupported(f"schema: {'.'.join(owner)} has the type {type_name}, which is not translated")


class _Reader:
    """A recursive descent over the schema's tokens."""

    def __init__(self, text: str) -> None:
        self._tokens = [m[1] for m in _TOKEN.finditer(text) if m[1]]
        left = _TOKEN.sub("", text).strip()
        if left:
            raise Unsupported(f"schema: {left[:20]!r} is not understood")
        self._at = 0
        self._schema = _Schema()

    def schema(self) -> _Schema:
        """All declarations of the one namespace."""
        self._expect("namespace", "Sre", "{")
        while (word := self._next()) != "}":
            match word:
                case "entity":
                    self._entity()
                case "type":
                    name = f"Sre::{self._next()}"
                    self._expect("=")
                    self._schema.aliases[name] = self._record()
                    self._expect(";")
                case "action":
                    self._action()
                case _:
                    raise Unsupported(f"schema: a declaration {word!r} is not understood")
        return self._schema

    def _entity(self) -> None:
        name = f"Sre::{self._next()}"
        if self._peek() == "enum":
            self._next()
            self._schema.enums[name] = tuple(word.strip('"') for word in self._list())
        else:
            if self._peek() == "in":
                self._next()
                self._list()
            if self._peek() == "=":
                self._next()
            self._schema.records[name] = self._record() if self._peek() == "{" else {}
        self._expect(";")

    def _action(self) -> None:
        names = [self._next().strip('"')]
        while self._peek() == ",":
            self._next()
            names.append(self._next().strip('"'))
        parents: tuple[str, ...] = ()
        if self._peek() == "in":
            self._next()
            parents = tuple(word.strip('"') for word in self._list()) if self._peek() == "[" else (self._next().strip('"'),)
        for name in names:
            self._schema.groups.setdefault(name, [])
            for parent in parents:
                if self._is_in_a_group(parent):
                    raise Unsupported(f"schema: action group {parent!r} is itself in a group, which is not translated")
                self._schema.groups.setdefault(parent, []).append(name)
        if self._peek() == "appliesTo":
            self._next()
            shape = self._record()
            missing = {"principal", "resource", "context"} - shape.keys()
            if missing:
                raise Unsupported(f"schema: action {names[0]!r} does not say its {', '.join(sorted(missing))}")
            for name in names:
                self._schema.applies[name] = (f"Sre::{shape['principal']}", f"Sre::{shape['resource']}", f"Sre::{shape['context']}")
        self._expect(";")

    def _is_in_a_group(self, name: str) -> bool:
        return any(name in members for members in self._schema.groups.values())

    def _record(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        self._expect("{")
        while self._peek() != "}":
            name = self._next().strip('"')
            if self._peek() == "?":
                raise Unsupported(f"schema: {name!r} is optional, which is not translated")
            self._expect(":")
            fields[name] = self._type()
            if self._peek() == ",":
                self._next()
        self._expect("}")
        return fields

    def _type(self) -> str:
        name = self._next()
        if name != "Set":
            if name in ("{", "["):
                raise Unsupported("schema: a record or list inside another is not translated")
            return name
        self._expect("<")
        inner = self._next()
        self._expect(">")
        return f"Set<{inner}>"

    def _list(self) -> list[str]:
        if self._peek() != "[":
            return [self._next()]
        words: list[str] = []
        self._expect("[")
        while (word := self._next()) != "]":
            if word != ",":
                words.append(word)
        return words

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        word = self._peek()
        if not word:
            raise Unsupported("schema: it ends too early")
        self._at += 1
        return word

    def _expect(self, *words: str) -> None:
        for word in words:
            if (got := self._next()) != word:
                raise Unsupported(f"schema: {got!r} where {word!r} was expected")
