"""What a replay has done so far, kept on disk, so that an interrupted run goes on where it was and ends with the same bytes.

One JSON line a case, in the order of the cases. A kept answer counts only for the same case (place and content) at the same
point of the same run; from the first difference on everything is replayed again.
"""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sre_agent import __version__
from sre_agent.policy.canonical import digest
from sre_agent.replay.case_file import MalformedCase
from sre_agent.replay.fingerprint import folder_sha256
from sre_agent.replay.replayed import Replayed
from sre_agent.wiring.replaying import Crew, Found, Setup

KEPT_S = 7 * 86_400.0
"""How long an interrupted run is kept, in seconds."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    place: str
    done: tuple[Replayed, ...]


def run_name(setups: tuple[Setup, ...], words: tuple[str, ...]) -> str:
    """sha256 (hex) over everything that decides the answers of a run: the program, what it is set to, the books, and `words`."""
    return digest([__version__, [_decisive(s) for s in setups], list(words)])


def _decisive(setup: Setup) -> dict[str, Any]:
    s = setup.settings
    return {
        "reasoner": [s.effective_reasoner.value, s.openai_model, s.openai_base_url],
        "looks": [s.lookback, s.source_deadline],
        "ceilings": [s.model_max_calls, s.model_max_tokens, s.model_max_seconds, s.model_max_usd],
        "bundle": setup.books.bundle.hash,
        "runbooks": {name: book.model_dump(mode="json") for name, book in setup.books.runbooks.items()},
    }


@dataclass
class Journal:
    """The file of one run. `run` names everything that decides the answers; a file of another run is started anew.

    `trouble` says why nothing could be kept, "" while it can: a replay is not stopped by that. `done` counts what is kept.
    """

    path: Path
    run: str
    trouble: str = ""
    done: int = 0
    _file: IO[bytes] | None = field(default=None, init=False)

    @property
    def parting(self) -> str:
        """What to say to who stops the run."""
        return self.trouble or f"{self.done} cases are kept; the same command with --resume goes on from there"

    def through(self, crew: Crew, cases: Iterable[Found], *, resume: bool) -> Iterator[tuple[Replayed, ...]]:
        """As `crew.run`, with what is kept first when `resume`; every answer is kept before it is handed on."""
        waiting = iter(cases)
        try:
            self._open(resume=resume)
            case = next(waiting, None)
            while case is not None and (row := self._next(case)) is not None:
                crew.charge(row.done)
                self.done += 1
                yield row.done
                case = next(waiting, None)
            for done in crew.run(waiting if case is None else chain((case,), waiting)):
                self._keep(_Row(place=done[0].place, done=done))
                yield done
        finally:
            self._close()

    def finished(self) -> None:
        """The run is over: nothing is left to go on with."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _open(self, *, resume: bool) -> None:
        header = json.dumps({"run": self.run}).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._forget_old()
            if resume and self.path.exists():
                self._file = self.path.open("r+b")
                if self._file.readline() == header:
                    return
                self._close()
            self._file = self.path.open("w+b")
            self._file.write(header)
        except OSError as error:
            self._stop(error)

    def _forget_old(self) -> None:
        """Runs that nobody went on with for KEPT_S are gone: nothing is kept for ever."""
        oldest = time.time() - KEPT_S
        for path in self.path.parent.glob("*.jsonl"):
            if path != self.path and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def _next(self, case: Found) -> _Row | None:
        """What is kept of this case; None, and everything from here on forgotten, when that is another one or nothing."""
        if self._file is None:
            return None
        try:
            here = self._file.tell()
            line = self._file.readline()
            row = _row(line)
            if row is not None and _same(row, case):
                return row
            self._file.seek(here)
            self._file.truncate()
        except OSError as error:
            self._stop(error)
        return None

    def _keep(self, row: _Row) -> None:
        self.done += 1
        if self._file is None:
            return
        try:
            self._file.write(row.model_dump_json(by_alias=True).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            self._stop(error)

    def _stop(self, error: OSError) -> None:
        self.trouble = f"what is done cannot be kept in {self.path}: {error.strerror}; an interrupted run will begin anew"
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def _row(line: bytes) -> _Row | None:
    """A whole line's row; None for one that was cut off, or is none."""
    try:
        return _Row.model_validate_json(line) if line.endswith(b"\n") else None
    except ValidationError:
        return None


def _same(row: _Row, case: Found) -> bool:
    if row.place != case.place:
        return False
    known = row.done[0].content_sha256
    if case.folder is None:
        return not known and row.done[0].error == case.error
    try:
        return known == folder_sha256(case.folder)
    except MalformedCase:
        return False
