"""What the linter is given: files, by name, folder or glob, read and recognised."""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sre_agent.incident.errors import ConfigurationError
from sre_agent.rules.document import load
from sre_agent.rules.recognise import Recognised, recognised

ENDINGS: Final = (".yaml", ".yml", ".rules")
MOST_FILES: Final = 5_000


@dataclass(frozen=True)
class Read:
    """`parts`: what was recognised, in the order of the files. `complaints`: files that could not be read ("path:line: what").

    `skipped`: files of a folder that are neither rules nor an Alertmanager configuration, and why.
    """

    files: tuple[str, ...]
    parts: tuple[Recognised, ...]
    complaints: tuple[str, ...]
    skipped: tuple[str, ...]


def read_all(names: Iterable[str]) -> Read:
    """Every file that the names stand for, once, in their order; those of a folder sorted by name."""
    files, parts, complaints, skipped = list[str](), list[Recognised](), list[str](), list[str]()
    for path, asked_for in _paths(names, complaints):
        try:
            document = load(path)
        except ConfigurationError as error:
            complaints.append(str(error))
            continue
        try:
            parts += recognised(document)
            files.append(str(path))
        except ConfigurationError as error:
            (complaints if asked_for else skipped).append(str(error))
    return Read(tuple(files), tuple(parts), tuple(complaints), tuple(skipped))


def _paths(names: Iterable[str], complaints: list[str]) -> Iterator[tuple[Path, bool]]:
    """(path, whether it was asked for by its own name); each file once."""
    seen = set[Path]()
    for name in names:
        named = Path(name)
        if named.is_dir():
            found, asked_for = [p for p in sorted(named.rglob("*")) if p.suffix in ENDINGS and p.is_file()], False
        elif not named.exists() and glob.has_magic(name):
            # Path.glob takes no pattern that begins at the root.
            found = [Path(p) for p in sorted(glob.glob(name, recursive=True)) if Path(p).is_file()]  # noqa: PTH207
            asked_for = True
        else:
            found, asked_for = [named], True
        if not found:
            complaints.append(f"{name}: no file here; expected one that ends in {', '.join(ENDINGS)}")
        for path in found:
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            if len(seen) > MOST_FILES:
                complaints.append(f"{name}: more than {MOST_FILES} files; give fewer at a time")
                return
            yield path, asked_for
