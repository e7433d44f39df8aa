"""`sre-agent rbac`: the least a cluster has to grant the agent, and a fence for what it must never do."""

from typing import Annotated, Literal

import typer

from sre_agent.cli.context import settings_of


def rbac(
    context: typer.Context,
    namespace: Annotated[
        list[str] | None, typer.Option(help="Where the agent may act; repeatable. Without it: where managed targets are.")
    ] = None,
    home: Annotated[str, typer.Option(help="The agent's own namespace, where its identities live.")] = "sre-agent",
    form: Annotated[Literal["yaml", "json"], typer.Option("--format", help="How to print it.")] = "yaml",
) -> None:
    """Print service accounts, roles and an admission policy made from the registered actions, for `kubectl apply -f -`."""
    import json

    from sre_agent.policy.load import load_bundle
    from sre_agent.wiring.rbac import as_list, as_yaml, footprint

    settings = settings_of(context)
    declared = load_bundle(settings.policies_dir, settings.policy_data).declared
    made = footprint(declared, tuple(namespace or ()), home)
    typer.echo(json.dumps(as_list(made), indent=2) if form == "json" else as_yaml(made), nl=form == "json")
    if not made.namespaces:
        typer.echo("no managed target names a namespace: nothing may be written; add --namespace or declare targets", err=True)
