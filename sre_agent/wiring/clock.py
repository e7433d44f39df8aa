"""The shell's clock."""

from datetime import UTC, datetime


class SystemClock:
    """incident.clock.Clock over the machine's time."""

    def now(self) -> datetime:
        """Now, UTC."""
        return datetime.now(UTC)
