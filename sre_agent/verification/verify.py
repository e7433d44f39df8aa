"""The judgement over probe samples."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Recovery(StrEnum):
    """UNDECIDED asks for another sample later; UNKNOWN is final and goes to a human."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    UNKNOWN = "unknown"
    UNDECIDED = "undecided"


class Sample(BaseModel):
    """One look after the action. None means the probe could not tell, which is never "fine".

    `level` is the objective's value (its unit); `alert_firing` the alert's own condition; `state_ok`
    the target's state as the action's observation defines it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    alert_firing: bool | None = None
    level: float | None = None
    state_ok: bool | None = None
    detail: str = ""


class VerificationPlan(BaseModel):
    """What must hold, and for how long. `below` None: no objective, state and alert alone decide."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    started_at: datetime
    below: float | None
    unit: str = ""
    level_before: float | None = None
    soak_s: float
    within_s: float
    interval_s: float = 10.0
