"""What happened to one incident, in order, for people."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class TimelineEntry(BaseModel):
    """One line of the timeline. `kind` equals the audit kind and the log event name (past tense)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    kind: str
    text: str
