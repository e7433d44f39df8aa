"""`sre-agent rules check`: the linter for Prometheus rules and Alertmanager's configuration."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.rules.in_force import routing_of

if TYPE_CHECKING:
    from sre_agent.rules.examine import Examined
    from sre_agent.rules.fix import Fixed
    from sre_agent.rules.given import Read

UNREAD = 2


class Format(StrEnum):
    """How the findings are told."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="Files, folders or globs.")],
    fix: Annotated[bool, typer.Option("--fix", help="Repair in place what can be repaired safely.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix changes; without --fix nothing is written.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How the findings are told.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings to a file.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 at a warning too.")] = False,
    routing: Annotated[Path | None, typer.Option(metavar="FILE", help="A routing file; the one in force if left out.")] = None,
) -> None:
    """Lint Prometheus rules and Alertmanager's configuration. Exit status 1 at an error, 2 when a file cannot be read."""
    from sre_agent.rules.examine import examine
    from sre_agent.rules.finding import Severity
    from sre_agent.rules.fix import fixed
    from sre_agent.rules.given import read_all

    rules = routing_of(context, routing)
    read = read_all(files)
    found = examine(read.parts, rules)
    if fix or diff:
        repaired = fixed(found)
        _changed(repaired, write=fix, show=diff)
        found = repaired.after if fix else found
    _told(found, read, form, output)
    if read.complaints:
        raise typer.Exit(UNREAD)
    if found.counts[Severity.ERROR] or (strict and found.counts[Severity.WARNING]):
        raise typer.Exit(1)


def _changed(repaired: "Fixed", *, write: bool, show: bool) -> None:
    """Write the files that were repaired, show how, and say what was left. What is said goes to standard error."""
    from sre_agent.cli.render import printable
    from sre_agent.cli.rules.write import replaced

    if show:
        typer.echo(repaired.diff(), nl=False)
    for path, (before, after) in repaired.texts.items():
        count = sum(f.path == path for f in repaired.done)
        if write:
            replaced(Path(path), before, after)
        typer.echo(printable(f"{path}: {count} {'fixed' if write else 'would be fixed'}"), err=True)
    for finding, why in repaired.left:
        typer.echo(printable(f"{finding.path}:{finding.place.line}: {finding.id} is not fixed: {why}"), err=True)


def _told(found: "Examined", read: "Read", form: Format, output: Path | None) -> None:
    from sre_agent import __version__
    from sre_agent.cli.render import printable
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.rules.report import as_json, lines, summary
    from sre_agent.rules.sarif import as_sarif

    if form is Format.TEXT:
        text = "\n".join(map(printable, (*lines(found), summary(found, read))))
    else:
        told = as_json(found, read) if form is Format.JSON else as_sarif(found, read, __version__)
        text = json.dumps(told, indent=2)
    if output is None:
        typer.echo(text)
    else:
        try:
            output.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{output}: cannot be written: {error.strerror or error}") from error
        typer.echo(printable(f"{output}: {summary(found, read)}"))
    for skipped in read.skipped:
        typer.echo(printable(f"left out: {skipped}"), err=True)
    for complaint in read.complaints:
        typer.echo(printable(complaint), err=True)
