"""`sre-agent cases`: what the flight recorder holds of live incidents, and how to hand it on as test cases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    from sre_agent.wiring.cases import Unpacked

app = typer.Typer(help="Recordings of live incidents, one for each round of each.", no_args_is_help=True)


@app.command("list")
def listed(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show what is recorded, newest first."""
    import asyncio

    from sre_agent.cli.render import table
    from sre_agent.wiring.cases import listing

    found = asyncio.run(listing(settings_of(context), limit))
    if as_json:
        for kept in found:
            typer.echo(kept.model_dump_json())
        return
    rows = [
        (k.incident_id, str(k.round), f"{k.at:%Y-%m-%d %H:%M} UTC", k.verdict, _said(k.exact), _kb(k.size), k.title) for k in found
    ]
    table(("incident", "round", "decided", "verdict", "exact", "kB", "title"), rows)


@app.command()
def show(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="ID", help="The incident.")],
    only: Annotated[int | None, typer.Option("--round", metavar="N", help="Only this round.", min=1)] = None,
) -> None:
    """Show what an incident was decided on: what each source said, and what it came to."""
    import asyncio
    import tempfile

    from sre_agent.wiring.cases import unpacked

    with tempfile.TemporaryDirectory(prefix="sre-agent-cases-") as room:
        for case in asyncio.run(unpacked(settings_of(context), incident, only, Path(room))):
            _show(case)


def _show(case: "Unpacked") -> None:
    from sre_agent.cli.render import printable, table
    from sre_agent.replay.case import load_case
    from sre_agent.replay.case_file import CaseReader
    from sre_agent.replay.recording.recording import recording_of

    loaded, recording = load_case(case.folder), recording_of(CaseReader(case.folder))
    kept = case.kept
    typer.echo(printable(f"{kept.incident_id}, round {kept.round}, decided {kept.at:%Y-%m-%d %H:%M:%S} UTC: {kept.title}"))
    if recording is not None:
        decided = recording.judged.decision
        typer.echo(f"{decided.verdict.value} ({', '.join(decided.policy_ids) or '-'}), decision sha256 {kept.decision_sha256}")
        typer.echo("\n".join(printable(f"  {reason}") for reason in decided.reasons))
        if recording.inexact:
            typer.echo(printable(f"cannot be decided exactly again: {recording.inexact}"))
    pieces = loaded.evidence or ()
    rows = [(e.id, e.source, e.kind.value, e.status.value, _kb(e.size_bytes), e.error or e.query) for e in pieces]
    table(("id", "source", "kind", "status", "kB", "query, or what went wrong"), rows)
    typer.echo("")


def _kb(size: int) -> str:
    return f"{size / 1000:.0f}"


def _said(exact: bool) -> str:
    return "yes" if exact else "no"


@app.command()
def export(
    context: typer.Context,
    incidents: Annotated[list[str], typer.Argument(metavar="ID...", help="The incidents.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the case folders go.")],
    only: Annotated[int | None, typer.Option("--round", metavar="N", help="Only this round of each.", min=1)] = None,
) -> None:
    """Write recordings as case folders: redacted, with what people did and what a test expects."""
    from sre_agent.wiring.cases import export as exported

    for folder in exported(settings_of(context), tuple(incidents), only, to):
        typer.echo(str(folder))
