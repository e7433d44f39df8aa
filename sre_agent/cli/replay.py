"""`sre-agent replay`: what the agent would have seen, decided and said about past incidents. It can do nothing."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sre_agent.replay.result import CaseResult, FailedCase
    from sre_agent.settings import Settings


def replay(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Case folders, or folders of case folders.")],
    to_json: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="One JSON object a line and case.")] = None,
    reasoner: Annotated[Literal["rules", "openai"], typer.Option(help="Who thinks.")] = "rules",
    timings: Annotated[bool, typer.Option("--timings", help="Fill in duration_ms (the output then differs between runs).")] = False,
) -> None:
    """Dry-run past incidents through the live rooms. Exit status 1 when a case could not be processed, 2 for wrong usage."""
    from sre_agent.replay.case import case_folders
    from sre_agent.settings import Reasoner

    missing = [str(p) for p in paths if not p.exists()]
    if missing:
        typer.echo(f"no such case: {', '.join(missing)}", err=True)
        raise typer.Exit(2)
    settings = settings_of(context).model_copy(update={"reasoner": Reasoner(reasoner)})
    failed = False
    with _destination(to_json) as out:
        for result in _results(settings, case_folders(tuple(paths)), timings):
            failed |= hasattr(result, "error")
            if to_json is not None:
                out.write(result.line() + "\n")
                out.flush()
            else:
                _show(result)
    if failed:
        raise typer.Exit(1)


def _destination(to_json: str | None) -> "TextIO":
    if to_json is None or to_json == "-":
        return open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False)
    try:
        return Path(to_json).open("w", encoding="utf-8")
    except OSError as failed:
        typer.echo(f"cannot write to {to_json}: {failed.strerror}", err=True)
        raise typer.Exit(2) from None


def _results(settings: "Settings", folders: tuple[Path, ...], timings: bool) -> "Iterator[CaseResult | FailedCase]":
    import asyncio
    import time

    from sre_agent.incident.errors import SreAgentError
    from sre_agent.replay.result import FailedCase
    from sre_agent.wiring.recorded import dry_run, replay_books

    books = replay_books(settings)
    for folder in folders:
        began = time.perf_counter()
        try:
            run = dry_run(settings, books, folder)
            for warning in run.case.warnings:
                typer.echo(f"warning: {warning}", err=True)
            result = asyncio.run(run.result())
        except SreAgentError as wrong:
            typer.echo(f"failed: {wrong}", err=True)
            yield FailedCase(case=folder.name, error=str(wrong))
            continue
        took = round((time.perf_counter() - began) * 1000, 1) if timings else None
        yield result.model_copy(update={"duration_ms": took})


def _show(result: "CaseResult | FailedCase") -> None:
    from sre_agent.cli.render import printable
    from sre_agent.replay.result import FailedCase

    if isinstance(result, FailedCase):
        typer.echo(f"{result.case}: FAILED: {printable(result.error)}\n")
        return
    typer.echo(f"{result.case}: {result.verdict.value} ({', '.join(result.policy_ids) or '-'})")
    typer.echo("\n".join(f"  {printable(line)}" for line in result.note.splitlines()) + "\n")
