"""How results look on a terminal. The only file that knows rich, loaded when something is drawn; into a pipe goes plain text."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

QUIET_S = 10.0
_STYLES = {"broken": "bold red", "warning": "yellow", "ok": "green", "skipped": "dim"}


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings. Cells are data: no markup in them is obeyed, control characters are shown."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for row in (columns, *cells):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def diagnosis(groups: Sequence[tuple[str, Sequence[tuple[str, str, str, str]]]]) -> None:
    """Print (heading, [(status, name, found, what to do)]). Cells are data, as in `table`; colour is never all there is."""
    if not sys.stdout.isatty():
        for heading, rows in groups:
            print(heading)
            for status, name, found, todo in rows:
                print(f"  {status.upper():<8} {name:<14} {printable(found)}")
                if todo:
                    print(f"{'':<25} -> {printable(todo)}")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD)
    for column, width in (("", 8), ("check", 14), ("found", None), ("what to do", None)):
        drawn.add_column(column, overflow="fold", min_width=width)
    for heading, rows in groups:
        drawn.add_row(Text(heading, style="bold"))
        for status, name, found, todo in rows:
            mark = Text(status.upper(), style=_STYLES.get(status, ""))
            drawn.add_row(mark, *(Text(printable(cell)) for cell in (name, found, todo)))
        drawn.add_section()
    Console().print(drawn)


def differing(blocks: Iterable[tuple[str, bool, Sequence[tuple[str, str, str]]]]) -> None:
    """Print (heading, is dangerous, [(what, before, after)]), one by one. Cells are data, as in `table`; danger is a word too."""
    if not sys.stdout.isatty():
        for heading, dangerous, rows in blocks:
            print(printable(f"DANGEROUS: {heading}" if dangerous else heading))
            for what, before, after in rows:
                print(f"  {what:<12} {printable(before)}" + ("" if before == after else f"\n{'':<12} -> {printable(after)}"))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Console()
    for heading, dangerous, rows in blocks:
        said = printable(f"DANGEROUS: {heading}" if dangerous else heading)
        drawn = Table(box=box.SIMPLE_HEAD, title=Text(said, style="bold red" if dangerous else "bold"), title_justify="left")
        for column in ("", "before", "after"):
            drawn.add_column(column, overflow="fold")
        for row in rows:
            drawn.add_row(*(Text(printable(cell)) for cell in row))
        shown.print(drawn)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar on standard error, with the time that is left; the function given moves it on by one. Into a pipe goes a line now
    and then. `total` None: nobody knows how many there will be."""
    if not sys.stderr.isatty():
        yield _Ticks(what, total).tick
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    # Drawn when something happened, not by a thread: worker processes are forked while it stands.
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what, total=total)

        def tick() -> None:
            bar.advance(task)
            bar.refresh()

        yield tick


@dataclass
class _Ticks:
    """The same for who reads a log: a line every QUIET_S seconds."""

    what: str
    total: int | None
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def tick(self) -> None:
        self.done += 1
        now = time.monotonic()
        if now - self.told < QUIET_S:
            return
        self.told = now
        left = (
            ""
            if self.total is None
            else f" of {self.total}, about {(now - self.began) / self.done * (self.total - self.done):.0f} s left"
        )
        print(f"{self.what}: {self.done}{left}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text on one line, with what a terminal would obey written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def told(seconds: float, who: str, what: str) -> None:
    """One line of progress: seconds since the start, who, what. Long lines are folded under their own column."""
    head = f"{seconds:6.1f} s  {who:<10} "
    lines = textwrap.wrap(printable(what), width=max(40, shutil.get_terminal_size((120, 24)).columns - len(head))) or [""]
    print(head + ("\n" + " " * len(head)).join(lines), flush=True)
