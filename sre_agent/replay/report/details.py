"""The cases that a report tells in full, spooled to a file until it is written. At most MOST are told, the worst first."""

from collections import Counter
from collections.abc import Iterator
from typing import IO

from sre_agent.replay.replayed import Replayed

MOST = 300


class Details:
    """Takes (position, severity, case); keeps no more of each severity than could be told. Memory: a few numbers a kept case.

    `trouble` says why no more could be kept, "" while it can: a report without details is better than none.
    """

    def __init__(self, file: IO[bytes], most: int = MOST) -> None:
        self._file, self._most = file, most
        self._kept: list[tuple[int, int, int]] = []
        self._counts: Counter[int] = Counter()
        self._end = 0
        self.trouble = ""

    def add(self, position: int, severity: int, done: Replayed) -> None:
        """One more case that was replayed."""
        if self.trouble or self._counts[severity] >= self._most:
            return
        line = done.model_dump_json(by_alias=True).encode() + b"\n"
        try:
            self._file.seek(self._end)
            self._file.write(line)
            self._file.flush()
        except OSError as full:
            self.trouble = f"details could not be kept: {full.strerror}"
            return
        self._kept.append((-severity, position, self._end))
        self._counts[severity] += 1
        self._end += len(line)

    def positions(self) -> list[int]:
        """Of the cases that will be told, in the order in which they are."""
        return [position for _, position, _ in sorted(self._kept)[: self._most]]

    def each(self) -> Iterator[tuple[int, Replayed]]:
        """(position, case), the worst first, then in their order."""
        for _, position, offset in sorted(self._kept)[: self._most]:
            self._file.seek(offset)
            yield position, Replayed.model_validate_json(self._file.readline())
