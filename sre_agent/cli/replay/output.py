"""Where the results of a replay go: JSON lines, CSV, the HTML report, and the terminal."""

import csv
import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from sre_agent.cli.render import printable
from sre_agent.cli.replay.lines import Lines, another_place, closing
from sre_agent.cli.replay.recalled import tell

if TYPE_CHECKING:
    from sre_agent.replay.replayed import Replayed
    from sre_agent.replay.report.details import Details
    from sre_agent.replay.report.tally import Tally


@dataclass(frozen=True)
class Wanted:
    """What was asked for: `json` and `csv` a file, "-" for standard output, or None; `html` a file. `notes`: of every case."""

    json: str | None = None
    timings: bool = False
    csv: str | None = None
    html: Path | None = None
    notes: bool = False

    @property
    def taken(self) -> bool:
        """Whether standard output carries results and nothing else."""
        return "-" in (self.json, self.csv)


@dataclass
class Output:
    """Takes the cases one by one, in order. `troubled`: something could not be written where it was asked for."""

    wanted: Wanted
    tally: "Tally"
    lines: Lines | None
    rows: Lines | None
    details: "Details | None"
    troubled: bool = False
    departed: bool = field(default=False, init=False)
    only: "Replayed | None" = field(default=None, init=False)
    _known: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def status(self) -> int:
        """The exit status: 1 when a case failed, is not decided as it was recorded, or a result is not where it was asked for."""
        moved = any(lines is not None and (lines.moved or lines.lost) for lines in (self.lines, self.rows))
        return 1 if self.tally.failed or self.troubled or self.departed or moved else 0

    def add(self, done: "Replayed") -> None:
        """One more case. One given twice is replayed twice, as asked, and told: it weighs double in every number."""
        if done.content_sha256 in self._known:
            typer.echo(f"warning: {done.place}: the same case as {self._known[done.content_sha256]}; it counts twice", err=True)
        elif done.content_sha256:
            self._known[done.content_sha256] = done.place
        for warning in done.warnings:
            typer.echo(f"warning: {warning}", err=True)
        if done.error:
            typer.echo(f"failed: {done.error}", err=True)
        row = self.tally.add(done)
        if self.lines is not None:
            self.lines.add(done.line(timings=self.wanted.timings) + "\n")
        if self.rows is not None:
            from sre_agent.replay.report.spreadsheet import cells

            self.rows.add(_csv(cells(row)))
        if self.details is not None and not row.error:
            self.details.add(len(self.tally.rows) - 1, row.severity, done)
        if self.wanted.notes:
            show(done, err=self.wanted.taken)
        self.departed = not tell(done, aside=self.wanted.taken) or self.departed
        self.only = done if len(self.tally.rows) == 1 else None

    def finish(self) -> None:
        """When every case is in: the report, and the summary for people."""
        from sre_agent.cli.replay.summary import summary

        if self.only is not None and not self.wanted.notes and not self.wanted.taken:
            show(self.only)
        with redirect_stdout(sys.stderr if self.wanted.taken else sys.stdout):
            summary(self.tally)
        if self.wanted.html is not None and self.details is not None:
            self._report(self.wanted.html, self.tally, self.details)

    def _report(self, file: Path, tally: "Tally", details: "Details") -> None:
        """Into the file, or where there is room: what was computed is not lost with a full disk."""
        from sre_agent.replay.html import write_page
        from sre_agent.replay.report.page import TEMPLATE, page_values

        self.troubled = self.troubled or bool(details.trouble)
        why = self._written(file, tally, details)
        if not why:
            typer.echo(f"report: {file}", err=True)
            return
        self.troubled = True
        try:
            opened, name = another_place(".html")
            with opened:
                write_page(TEMPLATE, page_values(tally, details), opened)
            typer.echo(f"{why}; it is at {name}", err=True)
        except OSError as failed:
            typer.echo(f"{why}, nor to a temporary folder: {failed.strerror}", err=True)

    def _written(self, file: Path, tally: "Tally", details: "Details") -> str:
        from sre_agent.replay.html import write_page
        from sre_agent.replay.report.page import TEMPLATE, page_values

        try:
            with file.open("w", encoding="utf-8") as out:
                write_page(TEMPLATE, page_values(tally, details), out)
        except OSError as failed:
            return f"cannot write the report to {file}: {failed.strerror}"
        return ""


@contextmanager
def output(wanted: Wanted, soaks: Mapping[str, int] | None = None) -> Iterator[Output]:
    """Everything that was asked for, opened; told when every case is in. `soaks`: the runbooks' soak in seconds.

    Exit status 2 when a file cannot be written to.
    """
    from sre_agent.replay.report.details import Details
    from sre_agent.replay.report.tally import Tally

    with ExitStack() as held:
        lines = _lines(held, wanted.json)
        rows = _lines(held, wanted.csv)
        details = None
        if wanted.html is not None:
            import tempfile

            _writable(wanted.html)
            details = Details(held.enter_context(tempfile.TemporaryFile()))
        if rows is not None:
            from sre_agent.replay.report.spreadsheet import COLUMNS

            rows.add(_csv(COLUMNS))
        out = Output(wanted, Tally(soaks or {}), lines, rows, details)
        yield out
        out.finish()


def _lines(held: ExitStack, name: str | None) -> Lines | None:
    if name is None:
        return None
    return held.enter_context(closing(Lines(name, held.enter_context(destination(name)))))


def _csv(cells: tuple[str, ...]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()


def _writable(file: Path) -> None:
    """Exit status 2 when the file cannot be written to. What is in it stays until the report is ready."""
    try:
        with file.open("a", encoding="utf-8"):
            pass
    except OSError as failed:
        typer.echo(f"cannot write to {file}: {failed.strerror}", err=True)
        raise typer.Exit(2) from None


@contextmanager
def destination(to: str | None) -> "Iterator[TextIO]":
    """The named file, or standard output for "-" and None. Exit status 2 when it cannot be written to."""
    if to is None or to == "-":
        with open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False) as shown:
            yield shown
        return
    try:
        opened = Path(to).open("w", encoding="utf-8")  # noqa: SIM115 - closed below, after the complaint
    except OSError as failed:
        typer.echo(f"cannot write to {to}: {failed.strerror}", err=True)
        raise typer.Exit(2) from None
    try:
        yield opened
    finally:
        # What a full disk did not take was told when it was written.
        with suppress(OSError):
            opened.close()


def show(done: "Replayed", *, err: bool = False) -> None:
    """The note of one case."""
    if done.result is None:
        typer.echo(f"{done.case}: FAILED: {printable(done.error)}\n", err=err)
        return
    result = done.result
    typer.echo(f"{done.case}: {result.verdict.value} ({', '.join(result.policy_ids) or '-'})", err=err)
    typer.echo("\n".join(f"  {printable(line)}" for line in result.note.splitlines()) + "\n", err=err)
