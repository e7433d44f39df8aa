"""Where the cases of a replay come from: folders, globs and archives; the pager's history; the agent's own recordings.

Each origin is a context that yields the cases one by one, in a fixed order, and cleans up what it unpacked. A place that holds
no case is told as one that failed: the others are still replayed.
"""

import asyncio
import glob
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sre_agent.incident.errors import Permanent
from sre_agent.replay.archive import packed, unpack
from sre_agent.replay.case_file import MalformedCase
from sre_agent.wiring.replaying import Found

if TYPE_CHECKING:
    from sre_agent.settings import Settings
    from sre_agent.wiring.history import Wanted

_PATTERN = frozenset("*?[")


@dataclass(frozen=True)
class Cases:
    """Cases to be replayed, to be gone through once. `total` None: nobody knows yet how many there will be."""

    each: Iterable[Found]
    total: int | None = None


@contextmanager
def from_paths(paths: tuple[str, ...], *, as_recorded: bool = False) -> Iterator[Cases]:
    """The cases at these paths, in their order. A path may be a case, a folder with cases in it, an archive of them, or a
    pattern that the shell left alone."""
    with tempfile.TemporaryDirectory(prefix="sre-agent-replay-") as room:
        found = tuple(_cases(paths, Path(room), as_recorded))
        yield Cases(found, len(found))


@contextmanager
def from_pagerduty(settings: "Settings", wanted: "Wanted", save: Path | None) -> Iterator[Cases]:
    """The incidents of a span as PagerDuty and the sources that keep history tell of them, fetched as they are gone through.

    `save`: a folder that keeps them. Raises ConfigurationError without a key, Permanent when the folder cannot be used.
    """
    from sre_agent.wiring.history import importing

    with ExitStack() as held:
        root = save or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="sre-agent-replay-")))
        yield Cases(held.enter_context(importing(settings, wanted, root, names=save is not None)))


@contextmanager
def from_store(settings: "Settings", incident_ids: tuple[str, ...], only: int | None = None) -> Iterator[Cases]:
    """The recorded rounds of live incidents, or the round `only` of each, to be judged as recorded."""
    # Imported here: a replay of folders needs no database.
    from sre_agent.wiring.cases import unpacked

    with tempfile.TemporaryDirectory(prefix="sre-agent-replay-") as room:
        found: list[Found] = []
        for incident_id in dict.fromkeys(incident_ids):
            try:
                cases = asyncio.run(unpacked(settings, incident_id, only, Path(room)))
                found += [Found(f"incident {incident_id}, round {c.kept.round}", c.folder, as_recorded=True) for c in cases]
            except Permanent as wrong:
                found.append(Found(place=f"incident {incident_id}", error=str(wrong)))
        yield Cases(tuple(found), len(found))


def missing(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The paths that name nothing at all."""
    return tuple(p for p in paths if not _expanded(p))


def _cases(paths: tuple[str, ...], room: Path, as_recorded: bool) -> Iterator[Found]:
    for number, path in enumerate(one for p in paths for one in _expanded(p)):
        if path.is_file() and packed(path):
            yield from _unpacked(path, room / str(number), as_recorded)
            continue
        for folder in _folders(path):
            yield Found(place=str(folder), folder=folder, as_recorded=as_recorded)


def _expanded(path: str) -> tuple[Path, ...]:
    if Path(path).exists():
        return (Path(path),)
    found = sorted(glob.glob(path, recursive=True)) if _PATTERN & set(path) else []  # noqa: PTH207 - absolute patterns too
    return tuple(Path(p) for p in found)


def _folders(path: Path) -> Iterator[Path]:
    """A case, or the cases below a folder however deep; what holds none as it is: its reader says what is wrong."""
    if not path.is_dir() or (path / "case.json").exists():
        yield path
        return
    below = sorted({p.parent for p in path.rglob("case.json")})
    yield from below or (path,)


def _unpacked(archive: Path, into: Path, as_recorded: bool) -> Iterator[Found]:
    into.mkdir()
    try:
        unpack(archive, into)
    except MalformedCase as wrong:
        yield Found(place=str(archive), error=str(wrong))
        return
    found = [p for p in _folders(into) if p != into]
    if not found and not (into / "case.json").exists():
        yield Found(place=str(archive), error=f"{archive.name}: holds no case.json")
    for folder in found or ([into] if (into / "case.json").exists() else []):
        yield Found(place=f"{archive}:{folder.relative_to(into)}", folder=folder, as_recorded=as_recorded)
