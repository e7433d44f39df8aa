"""The command line put together. Each group lives in a file of its own and imports what is heavy when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from sre_agent import __version__
from sre_agent.cli import approvals, autonomy, cases, pagerduty, policy, routes, rules, runbook, status_page, store
from sre_agent.cli.demo import demo
from sre_agent.cli.doctor import doctor
from sre_agent.cli.findings import findings
from sre_agent.cli.noise import noise
from sre_agent.cli.rbac import rbac
from sre_agent.cli.replay import replay
from sre_agent.cli.route import route
from sre_agent.cli.serve import serve
from sre_agent.cli.settings import settings

app = typer.Typer(
    name="sre-agent",
    help="A guarded auto-remediation agent for on-call teams that run AI agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    """Print the version and stop."""
    if asked:
        typer.echo(f"sre-agent {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings; the environment wins over it.")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,  # noqa: ARG001
) -> None:
    """A guarded auto-remediation agent for on-call teams that run AI agents."""
    context.obj = config


app.command()(demo)
app.command()(replay)
app.command()(noise)
app.command()(route)
app.command()(serve)
app.command()(settings)
app.command()(findings)
app.command()(rbac)
app.command()(doctor)
app.command()(store.migrate)
app.command()(store.halt)
app.command()(store.resume)
app.command()(store.status)
app.add_typer(store.audit, name="audit")
app.add_typer(cases.app, name="cases")
app.add_typer(approvals.app, name="approvals")
app.add_typer(autonomy.app, name="autonomy")
app.add_typer(pagerduty.app, name="pagerduty")
app.add_typer(policy.app, name="policy")
app.add_typer(routes.app, name="routes")
app.add_typer(rules.app, name="rules")
app.add_typer(runbook.app, name="runbook")
app.add_typer(status_page.app, name="status-page")
