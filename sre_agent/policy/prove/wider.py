"""Is one set of policies wider than another? Yes comes with a request that shows it (invariant 31)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sre_agent.policy.facts import GuardRequest
from sre_agent.policy.prove.concrete import Concrete, Example, Value
from sre_agent.policy.prove.reading import ANSWERING, REMEDIATION, Reading, Ruleset
from sre_agent.policy.prove.requests import request_of
from sre_agent.policy.prove.risk import RANKINGS, RISK, Worse
from sre_agent.policy.prove.solver import Prover, Symbolic, Term
from sre_agent.policy.prove.vocabulary import Kind, World
from sre_agent.policy.syntax import Entity, Names, Unsupported


@dataclass(frozen=True)
class Widening:
    """A request that the new policies allow and the old ones do not, as values and, where it is one, as the guard's.

    `example` differs from an uneventful request only where it has to. `request` is None for a request to approve.
    """

    example: Example
    request: GuardRequest | None = None


def wider(old: Ruleset, new: Ruleset) -> GuardRequest | None:
    """A request for an action that `new` allows, at its own count of approvals, and `old` does not; None when there is none.

    Raises Unsupported for a construct that is not translated (or two schemas that contradict each other),
    solver.Undecided when z3 gives no answer, ConfigurationError without z3.
    """
    found = widening(old, new, REMEDIATION)
    return found.request if found else None


def wider_approvers(old: Ruleset, new: Ruleset) -> Mapping[str, object] | None:
    """Somebody whose yes counts under `new` and not under `old`, path by path; None when there is nobody. Raises as wider."""
    found = widening(old, new, ANSWERING)
    return {".".join(names): _shown(value) for names, value in found.example.values.items()} if found else None


def widening(old: Ruleset, new: Ruleset, name: str) -> Widening | None:
    """What `wider` found, in one world."""
    world = merged(old.world(name), new.world(name))
    symbols = Symbolic(world)
    before, after = Reading(old, world, symbols), Reading(new, world, symbols)
    prover = Prover(symbols.bounds())
    wanted = [after.allowed(), symbols.negation(before.allowed())]
    if prover.possible(*wanted) is None:
        return None
    pinned = _uneventful(prover, symbols, world, wanted)
    found = prover.possible(*wanted, *pinned)
    if found is None:
        raise Unsupported("z3 answered two ways")
    example = found.example(world, symbols, (*old.texts(), *new.texts()))
    # INVARIANT: what z3 found is shown only after the other reading of the same policies agrees.
    if not _allows(new, world, example) or _allows(old, world, example):
        raise Unsupported("the two readings of the policies disagree about the request that z3 found")
    return Widening(example, request_of(example, world) if name == REMEDIATION else None)


def merged(old: World, new: World) -> World:
    """A world that holds the requests of both. Raises Unsupported when they give a path two kinds."""
    symbols = dict(new.symbols)
    for names, kind in old.symbols.items():
        other = symbols.setdefault(names, kind)
        if not other.like(kind):
            raise Unsupported(
                f"{'.'.join(names)} is a {kind.sort} {kind.type} in one schema and a {other.sort} {other.type} in the other"
            )
        members = tuple(dict.fromkeys((*other.members, *kind.members)))
        symbols[names] = replace(other, members=members)
    actions = tuple(dict.fromkeys((*new.actions, *old.actions)))
    return replace(new, actions=actions, symbols=symbols)


def _allows(rules: Ruleset, world: World, example: Example) -> bool:
    reading: Reading[Value] = Reading(rules, world, Concrete(example))
    return reading.allowed() is True


def _uneventful(prover: Prover, symbols: Symbolic, world: World, wanted: list[Term]) -> list[Term]:
    """Pin one path after another to its dullest value, as long as a request is left: what remains tells the story."""
    pinned: list[Term] = []
    for names, kind in world.symbols.items():
        for value in _dull(names, kind):
            pin = symbols.equal(symbols.symbol(names, kind), symbols.value(value, kind))
            if prover.possible(*wanted, *pinned, pin) is not None:
                pinned.append(pin)
                break
    return pinned


def _dull(names: Names, kind: Kind) -> tuple[Value, ...]:
    """Values nobody would ask about, best first."""
    worse = RISK.get(names[-1], Worse.UNORDERED) if names[1:2] == ("facts",) else Worse.UNORDERED
    match kind.sort:
        case "Bool":
            return (worse is Worse.FALSE, worse is not Worse.FALSE)
        case "Long" if worse is Worse.LESS:
            return (min(100, kind.high), kind.high, 2, 1)
        case "Long":
            return (max(kind.low, 0), 1, kind.high)
        case "Set":
            return (frozenset(),)
        case "String":
            return (names[-1], "")
        case "Entity":
            ranked = RANKINGS.get(names[-1], kind.members) if kind.members else ("a", "b")
            return tuple(Entity(kind.type, value) for value in ranked)


def _shown(value: Value) -> object:
    if isinstance(value, frozenset):
        return sorted(str(_shown(v)) for v in value)
    return value.id if isinstance(value, Entity) else value
