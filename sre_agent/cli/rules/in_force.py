"""The routing file that a command goes by: the one named, or else the one in force (policies and overlay)."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sre_agent.routing.file import Routing


def routing_of(context: typer.Context, named: Path | None) -> "Routing":
    """Its content. Raises ConfigurationError with what is wrong with it."""
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.routing.matcher import matcher
    from sre_agent.wiring.routing import routing_at, routing_in_force

    content = routing_in_force(context.obj) if named is None else routing_at(named)
    objectives = [o for vertical in content.verticals.values() if vertical is not None for o in vertical.objectives]
    for text in (text for matchers in (*content.cost.matchers, *(o.matchers for o in objectives)) for text in matchers):
        try:
            matcher(text)
        except ValueError as error:
            raise ConfigurationError(f"{named or 'routing.yaml'}: the matcher {text} cannot be read: {error}") from error
    return content
