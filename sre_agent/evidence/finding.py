"""Typed findings: what the detectors say, in the words of finding_kind.py and finding_reason.py."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.evidence.change import Changed
from sre_agent.evidence.finding_kind import FindingKind as FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.vocabulary import EXPLANATIONS as EXPLANATIONS
from sre_agent.incident.alert import AlertClass


class Finding(BaseModel):
    """One typed statement, computed by code.

    `object` is "kind/name" in lower case ("redis/cache", "pod/api-1"). `strength` is 0..1. `evidence`
    holds Evidence ids. `refuted_by` says what would show it wrong. `cause` is one line for a human, `reason` the
    same in one word of a closed list, where it is known. `changed` is the change it is about, where it is about one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    kind: FindingKind
    object: str
    namespace: str | None = None
    cause: str
    reason: FindingReason | None = None
    onset: datetime | None = None
    strength: float = Field(ge=0.0, le=1.0)
    evidence: tuple[str, ...]
    refuted_by: str = ""
    changed: Changed | None = None

    @property
    def alert_class(self) -> AlertClass:
        """Whose problem this finding is."""
        return EXPLANATIONS[self.kind][0]


class RootCause(BaseModel):
    """A ranked cause, in the shape a dry run prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FindingKind
    object: str
    namespace: str | None = None
    score: float = Field(ge=0.0, le=1.0)
    evidence: tuple[str, ...]
