"""The first route that holds."""

from collections.abc import Mapping

from sre_agent.routing.file import Route, Routing
from sre_agent.routing.matcher import all_hold


def first_match(routing: Routing, labels: Mapping[str, str]) -> Route | None:
    """The first of routing.routes whose matchers all hold for these labels; None when none does."""
    return next((route for route in routing.routes if all_hold(route.matchers, labels)), None)
