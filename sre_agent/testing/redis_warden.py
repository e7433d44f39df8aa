"""Ends a set of processes when whoever started them is gone, however it went (even killed).

Run as a script of its own: `python redis_warden.py FOLDER PID...`. It waits for the end of its standard input,
which the operating system delivers when the parent ends, then kills exactly those processes and removes their folder.
Standard library only, so that it starts in milliseconds.
"""

import contextlib
import os
import shutil
import signal
import sys
import time


def main(folder: str, pids: list[int]) -> None:
    """Wait for the parent's end, then SIGKILL each process (a stopped one dies too) and remove what they wrote."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.read(0, 1024):
        pass
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], [int(word) for word in sys.argv[2:]])
