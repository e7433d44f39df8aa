"""`sre-agent rules check`: the linter for Prometheus rules and Alertmanager's configuration."""

from typing import Annotated

import typer


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILES...", help="Files, folders or globs.")],
) -> None:
    """Lint Prometheus rules and Alertmanager's configuration. Exit status 1 at an error, 2 when a file cannot be read."""
    from sre_agent.cli.render import printable
    from sre_agent.rules.check import findings
    from sre_agent.rules.finding import Severity
    from sre_agent.rules.given import read_all

    read = read_all(files)
    found = findings(read.parts)
    for one in found:
        where = f"{one.path}:{one.place.line}:{one.place.column}"
        typer.echo(printable(f"{where}: {one.severity} {one.id}: {one.why}; {one.todo}"))
    for complaint in read.complaints:
        typer.echo(printable(complaint), err=True)
    if read.complaints:
        raise typer.Exit(2)
    if any(f.severity is Severity.ERROR for f in found):
        raise typer.Exit(1)
