"""Lines into a file while a run lasts. When it takes no more (a full disk), the rest goes to another place: nothing is lost."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

import typer


@dataclass
class Lines:
    """`name` is the file's as it was asked for. `moved` is the other place, "" while there is none; `lost` why there is none."""

    name: str
    out: TextIO
    moved: str = ""
    lost: str = ""

    def add(self, line: str) -> None:
        """One line, with its newline, flushed. Raises BrokenPipeError when nobody reads any more."""
        try:
            self._write(line)
        except BrokenPipeError:
            raise
        except OSError as failed:
            self._move(failed)
            with suppress(OSError):
                self._write(line)

    def _write(self, line: str) -> None:
        if not self.lost:
            self.out.write(line)
            self.out.flush()

    def _move(self, failed: OSError) -> None:
        if self.moved:
            self.lost = f"cannot write to {self.moved} either ({failed.strerror}); the lines from here on are lost"
        else:
            with suppress(OSError):
                self.out, self.moved = another_place(".lines")
            self.lost = "" if self.moved else f"cannot write to {self.name} ({failed.strerror}), nor to a temporary folder"
        typer.echo(self.lost or f"cannot write to {self.name} ({failed.strerror}); the rest goes to {self.moved}", err=True)


def another_place(suffix: str) -> tuple[TextIO, str]:
    """A new file in the temporary folder, and its name. It stays. Raises OSError."""
    number, name = tempfile.mkstemp(prefix="sre-agent-replay-", suffix=suffix)
    return os.fdopen(number, "w", encoding="utf-8"), name


@contextmanager
def closing(lines: Lines) -> Iterator[Lines]:
    """Closes the other place, where there is one."""
    try:
        yield lines
    finally:
        if lines.moved:
            with suppress(OSError):
                lines.out.close()
