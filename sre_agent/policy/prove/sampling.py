"""Requests near the edges of the rules, for the differential test. The dice are a parameter.

Most start from a seed (a request known to be good) and change a few paths, so that a good share is allowed and every
policy gets to decide some; the rest are random throughout.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from sre_agent.policy.prove.concrete import Example, Value
from sre_agent.policy.prove.reading import Ruleset
from sre_agent.policy.prove.vocabulary import PRINCIPAL, RESOURCE, Kind, World
from sre_agent.policy.syntax import Constant, Entity, Like, Names, Operation, Path

X = TypeVar("X")

IDS = ("a", "b")
"""Ids of entities that are not enums: few, so that they meet."""


class Dice(Protocol):
    """Where chance comes from; random.Random is one."""

    def randrange(self, stop: int, /) -> int:
        """An integer from 0 to stop - 1."""
        ...


class Sampler:
    """Examples of one world, without end."""

    def __init__(self, rules: Ruleset, world: World, seeds: Sequence[Example], dice: Dice) -> None:
        self._world = world
        self._dice = dice
        self._seeds = seeds
        about = _about(rules, world)
        everywhere = about.constants()
        compared = _compared(about)
        self._pools = {
            names: _pool(kind, everywhere, compared.get(names, ())) for names, kind in world.symbols.items() if names != RESOURCE
        }
        self._paths = tuple(self._pools)

    def __iter__(self) -> Iterator[Example]:
        while True:
            yield self._sample()

    def _sample(self) -> Example:
        start = self._pick(self._seeds)
        if self._dice.randrange(10) == 0:
            names: tuple[Names, ...] = self._paths
        else:
            names = tuple(self._pick(self._paths) for _ in range(self._pick((0, 1, 1, 1, 2, 2, 3, 5))))
        changed = start.given({n: self._pick(self._pools[n]) for n in names})
        return Example(changed.values, self._parents(changed))

    def _parents(self, example: Example) -> dict[Entity, frozenset[Entity]]:
        """Half of the principals are in the owning team."""
        principal, owner = example.values[PRINCIPAL], example.values.get(("resource", "owner"))
        if self._world.principal != "Sre::Person" or not isinstance(principal, Entity) or not isinstance(owner, Entity):
            return {}
        other = Entity(owner.type, "other")
        return {principal: self._pick((frozenset({owner}), frozenset({owner, other}), frozenset({other}), frozenset()))}

    def _pick(self, of: Sequence[X]) -> X:
        return of[self._dice.randrange(len(of))]


def _about(rules: Ruleset, world: World) -> Ruleset:
    """The policies that can speak in a world: what others compare with is not worth trying there."""
    known = {*world.actions, *world.groups}
    return rules.having(tuple(p for p in rules.policies if p.actions is None or not known.isdisjoint(a.id for a in p.actions)))


def _pool(kind: Kind, everywhere: Sequence[bool | int | str], own: Sequence[bool | int | str]) -> tuple[Value, ...]:
    """Values of a kind worth trying; those its own comparisons name weigh more."""
    match kind.sort:
        case "Bool":
            return (False, True)
        case "Long":
            near = [n + d for n in own if isinstance(n, int) for d in (-1, 0, 1)]
            far = [n + d for n in everywhere if isinstance(n, int) and not isinstance(n, bool) for d in (-1, 0, 1)]
            inside = [n for n in (*near, *near, *near, *sorted(set(far)), kind.low, kind.high) if kind.low <= n <= kind.high]
            return tuple(inside)
        case "String":
            texts = [t for t in (*own, *own, *everywhere) if isinstance(t, str)]
            return (*texts, *(f"{t}x" for t in texts), *(f"x{t}" for t in texts), "", *IDS)
        case "Set":
            items = _pool(kind.element or Kind("String"), everywhere, own)
            singles = [frozenset({i}) for i in items if isinstance(i, str | Entity)]
            return (frozenset(), frozenset(), *singles, frozenset().union(*singles[-2:]))
        case "Entity":
            return tuple(Entity(kind.type, i) for i in kind.members or IDS)


def _compared(rules: Ruleset) -> dict[Names, list[bool | int | str]]:
    """Each path with the constants that some condition compares it with."""
    found: dict[Names, list[bool | int | str]] = {}
    for node in (node for policy in rules.policies for node in policy.nodes):
        match node:
            case Operation(operands=operands):
                constants = [c.value for c in operands if isinstance(c, Constant)]
                for path in (p for p in operands if isinstance(p, Path)):
                    found.setdefault(path.names, []).extend(constants)
            case Like(base=Path(names=names), pieces=pieces):
                found.setdefault(names, []).extend(p for p in pieces if p)
            case _:
                pass
    return found


def answering_seed(world: World) -> Example:
    """A member of the owning team who answers in time: the seed of the requests about approvals."""
    values: dict[Names, Value] = {
        names: Entity(kind.type, (kind.members or IDS)[0]) if kind.sort == "Entity" else "a"
        for names, kind in world.symbols.items()
    }
    values |= {n: (frozenset() if k.sort == "Set" else 0) for n, k in world.symbols.items() if k.sort in ("Set", "Long")}
    values[("resource", "expires_at_s")] = 1
    return Example(values, {Entity(world.principal, IDS[0]): frozenset({Entity("Sre::Team", IDS[0])})})
