"""`sre-agent settings`: what this process would run with, secrets masked."""

from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    from sre_agent.settings import Settings

_DERIVED = {
    "SRE_AGENT_POLICIES": "policies_dir",
    "SRE_AGENT_RUNBOOKS": "runbooks_dir",
    "SRE_AGENT_REASONER": "effective_reasoner",
}
"""Settings whose default follows from something else, and where what follows is read."""
_PLAIN = frozenset({"PAGERDUTY_FROM_EMAIL"})
"""A mail address that is no secret here: who reads this list has to see which one signs the notes."""


def settings(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object of variable to value.")] = False,
) -> None:
    """Print the effective settings, secrets masked."""
    import json

    from sre_agent.cli.render import table
    from sre_agent.settings import variables

    effective = settings_of(context)
    values = {variable: getattr(effective, _DERIVED.get(variable, name)) for variable, name in variables().items()}
    shown = {variable: value if variable in _PLAIN else _shown(value) for variable, value in values.items()}
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
        return
    rows = [(variable, "" if value is None else _text(value), _origin(effective, variable)) for variable, value in shown.items()]
    table(("variable", "value", "from"), rows)


def _shown(value: object) -> object:
    """A value that may be shown: secrets masked, credentials cut out of addresses, as plain JSON."""
    from enum import Enum

    from pydantic import SecretStr

    from sre_agent.evidence.redact import redact
    from sre_agent.settings import MASK

    match value:
        case SecretStr():
            return MASK
        case dict():
            return {str(key): _shown(item) for key, item in value.items()}
        case tuple():
            return [":".join(str(part) for part in pair) for pair in value]
        case Enum():
            return value.value
        case None | bool() | int() | float():
            return value
        case _:
            return redact(str(value))


def _text(value: object) -> str:
    """A shown value as one cell."""
    import json

    return value if isinstance(value, str) else json.dumps(value)


def _origin(effective: "Settings", variable: str) -> str:
    """Where a value came from."""
    import os

    from sre_agent.settings import variables

    if os.environ.get(variable):
        return "environment"
    return "file" if variables()[variable] in effective.model_fields_set else "default"
