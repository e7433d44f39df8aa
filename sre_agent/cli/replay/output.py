"""Where the results of a replay go: JSON lines, and the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from sre_agent.cli.render import printable

if TYPE_CHECKING:
    from sre_agent.replay.replayed import Replayed


@dataclass(frozen=True)
class Wanted:
    """What was asked for: `json` a file, "-" for standard output, or None."""

    json: str | None = None
    timings: bool = False


@dataclass
class Output:
    """Takes the cases one by one, in order."""

    wanted: Wanted
    lines: TextIO | None
    failed: int = field(default=0)

    @property
    def status(self) -> int:
        """The exit status: 1 when a case failed."""
        return 1 if self.failed else 0

    def add(self, done: "Replayed") -> None:
        """One more case."""
        for warning in done.warnings:
            typer.echo(f"warning: {warning}", err=True)
        if done.error:
            self.failed += 1
            typer.echo(f"failed: {done.error}", err=True)
        if self.lines is not None:
            self.lines.write(done.line(timings=self.wanted.timings) + "\n")
            self.lines.flush()
        else:
            _show(done)


@contextmanager
def output(wanted: Wanted) -> "Iterator[Output]":
    """Everything that was asked for, opened. Exit status 2 when a file cannot be written to."""
    with destination(wanted.json) as lines:
        yield Output(wanted, lines if wanted.json is not None else None)


@contextmanager
def destination(to_json: str | None) -> "Iterator[TextIO]":
    """The named file, or standard output for "-" and None. Exit status 2 when it cannot be written to."""
    if to_json is None or to_json == "-":
        with open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False) as shown:
            yield shown
        return
    try:
        opened = Path(to_json).open("w", encoding="utf-8")  # noqa: SIM115 - closed below, after the complaint
    except OSError as failed:
        typer.echo(f"cannot write to {to_json}: {failed.strerror}", err=True)
        raise typer.Exit(2) from None
    with opened:
        yield opened


def _show(done: "Replayed") -> None:
    if done.result is None:
        typer.echo(f"{done.case}: FAILED: {printable(done.error)}\n")
        return
    result = done.result
    typer.echo(f"{done.case}: {result.verdict.value} ({', '.join(result.policy_ids) or '-'})")
    typer.echo("\n".join(f"  {printable(line)}" for line in result.note.splitlines()) + "\n")
