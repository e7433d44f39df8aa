"""A process kept alive but sick: stopped and continued in turns, as a starved or swapping host does to it.

Stopped 0.5 s / run 0.1 s with down-after-milliseconds >= 3000 stays quiet in Sentinel (with 1000 it did not).
The beat is kept by a small process of its own: it does not suffer from the caller's work, and it always
leaves the patient running, also when the caller is killed (its standard input ends then).
Standard library only.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self


def beat(pid: int, stopped_s: float, running_s: float) -> None:
    """Stop and continue `pid` in turns until standard input ends or the process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            os.kill(pid, signal.SIGSTOP)
            ended = select.select([0], [], [], stopped_s)[0]
            os.kill(pid, signal.SIGCONT)
            if ended or select.select([0], [], [], running_s)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


class SickPrimary:
    """Makes one process sick from `start` to `stop`; a context manager. Times in seconds."""

    def __init__(self, pid: int, *, stopped_s: float = 0.5, running_s: float = 0.1) -> None:
        self._words = [str(pid), str(stopped_s), str(running_s)]
        self._beat: subprocess.Popen[bytes] | None = None
        self.began_at: float | None = None
        """Unix seconds when the sickness began."""

    def start(self) -> None:
        """Begin. Does nothing when it is already running."""
        if self._beat is None:
            command = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *self._words]
            self._beat = subprocess.Popen(command, stdin=subprocess.PIPE)
            self.began_at = time.time()

    def stop(self) -> None:
        """End it; the patient runs again when this returns."""
        if self._beat is not None:
            if self._beat.stdin is not None:
                self._beat.stdin.close()
            self._beat.wait(timeout=5)
            self._beat = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


if __name__ == "__main__":
    beat(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
