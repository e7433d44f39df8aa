"""What the root command hands to every other one: where the settings are."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sre_agent.settings import Settings


def settings_of(context: typer.Context) -> "Settings":
    """The effective settings of this run. Raises ConfigurationError."""
    from sre_agent.settings import load

    return load(context.obj)
