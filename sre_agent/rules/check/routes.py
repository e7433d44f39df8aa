"""The route tree: does every alert reach its owner, once. Given rules are sent through it (tree.py)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.rules.check.labels import class_of
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.owner import agents, only_chats, owner_of, pages
from sre_agent.rules.rule import Rule
from sre_agent.rules.subject import Subject
from sre_agent.rules.tree import Route, Tree, Value

WRONG_TEAM: Final = Check("SRA201", "wrong-team", Severity.ERROR, "An alert is routed to a team that does not own its class")
MAYBE_WRONG_TEAM: Final = Check("SRA202", "maybe-wrong-team", Severity.WARNING, "A route may take alerts of another class")
DEFAULT_ONLY: Final = Check("SRA203", "default-only", Severity.WARNING, "An alert reaches the default receiver only")
TWO_PAGERS: Final = Check("SRA205", "two-pagers", Severity.ERROR, "One alert wakes two receivers")
ORDER_DECIDES: Final = Check(
    "SRA206", "order-decides", Severity.WARNING, "Two routes match one alert, and only their order decides"
)

CHECKS: Final = (WRONG_TEAM, MAYBE_WRONG_TEAM, DEFAULT_ONLY, TWO_PAGERS, ORDER_DECIDES)

Pair = tuple[Route, Route]


@dataclass
class _Seen:
    """What the alerts showed of one tree: which go wrong, and route (or two) -> the alerts that showed it."""

    wrong: set[Rule] = field(default_factory=set)
    maybe: dict[Route, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    twice: dict[Pair, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    order: dict[Pair, list[Rule]] = field(default_factory=lambda: defaultdict(list))


def findings(subject: Subject) -> Iterator[Finding]:
    """What the given trees do with the given rules."""
    for tree in subject.trees:
        seen = _Seen()
        for rule in subject.alerts:
            yield from _routed(rule, tree, subject, seen)
            if rule not in seen.wrong:
                _siblings(subject.value_of(rule), rule, tree, seen)
        yield from _told(tree, seen)


def _routed(rule: Rule, tree: Tree, subject: Subject, seen: _Seen) -> Iterator[Finding]:
    deliveries = tree.deliveries(subject.value_of(rule))
    owned, routing = class_of(rule), subject.routing
    certain = [d.route for d in deliveries if d.certain]
    for delivery in deliveries:
        receiver = tree.by_name.get(delivery.route.receiver)
        owner = owner_of(delivery.route.receiver, routing)
        if not owned or owner is None or owner == owned or (receiver is not None and only_chats(receiver)):
            continue
        if delivery.certain:
            seen.wrong.add(rule)
            yield _wrong(rule, AlertClass(owned), delivery.route, tree)
        else:
            seen.maybe[delivery.route].append(rule)
    waking = [r for r in certain if (found := tree.by_name.get(r.receiver)) is not None and pages(found)]
    for first, second in pairwise(waking):
        if first.receiver != second.receiver:
            seen.twice[first, second].append(rule)
    root = tree.root
    if owned and deliveries and all(d.route is root for d in deliveries) and root is not None:
        yield from _default(rule, tree, root)


def _wrong(rule: Rule, owned: AlertClass, route: Route, tree: Tree) -> Finding:
    why = f"this {owned} alert goes to {route.receiver}, by the route on line {route.place.line} of {tree.document.path}"
    cost = " who cannot repair a model" if owned is AlertClass.MODEL else " who do not own it"
    todo = f'route alert_type="{owned}" to its own receiver above that route, or correct the label'
    return WRONG_TEAM.at(rule.document.path, rule.place, f"{why}: people{cost} are woken", todo)


def _default(rule: Rule, tree: Tree, root: Route) -> Iterator[Finding]:
    receiver = tree.by_name.get(root.receiver)
    if (receiver is not None and agents(receiver)) or rule.value("severity") == "none" or not root.routes:
        return
    why = f"no route of {tree.document.path} takes it, so it ends at the default receiver {root.receiver}"
    yield DEFAULT_ONLY.at(rule.document.path, rule.place, why, "add a route for its alert_type, or correct its labels")


def _siblings(value: Value, rule: Rule, tree: Tree, seen: _Seen) -> None:
    """Routes beside one another that both certainly take the alert, neither of which is just the narrower one."""
    front = [tree.root] if tree.root is not None else []
    while front:
        taken = [route for route in front.pop().routes if route.holds(value) is True]
        if not taken:
            continue
        first = taken[0]
        front.append(first)
        for second in taken[1:] if not first.continues else ():
            apart = second.receiver != first.receiver and not implies(first, second) and not implies(second, first)
            if apart:
                seen.order[first, second].append(rule)


def implies(narrow: Route, wide: Route) -> bool:
    """Whatever the one takes the other would take too, as far as single matchers tell. Both hang on the same route."""
    around = [one for route in narrow.above() for one in route.matchers]
    fixed = {one.name: one.value for one in around if one.operator == "="}
    return not wide.faults and all(
        one in around or (one.name in fixed and one.holds(fixed)) or (one.operator == "=~" and one.value == ".*")
        for one in wide.matchers
    )


def _told(tree: Tree, seen: _Seen) -> Iterator[Finding]:
    path = tree.document.path
    for route, rules in seen.maybe.items():
        why = f"{_named(rules)} may come to {route.receiver}, which does not own {_classes(rules)} alerts"
        yield MAYBE_WRONG_TEAM.at(
            path, route.place, why, "put the routes for alert_type first, or add alert_type to these matchers"
        )
    for (first, second), rules in seen.twice.items():
        why = f"{_named(rules)} wakes {first.receiver} here and {second.receiver} by the route on line {second.place.line}"
        yield TWO_PAGERS.at(path, first.place, why, "take `continue: true` away, or let one of the two only write to a channel")
    for (first, second), rules in seen.order.items():
        why = f"{_named(rules)} fits this route and the one on line {first.place.line}, which leads to {first.receiver}"
        yield ORDER_DECIDES.at(path, second.place, why, "make the matchers of the two exclude each other")


def _named(rules: list[Rule]) -> str:
    """ "RedisDown (rules.yaml:12) and 3 more" """
    first = rules[0]
    more = f" and {len(rules) - 1} more" if len(rules) > 1 else ""
    return f"{first.alert} ({first.document.path}:{first.place.line}){more}"


def _classes(rules: list[Rule]) -> str:
    return " and ".join(sorted({class_of(rule) for rule in rules}))
