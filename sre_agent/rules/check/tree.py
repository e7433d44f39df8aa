"""The route tree by itself: what Alertmanager would refuse, what can never be reached, what is written in the old way."""

from collections.abc import Iterator
from typing import Final

from sre_agent.rules.check.renew import renewed
from sre_agent.rules.check.routes import implies
from sre_agent.rules.document import Scalar
from sre_agent.rules.finding import Check, Finding, Severity
from sre_agent.rules.subject import Subject
from sre_agent.rules.tree import Route, Tree

UNREACHABLE: Final = Check("SRA204", "route-unreachable", Severity.ERROR, "No alert can ever reach the route")
OLD_MATCHERS: Final = Check("SRA207", "old-matchers", Severity.WARNING, "match and match_re are deprecated")
NO_RECEIVER: Final = Check("SRA208", "receiver-missing", Severity.ERROR, "A route names a receiver that does not exist")
BAD_MATCHER: Final = Check("SRA215", "matcher-unreadable", Severity.ERROR, "A matcher cannot be read")
BAD_ROOT: Final = Check("SRA217", "root-route", Severity.ERROR, "The root route is none that Alertmanager takes")

CHECKS: Final = (UNREACHABLE, OLD_MATCHERS, NO_RECEIVER, BAD_MATCHER, BAD_ROOT)
MOST_SIBLINGS: Final = 1_000
"""So many routes beside one another are compared with each other."""


def findings(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the trees themselves."""
    for tree in subject.trees:
        yield from _root(tree)
        for route in tree.routes():
            yield from _receiver(route, tree)
            for fault in route.faults:
                why = f"this matcher cannot be read, and the whole file is refused: {fault.why}"
                yield BAD_MATCHER.at(
                    tree.document.path, fault.place, why, 'write name="value", name=~"regular expression", != or !~'
                )
            for entry in route.old:
                why = f"{entry.key.text} is deprecated since Alertmanager 0.22, and will be gone one day"
                yield OLD_MATCHERS.at(
                    tree.document.path, entry.key.place, why, 'write matchers: with name="value"', renewed(tree.document, route)
                )
            yield from _unreachable(route, tree)


def _root(tree: Tree) -> Iterator[Finding]:
    path, root = tree.document.path, tree.root
    if root is None:
        why = "there is no root route, so no alert goes anywhere"
        yield BAD_ROOT.at(path, tree.config.place, why, "add route: with a receiver")
    elif not root.receiver:
        yield BAD_ROOT.at(path, root.place, "the root route names no receiver", "add receiver: for what no other route takes")
    elif root.matchers or root.old or root.continues:
        why = "the root route takes every alert and may have neither matchers nor continue"
        yield BAD_ROOT.at(path, root.place, why, "move them to a route below it")


def _receiver(route: Route, tree: Tree) -> Iterator[Finding]:
    named = route.node.get("receiver")
    if isinstance(named, Scalar) and named.text not in tree.by_name:
        why = f"there is no receiver {named.text!r}, and Alertmanager refuses the whole file"
        known = ", ".join(sorted(tree.by_name)[:12]) or "none"
        yield NO_RECEIVER.at(tree.document.path, named.place, why, f"correct the name (there are: {known}), or add the receiver")


def _unreachable(route: Route, tree: Tree) -> Iterator[Finding]:
    """Routes below this one that an earlier sibling takes everything from, and such as contradict the routes around them."""
    path = tree.document.path
    for n, later in enumerate(route.routes[:MOST_SIBLINGS]):
        for earlier in route.routes[:n]:
            if not earlier.continues and implies(later, earlier):
                why = f"the route on line {earlier.place.line} comes first, takes all that this one would, and does not continue"
                yield UNREACHABLE.at(path, later.place, why, "move this route above it, or make the other one narrower")
                break
        else:
            yield from _contradiction(later, tree)


def _contradiction(route: Route, tree: Tree) -> Iterator[Finding]:
    wrong = _impossible(route)
    if wrong and not (route.parent is not None and _impossible(route.parent)):
        why = f"its matchers and those of the routes around it exclude each other: no alert has two values of {wrong}"
        yield UNREACHABLE.at(tree.document.path, route.place, why, "correct the matchers, or move the route")


def _impossible(route: Route) -> str:
    """The label that would have to have two values; "" when there is none."""
    matchers = [one for around in route.above() for one in around.matchers]
    fixed = {one.name: one.value for one in matchers if one.operator == "="}
    return next((one.name for one in matchers if one.name in fixed and not one.holds(fixed)), "")
