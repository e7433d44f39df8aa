"""An approval asked for, and what people answered."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class ApprovalState(StrEnum):
    """PENDING is the only state that takes answers. CONSUMED: used by one execution, once."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CONSUMED = "consumed"


class Answer(BaseModel):
    """One person's decision. `person` is the id from teams.yaml, joined over all their identities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: str
    approve: bool
    via: str
    at: datetime
    reason: str = ""


class ApprovalRequest(BaseModel):
    """A question put to people about one plan. Bound to `plan_hash`; void after `expires_at`.

    `requester` is whoever asked for the investigation (None: the alert itself); they cannot approve.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    incident_id: str
    plan_hash: str
    required: int
    team: str
    question: str
    requester: str | None = None
    created_at: datetime
    expires_at: datetime
    state: ApprovalState = ApprovalState.PENDING
    answers: tuple[Answer, ...] = ()

    @property
    def approvers(self) -> tuple[str, ...]:
        """Distinct people who said yes, in order."""
        return tuple(dict.fromkeys(a.person for a in self.answers if a.approve))
