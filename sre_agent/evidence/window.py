"""A span of time that was looked at."""

from datetime import datetime, timedelta

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
