"""What commands share: where the settings are, and how a person proves who they are."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sre_agent.settings import Settings


MORE_PERMISSIVE = 3
"""Exit status when what is compared lets the agent go further."""

TOKEN_VARIABLE = "SRE_AGENT_APPROVER_TOKEN"  # noqa: S105


def settings_of(context: typer.Context) -> "Settings":
    """The effective settings of this run. Raises ConfigurationError."""
    from sre_agent.settings import load

    return load(context.obj)


def past_settings_of(context: typer.Context, reasoner: str = "rules") -> "Settings":
    """The same for a command that only looks at the past. Raises ConfigurationError for what that needs, and for nothing else."""
    from sre_agent.settings import Reasoner, load

    return load(context.obj, Reasoner(reasoner))


def own_token() -> str:
    """The token of the person at the keyboard, from SRE_AGENT_APPROVER_TOKEN or asked for. It is never an argument."""
    import os

    return os.environ.get(TOKEN_VARIABLE) or str(typer.prompt("Your token", hide_input=True))
