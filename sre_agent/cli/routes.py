"""`sre-agent routes`: Alertmanager's route tree from the routing file."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Alertmanager's route tree, written from the routing file and tested.", no_args_is_help=True)

ROUTING = "The routing file; the one in force if left out."
Routing_ = Annotated[Path | None, typer.Option("--routing", metavar="FILE", help=ROUTING)]


@app.command()
def render(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write here; else to standard output.")] = None,
    routing: Routing_ = None,
    url: Annotated[str | None, typer.Option("--url", help="The agent's door; else below SRE_AGENT_PUBLIC_URL.")] = None,
    token_file: Annotated[
        str, typer.Option("--token-file", metavar="FILE", help="Where Alertmanager finds the door's token.")
    ] = "/etc/alertmanager/sre-agent.token",  # noqa: S107 (a path)
    keys: Annotated[
        str, typer.Option("--keys", metavar="DIR", help="Where it finds PagerDuty's routing keys, RECEIVER.key each.")
    ] = "/etc/alertmanager/pagerduty",
) -> None:
    """Write Alertmanager's configuration: a route for each class, and PagerDuty without the agent while that is silent."""
    from sre_agent.cli.render import printable
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.routing.render import Ends, rendered
    from sre_agent.wiring.routing import door_url, routing_at, routing_in_force

    found = routing_at(routing) if routing else routing_in_force(context.obj)
    try:
        text = rendered(found, Ends(url or door_url(context.obj), token_file, keys))
    except ValueError as wrong:
        raise ConfigurationError(f"{routing or 'routing.yaml'}: {wrong}") from wrong
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        partial = output.with_name(f".{output.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        raise ConfigurationError(f"{output}: cannot be written: {error.strerror or error}; name another --output") from error
    typer.echo(printable(f"{output}: written"))


@app.command("test")
def try_out(
    context: typer.Context,
    cases: Annotated[
        Path, typer.Argument(metavar="CASES", help="YAML: a list of labels, receiver, and owner and group if you like.")
    ],
    routing: Routing_ = None,
) -> None:
    """Say which alerts the routing file and its rendered tree do not give to whom they are meant for; exit status 1 if any."""
    from sre_agent.cli.render import printable
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.routing.expected import differences
    from sre_agent.routing.tree import tree_of
    from sre_agent.wiring.routing import expected_at, routing_at, routing_in_force

    found = routing_at(routing) if routing else routing_in_force(context.obj)
    told = expected_at(cases)
    try:
        root = tree_of(found)
    except ValueError as wrong:
        raise ConfigurationError(f"{routing or 'routing.yaml'}: {wrong}") from wrong
    failed = 0
    for line, case in told:
        wrong_here = tuple(differences(case, found, root))
        failed += bool(wrong_here)
        for what in wrong_here:
            typer.echo(printable(f"{cases}:{line}: {what}"))
    typer.echo(f"{len(told)} cases, {failed} not as expected")
    if failed:
        raise typer.Exit(1)
