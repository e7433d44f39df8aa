"""`sre-agent rules`: alerting rules at their source. One file per command."""

import typer

from sre_agent.cli.rules.check import check
from sre_agent.cli.rules.generate import generate

app = typer.Typer(help="Alerting rules at their source: check them, write them.", no_args_is_help=True)
app.command()(check)
app.command()(generate)

__all__ = ["app"]
