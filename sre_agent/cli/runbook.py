"""`sre-agent runbook`: what may be done about what, for people."""

from pathlib import Path
from typing import Annotated

import typer

from sre_agent.cli.context import settings_of

app = typer.Typer(help="The runbooks: list, read, check.", no_args_is_help=True)


@app.command("list")
def listed(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False
) -> None:
    """Show every runbook: what it answers to, and what the agent would do."""
    from sre_agent.cli.render import table
    from sre_agent.runbook.load import load_runbooks

    runbooks = load_runbooks(settings_of(context).runbooks_dir)
    if as_json:
        for runbook in runbooks:
            typer.echo(runbook.model_dump_json())
        return
    rows = [(r.id, r.action or "(checklist)", ", ".join(kind.value for kind in r.findings), r.title) for r in runbooks]
    table(("runbook", "action", "findings", "title"), rows)


@app.command()
def show(context: typer.Context, runbook_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]) -> None:
    """Print one runbook as a page to read."""
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.runbook.load import did_you_mean, load_runbooks
    from sre_agent.runbook.page import page

    folder = settings_of(context).runbooks_dir
    runbooks = {r.id: r for r in load_runbooks(folder)}
    if runbook_id not in runbooks:
        raise ConfigurationError(f"{folder}: there is no runbook {runbook_id!r}{did_you_mean(runbook_id, runbooks)}")
    typer.echo(page(runbooks[runbook_id]), nl=False)


@app.command()
def check(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A folder of runbooks; the configured one if left out.")
    ] = None,
) -> None:
    """Say everything that is wrong with the runbooks, with file and line. Exit status 1 if anything is."""
    from sre_agent.runbook.load import examine
    from sre_agent.wiring.discovery import parameters

    place = folder or settings_of(context).runbooks_dir
    runbooks, wrong = examine(place, parameters())
    for complaint in wrong:
        typer.echo(complaint)
    if wrong:
        typer.echo(f"{place}: {len(wrong)} problem{'s' if len(wrong) != 1 else ''}", err=True)
        raise typer.Exit(1)
    acting = sum(r.action is not None for r in runbooks)
    typer.echo(f"{place}: {len(runbooks)} runbooks, {acting} of them with an action: nothing is wrong")
