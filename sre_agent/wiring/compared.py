"""Two setups over the same past incidents, in one pass: what would have been judged differently."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from sre_agent.incident.errors import Permanent
from sre_agent.replay.compare import Difference, compared
from sre_agent.settings import Settings
from sre_agent.wiring.candidate import edited
from sre_agent.wiring.origins import from_paths
from sre_agent.wiring.replaying import Crew

_IN_MEMORY = 1 << 20


class Spool:
    """Differences, taken in any order and given back by rank, those of one rank as they came. Memory stays flat: what is more than
    a megabyte of a rank lies in a file that `held` closes."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self._files: dict[tuple[int, int], IO[bytes]] = {}
        self.kinds: Counter[str] = Counter()
        self.wider = 0

    def add(self, found: Difference) -> None:
        """One more."""
        if found.rank not in self._files:
            opened = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with `held`
            self._files[found.rank] = self._held.enter_context(opened)
        self._files[found.rank].write(found.line().encode() + b"\n")
        self.kinds[found.kind.value] += 1
        self.wider += found.kind.wider

    def lines(self) -> Iterator[str]:
        """The JSON of each, without newlines, dangerous ones first."""
        for rank in sorted(self._files):
            self._files[rank].seek(0)
            for line in self._files[rank]:
                yield line.decode().rstrip("\n")

    def each(self) -> Iterator[Difference]:
        """The same, one by one."""
        return (Difference.model_validate_json(line) for line in self.lines())


def between(settings: Settings, old: Path, new: Path, folder: Path) -> Iterator[Difference]:
    """The cases at a path that two policies folders judge differently. Raises ConfigurationError for the folders, Permanent for a
    case that cannot be read."""
    crew = Crew((edited(settings, old), edited(settings, new)), os.cpu_count() or 1)
    with from_paths((str(folder),)) as cases:
        for before, after in crew.run(cases.each):
            if before.error and after.error:
                raise Permanent(before.error)
            if (found := compared(before, after)) is not None:
                yield found
