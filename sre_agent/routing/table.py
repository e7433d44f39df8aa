"""The first route that holds, found without asking every route: the labels' values lead to those that can."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sre_agent.routing.file import Route, Routing
from sre_agent.routing.matcher import Matcher, matchers


def first_match(routing: Routing, labels: Mapping[str, str]) -> Route | None:
    """The first of routing.routes whose matchers all hold for these labels; None when none does.

    Raises ValueError for a matcher that cannot be read.
    """
    return _table(_Same(routing)).first(labels)


class _Same:
    """A routing file by identity: it is frozen, and too large to compare."""

    def __init__(self, routing: Routing) -> None:
        self.routing = routing

    def __hash__(self) -> int:
        return id(self.routing)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.routing is self.routing


@lru_cache(maxsize=8)
def _table(same: _Same) -> "Table":
    return Table(same.routing.routes)


@dataclass(frozen=True)
class _Key:
    """A label and how its value is looked up: all of it (`length` None), or its first characters."""

    name: str
    length: int | None


class Table:
    """Routes, each under the values that one of its matchers asks for. Raises ValueError for a matcher that cannot be read."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route, tuple(one for text in route.matchers for one in matchers(text))) for route in routes]
        self._always: list[int] = []
        self._under: dict[_Key, dict[str, list[int]]] = defaultdict(dict)
        common = Counter((key, value) for _, asked in self._routes for one in asked for key, value in _entries(one))
        for n, (_, asked) in enumerate(self._routes):
            found = [entries for one in asked if (entries := list(_entries(one)))]
            # The matcher whose values the fewest routes ask for.
            for key, value in min(found, key=lambda entries: sum(common[e] for e in entries), default=[]):
                self._under[key].setdefault(value, []).append(n)
            if not found:
                self._always.append(n)

    def first(self, labels: Mapping[str, str]) -> Route | None:
        """The first route all of whose matchers hold."""
        able = list(self._always)
        for key, routes in self._under.items():
            able += routes.get(labels.get(key.name, "")[: key.length], ())
        for n in sorted(able):
            route, asked = self._routes[n]
            if all(one.holds(labels) for one in asked):
                return route
        return None


def _entries(one: Matcher) -> Iterator[tuple[_Key, str]]:
    """Where a matcher can hold; nothing when that can be anywhere."""
    if one.operator == "=":
        yield _Key(one.name, None), one.value
    elif one.operator == "=~" and one.words is not None:
        yield from ((_Key(one.name, None), word) for word in one.words)
    elif one.operator == "=~" and one.beginning:
        yield _Key(one.name, len(one.beginning)), one.beginning
