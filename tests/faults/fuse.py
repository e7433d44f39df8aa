"""A fuse: ends or stops the process that reaches one named point first, once in all processes that share the file."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Burnt:
    """Who burnt the fuse, and when (monotonic seconds, the same clock in every process of this machine)."""

    pid: int
    at: float


@dataclass(frozen=True)
class Fuse:
    """`deed` is SIGKILL or SIGSTOP, sent by the process to itself: nothing after the point is run, or only once continued."""

    point: str
    deed: signal.Signals
    file: Path

    def at(self, point: str) -> None:
        """Say that `point` was reached."""
        if point != self.point:
            return
        try:
            descriptor = os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return
        os.write(descriptor, f"{os.getpid()} {time.monotonic()}".encode())
        os.close(descriptor)
        os.kill(os.getpid(), self.deed)

    def burnt(self) -> Burnt | None:
        """What became of it; None while it is whole."""
        words = self.file.read_text().split() if self.file.exists() else []
        return Burnt(int(words[0]), float(words[1])) if len(words) == 2 else None
