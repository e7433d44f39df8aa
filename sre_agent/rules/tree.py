"""Alertmanager's route tree as it stands in a file, and which of its routes an alert takes.

Source: https://prometheus.io/docs/alerting/latest/configuration/#route. A label may be unknown (None): then a route is taken
certainly, perhaps, or not at all.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sre_agent.routing.matcher import Matcher, matcher
from sre_agent.rules.document import Document, Entry, Mapping, Node, Place, Scalar, Sequence
from sre_agent.rules.recognise import AlertmanagerFile

MOST_ROUTES: Final = 20_000
Value = Callable[[str], str | None]
_SPLIT: Final = re.compile(r'((?:[^,"]|"(?:[^"\\]|\\.)*")+)')


@dataclass(frozen=True)
class Fault:
    """A matcher that cannot be read, where, and why."""

    place: Place
    why: str


@dataclass(eq=False)
class Route:
    """One route. `receiver` is inherited where it does not say one. `old`: its `match` and `match_re` entries."""

    node: Mapping
    receiver: str
    parent: "Route | None"
    matchers: tuple[Matcher, ...] = ()
    faults: tuple[Fault, ...] = ()
    routes: "tuple[Route, ...]" = field(default=(), repr=False)

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.node.place

    @property
    def continues(self) -> bool:
        """Later siblings are looked at too."""
        return self.node.text("continue").casefold() in ("true", "yes", "on")

    @property
    def old(self) -> tuple[Entry, ...]:
        """Its `match` and `match_re`, where it still has them."""
        return tuple(e for e in self.node.entries if e.key.text in ("match", "match_re"))

    def holds(self, value: Value) -> bool | None:
        """Whether its matchers hold: None when it depends on a label that nobody knows."""
        answers = [_holds(one, value(one.name)) for one in self.matchers]
        return False if False in answers else None if None in answers or self.faults else True

    def above(self) -> "Iterator[Route]":
        """Itself and every route around it."""
        route: Route | None = self
        while route is not None:
            yield route
            route = route.parent

    def walk(self) -> "Iterator[Route]":
        """Itself and every route below it, in the file's order."""
        yield self
        for route in self.routes:
            yield from route.walk()


@dataclass(frozen=True)
class Delivery:
    """A route whose receiver an alert reaches, and whether that is certain."""

    route: Route
    certain: bool


@dataclass(frozen=True, eq=False)
class Receiver:
    """One receiver, with the integrations that it has ("pagerduty_configs" and so on)."""

    node: Mapping

    @cached_property
    def name(self) -> str:
        """Its name."""
        return self.node.text("name")

    @cached_property
    def place(self) -> Place:
        """Where it is named."""
        entry = self.node.entry("name")
        return self.node.place if entry is None else entry.key.place

    def integrations(self, kind: str) -> tuple[Mapping, ...]:
        """Its configurations of one kind ("pagerduty_configs")."""
        return tuple(item for item in self.node.items(kind) if isinstance(item, Mapping))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of integrations that it has at least one of."""
        keys = [e.key.text for e in self.node.entries if e.key.text.endswith("_configs")]
        return frozenset(key for key in keys if self.integrations(key))


@dataclass(frozen=True, eq=False)
class Tree:
    """One Alertmanager configuration."""

    document: Document
    config: Mapping
    root: Route | None
    receivers: tuple[Receiver, ...]

    @cached_property
    def by_name(self) -> dict[str, Receiver]:
        """Its receivers by their names."""
        return {receiver.name: receiver for receiver in self.receivers}

    def routes(self) -> Iterator[Route]:
        """Every route, the root first."""
        return iter(()) if self.root is None else self.root.walk()

    def deliveries(self, value: Value) -> tuple[Delivery, ...]:
        """Every route that an alert with these labels takes, certainly or perhaps."""
        if self.root is None:
            return ()
        found = list[Delivery]()
        _walk(self.root, value, True, found)
        return tuple(found)


def tree_of(file: AlertmanagerFile) -> Tree:
    """The tree of a configuration."""
    top = file.root.mapping("route")
    named = [Receiver(n) for n in file.root.items("receivers") if isinstance(n, Mapping)]
    return Tree(file.document, file.root, None if top is None else _route(top, "", None), tuple(named))


def _route(node: Mapping, receiver: str, parent: Route | None) -> Route:
    found = Route(node, node.text("receiver") or receiver, parent)
    found.matchers, found.faults = _matchers(node)
    found.routes = tuple(_route(child, found.receiver, found) for child in node.items("routes") if isinstance(child, Mapping))
    return found


def _matchers(node: Mapping) -> tuple[tuple[Matcher, ...], tuple[Fault, ...]]:
    matchers, faults = list[Matcher](), list[Fault]()
    for text, place in _texts(node):
        try:
            matchers.append(matcher(text))
        except ValueError as wrong:
            faults.append(Fault(place, str(wrong)))
    return tuple(matchers), tuple(faults)


def _texts(node: Mapping) -> Iterator[tuple[str, Place]]:
    """Every matcher of a route in today's syntax, and where it is said."""
    for key, operator in (("match", "="), ("match_re", "=~")):
        under = node.mapping(key)
        for entry in () if under is None else under.entries:
            yield f"{entry.key.text}{operator}{json.dumps(_text(entry.value), ensure_ascii=False)}", entry.key.place
    found = node.get("matchers")
    for item in found.items if isinstance(found, Sequence) else () if found is None else (found,):
        for text in _SPLIT.findall(_text(item).strip().removeprefix("{").removesuffix("}")):
            if text.strip():
                yield text.strip(), item.place


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _holds(one: Matcher, value: str | None) -> bool | None:
    """Whether a matcher holds for a label's value; for one that nobody knows, only what holds for every value is certain."""
    if value is not None:
        return one.holds({one.name: value})
    return True if one.operator == "=~" and one.value == ".*" else None


def _walk(route: Route, value: Value, certain: bool, found: list[Delivery]) -> bool | None:
    """Add the deliveries at and below a route; whether the route is taken."""
    holds = route.holds(value)
    if holds is False:
        return False
    here = certain and holds is True
    answers, sure = set[bool | None](), here
    for child in route.routes:
        answer = _walk(child, value, sure, found)
        answers.add(answer)
        if answer is True and not child.continues:
            break
        sure = sure and (answer is not None or child.continues)
    if True not in answers:
        found.append(Delivery(route, here and None not in answers))
    return holds
