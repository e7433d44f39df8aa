"""A folder in which fetched cases are kept, so that nothing is fetched twice and an interrupted run goes on where it was.

A case is made beside its place and moved there when it is whole: whoever is killed leaves a whole case or none. `.progress.json`
remembers, for each span that was asked for, up to which second all of its cases are here.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sre_agent.incident.errors import Permanent
from sre_agent.replay.history.entry import Span
from sre_agent.replay.history.folder import prefix

PROGRESS = ".progress.json"
FETCHED = ".fetched.json"
_UNFINISHED = ".unfinished-"
_LOCK = ".lock"


class Terms(BaseModel):
    """Under what a case was fetched: how long after its beginning it was looked at, and which systems were asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    look_after_s: float
    sources: tuple[str, ...]


class _Fetched(BaseModel):
    """A case's own list of its files, written when all of them are there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    terms: Terms
    files: tuple[str, ...]


class Reached(BaseModel):
    """How far a span is: all of it that began before `reached` is here, `cases` by name; `complete`: and nothing is missing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    span: Span
    reached: datetime
    complete: bool = False
    cases: tuple[str, ...] = ()


class _Progress(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    spans: tuple[Reached, ...] = ()


@dataclass(frozen=True)
class SavedCases:
    """Cases in `root`. Open it with `opened`, which keeps others out."""

    root: Path

    @classmethod
    @contextmanager
    def opened(cls, root: Path) -> "Iterator[SavedCases]":
        """The folder, made if need be, without leftovers. Raises Permanent when it cannot be written to or is in use."""
        try:
            root.mkdir(parents=True, exist_ok=True)
            handle = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as failed:
            raise Permanent(f"{root}: cases cannot be saved there: {failed.strerror}") from failed
        try:
            try:
                # Of this process alone: worker processes that outlive it for a moment hold nothing.
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as failed:
                raise Permanent(f"{root}: another replay is saving its cases there; wait for it, or save elsewhere") from failed
            for left in root.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield cls(root)
        finally:
            os.close(handle)

    def whole(self, name: str, terms: Terms) -> bool:
        """Whether a case is here, readable, and fetched under these terms (it may have asked more systems)."""
        folder = self.root / name
        try:
            told = _Fetched.model_validate_json((folder / FETCHED).read_bytes())
            same = told.terms.look_after_s == terms.look_after_s and set(terms.sources) <= set(told.terms.sources)
            return same and all(_readable(folder / file) for file in told.files)
        except (OSError, ValidationError):
            return False

    def begin(self, name: str) -> Path:
        """An empty folder to make the case in."""
        made = self.root / f"{_UNFINISHED}{name}"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        return made

    def finish(self, name: str, made: Path, terms: Terms) -> Path:
        """Move a case that is whole to its place, in place of a broken one; where it is now."""
        files = sorted(str(p.relative_to(made)) for p in made.rglob("*") if p.is_file())
        write_json(made / FETCHED, _Fetched(terms=terms, files=tuple(files)).model_dump(mode="json"))
        place = self.root / name
        if place.exists():
            broken = self.root / f"{_UNFINISHED}{name}-replaced"
            shutil.rmtree(broken, ignore_errors=True)
            place.rename(broken)
            made.rename(place)
            shutil.rmtree(broken, ignore_errors=True)
        else:
            made.rename(place)
        return place

    def reached(self, span: Span) -> Reached:
        """How far this very span is; nothing of it when it was never asked for, or the file cannot be read."""
        known = next((r for r in self._progress().spans if r.span == span), None)
        if known is None:
            return Reached(span=span, reached=span.since)
        before = prefix(known.reached)
        return known if known.complete else known.model_copy(update={"cases": tuple(c for c in known.cases if c < before)})

    def remember(self, reached: Reached) -> None:
        """Note how far a span is, beside what is known of others."""
        others = tuple(r for r in self._progress().spans if r.span != reached.span)
        told = _Progress(spans=tuple(sorted((*others, reached), key=lambda r: r.span.model_dump_json())))
        draft = self.root / f"{_UNFINISHED}{PROGRESS}"
        write_json(draft, told.model_dump(mode="json"))
        draft.replace(self.root / PROGRESS)

    def _progress(self) -> _Progress:
        try:
            return _Progress.model_validate_json((self.root / PROGRESS).read_bytes())
        except (OSError, ValidationError):
            return _Progress()


def write_json(path: Path, content: Any) -> None:
    """JSON for people too: indented, one line end, the same bytes for the same content."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _readable(path: Path) -> bool:
    """Whether a file is there and not cut off: JSON that can be read, lines that end."""
    if path.suffix == ".json":
        try:
            json.loads(path.read_bytes())
        except ValueError:
            return False
        return True
    if path.suffix != ".jsonl":
        return path.is_file()
    with path.open("rb") as lines:
        size = lines.seek(0, os.SEEK_END)
        lines.seek(max(0, size - 1))
        return size == 0 or lines.read(1) == b"\n"
