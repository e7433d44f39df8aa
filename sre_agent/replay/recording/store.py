"""The port to where recordings are kept, and what is known of each without unpacking it."""

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Kept(BaseModel):
    """One recording in the store: a round of an incident. `size` in bytes, packed; `exact`: it can be decided again exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident_id: str
    round: int
    at: datetime
    title: str
    verdict: str
    decision_sha256: str
    exact: bool
    size: int


class Recordings(Protocol):
    """Raise Transient when the store cannot be reached."""

    async def keep(self, kept: Kept, content: bytes) -> None:
        """Keep it, in place of an earlier one of the same round; what is too old or too much then goes, the oldest first."""
        ...

    async def listing(self, limit: int) -> tuple[Kept, ...]:
        """Newest first."""
        ...

    async def rounds(self, incident_id: str) -> tuple[Kept, ...]:
        """The recorded rounds of one incident, the first one first."""
        ...

    async def content(self, incident_id: str, round_: int) -> bytes | None:
        """The packed case of one round; None when it is not kept (any more)."""
        ...
