"""A span of time that was looked at, and times as APIs write them."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict


class Window(BaseModel):
    """From `start` (inclusive) to `end` (inclusive), both aware, UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: datetime
    end: datetime

    @classmethod
    def before(cls, end: datetime, span: timedelta) -> "Window":
        """The `span` that ends at `end`."""
        return cls(start=end - span, end=end)


def instant(value: object) -> datetime | None:
    """An RFC 3339 time as APIs write it, aware; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
