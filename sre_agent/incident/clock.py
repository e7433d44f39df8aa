"""Time, handed in. Core rooms take `now` as a value; only the shell owns a clock."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where the shell gets its time from; tests and replays hand in their own."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        ...
