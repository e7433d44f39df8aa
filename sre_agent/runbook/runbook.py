"""A runbook: one YAML in runbooks/, file name = id, readable by a human at 3 am."""

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.evidence.finding import FindingKind


class Objective(BaseModel):
    """The service level that must be better after the action.

    `query` is PromQL; "{name}", "{namespace}" and "{instance}" are filled from the target. The action
    helped when the value is below `below` (seconds, ratio, ... as `unit` says) through the soak.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    below: float
    unit: str


class Runbook(BaseModel):
    """What may be done about which findings. `action` None: a checklist for people, nothing more.

    `soak_s`: how long recovery must hold; `within_s`: how long recovery may take (seconds).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    summary: str
    findings: tuple[FindingKind, ...]
    action: str | None = None
    target: str | None = None
    parameters: dict[str, str | int | bool] = {}
    worst_case: str
    undo: str
    objective: Objective | None = None
    soak_s: int = Field(default=300, gt=0)
    within_s: int = Field(default=600, gt=0)
    checklist: tuple[str, ...] = ()
