"""`sre-agent rules`: alerting rules at their source. One file per command."""

import typer

from sre_agent.cli.rules.check import check

app = typer.Typer(help="Alerting rules at their source: check their tags, routes and expressions.", no_args_is_help=True)
app.command()(check)

__all__ = ["app"]
