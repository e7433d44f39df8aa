"""The kill switch as people see and move it. The guard only ever asks `halted()` (policy.facts.Halt)."""

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class HaltState(BaseModel):
    """Whether the switch is engaged, and who moved it last, when (UTC) and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engaged: bool
    by: str
    reason: str
    at: datetime


class KillSwitch(Protocol):
    """Durable and shared by every process. Both moves are idempotent, and each is an audit record."""

    async def halted(self) -> bool:
        """True when engaged, and true when that cannot be found out."""
        ...

    async def engage(self, by: str, reason: str, now: datetime) -> HaltState:
        """Stop every effect that has not begun. Raises Transient when the store cannot be reached."""
        ...

    async def lift(self, by: str, reason: str, now: datetime) -> HaltState:
        """Allow effects again. Raises Transient when the store cannot be reached."""
        ...

    async def state(self) -> HaltState:
        """How the switch stands. Raises Transient when the store cannot be reached."""
        ...
