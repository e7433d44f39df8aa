"""The routing file that a command goes by: the one named, or else the one in force (policies and overlay)."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sre_agent.routing.file import Routing


def routing_of(context: typer.Context, named: Path | None) -> "Routing":
    """Its content. Raises ConfigurationError with what is wrong with it."""
    from sre_agent.wiring.routing import routing_at, routing_in_force

    return routing_in_force(context.obj) if named is None else routing_at(named)
