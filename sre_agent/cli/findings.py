"""`sre-agent findings`: the closed vocabulary of causes the agent can name."""

from typing import Annotated

import typer


def findings(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object of kind to class and meaning.")] = False,
    reasons: Annotated[bool, typer.Option("--reasons", help="The reasons instead: why a fault is there.")] = False,
) -> None:
    """List every cause the agent can name."""
    import json

    from sre_agent.cli.render import table
    from sre_agent.evidence.finding import EXPLANATIONS
    from sre_agent.evidence.finding_reason import REASONS

    if reasons:
        if as_json:
            typer.echo(json.dumps({reason.value: meaning for reason, meaning in REASONS.items()}, indent=2))
        else:
            table(("reason", "meaning: because ..."), [(reason.value, meaning) for reason, meaning in REASONS.items()])
        return
    if as_json:
        meanings = {kind.value: {"class": owner.value, "meaning": meaning} for kind, (owner, meaning) in EXPLANATIONS.items()}
        typer.echo(json.dumps(meanings, indent=2))
        return
    table(("kind", "class", "meaning"), [(kind.value, owner.value, meaning) for kind, (owner, meaning) in EXPLANATIONS.items()])
