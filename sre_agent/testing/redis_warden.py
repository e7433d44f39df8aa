"""Ends a set of processes when whoever started them is gone, however it went (even killed).

Run as a script of its own: `python redis_warden.py PID...`. It waits for the end of its standard input,
which the operating system delivers when the parent ends, then kills exactly those processes.
Standard library only, so that it starts in milliseconds.
"""

import contextlib
import os
import signal
import sys


def main(pids: list[int]) -> None:
    """Wait for the parent's end, then SIGKILL each process (a stopped one dies too)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.read(0, 1024):
        pass
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
