"""Alertmanager's route tree as the routing file asks for it. It gives every alert the receiver that the decision gives it.

Below the root (the default receiver: whatever has no class) stands one route for each class; below that the file's own routes.
One that leads to another class' receiver is refused by the decision and gets its class' own receiver here: it still comes first.
Source of the tree's meaning: https://prometheus.io/docs/alerting/latest/configuration/#route
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sre_agent.incident.alert import AlertClass
from sre_agent.routing.file import Route, Routing
from sre_agent.routing.matcher import Matcher, matchers
from sre_agent.triage.classify import LABEL
from sre_agent.triage.ownership import AI_ENGINEERING, INTEGRATIONS, PLATFORM

RECEIVER_OF: Final = {AlertClass.INFRA: PLATFORM, AlertClass.MODEL: AI_ENGINEERING, AlertClass.TOOL: INTEGRATIONS}
"""The receiver of a class, which no route of another class may lead to."""

FALLBACK: Final = "-fallback"
"""What the name of a receiver ends with that pages a team without the agent."""

VIA_FALLBACK: Final = Matcher("via", "=", "fallback")
"""What Prometheus' copies of alerts carry while the agent is silent (docs/doors.md)."""


NAMELESS: Final = "tools without a name"


@dataclass(frozen=True)
class Node:
    """One route without `continue`. `group_by` () is the parent's. `why` is a line for who reads the file."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    routes: tuple["Node", ...] = ()
    why: str = ""


def tree_of(routing: Routing) -> Node:
    """The root of the tree. Raises ValueError for a matcher that cannot be read.

    Copies of alerts take the same way to receivers of the same teams that need no agent.
    """
    classes = tuple(_classes(routing))
    copies = tuple(_without_agent(node) for node in classes if node.why != NAMELESS)
    silent = "copies that Prometheus fires while the agent is silent"
    fallback = Node(routing.default_receiver + FALLBACK, (VIA_FALLBACK,), (LABEL, "original"), copies, silent)
    untagged = "what carries no class, or none that is known"
    return Node(routing.default_receiver, (), _group_by(routing, AlertClass.UNKNOWN), (fallback, *classes), untagged)


def receiver_of(node: Node, labels: Mapping[str, str]) -> str:
    """The receiver that Alertmanager takes for these labels: of the first route that holds, as deep as one does."""
    for child in node.routes:
        if all(one.holds(labels) for one in child.matchers):
            return receiver_of(child, labels)
    return node.receiver


def receivers_of(node: Node) -> tuple[str, ...]:
    """All receivers of the tree, each once, in the order in which the tree names them."""
    return tuple(dict.fromkeys(_named(node)))


def _named(node: Node) -> Iterator[str]:
    yield node.receiver
    for child in node.routes:
        yield from _named(child)


def _classes(routing: Routing) -> Iterator[Node]:
    for kind, receiver in RECEIVER_OF.items():
        of_class = Matcher(LABEL, "=", kind.value)
        routes = tuple(_routes(routing, kind, receiver))
        group_by = _group_by(routing, kind)
        if kind is AlertClass.TOOL and "tool_name" in group_by:
            # As group_of does it: alerts of nobody's tool have nothing in common.
            nobodys = tuple(dict.fromkeys((*group_by, *routing.group_by.get(AlertClass.UNKNOWN, ()))))
            yield Node(receiver, (of_class, Matcher("tool_name", "=", "")), nobodys, routes, NAMELESS)
        yield Node(receiver, (of_class,), group_by, routes, f"class {kind.value}")


def _without_agent(node: Node) -> Node:
    return Node(node.receiver + FALLBACK, node.matchers, (), tuple(_without_agent(child) for child in node.routes), node.why)


def _routes(routing: Routing, kind: AlertClass, own: str) -> Iterator[Node]:
    """The file's routes as far as an alert of this class can be meant."""
    for route in routing.routes:
        asked = tuple(one for text in route.matchers for one in matchers(text))
        rest = tuple(one for one in asked if one.name != LABEL)
        if all(one.holds({LABEL: kind.value}) for one in asked if one.name == LABEL):
            yield Node(_receiver(route, own), rest, (), (), f"route {route.id}")


def _receiver(route: Route, own: str) -> str:
    return own if route.receiver in RECEIVER_OF.values() else route.receiver


def _group_by(routing: Routing, kind: AlertClass) -> tuple[str, ...]:
    """With the class: alerts of two classes are never one incident."""
    return tuple(dict.fromkeys((LABEL, *routing.group_by.get(kind, ()))))
