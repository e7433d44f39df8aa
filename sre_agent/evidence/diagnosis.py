"""What an investigation ends with. The model's share of it is wrapped in Claim and can only restrict."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.finding import Finding, RootCause
from sre_agent.incident.alert import AlertClass

T = TypeVar("T")


class Claim(BaseModel, Generic[T]):
    """Something a model said. Never a fact: it may lower permission and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: T


class ModelUsage(BaseModel):
    """What the reasoner cost in one investigation. `fallback` says why the rules reasoner took over, if it did.

    `seconds` were spent waiting for the model and its looks; `lost` calls were on their way when the process died, and
    are counted in the rest at their estimate; `dropped` statements cited no real evidence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reasoner: str = "rules"
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    fallback: str | None = None
    seconds: float = 0.0
    answered: int = 0
    lost: int = 0
    dropped: int = 0

    @classmethod
    def of(cls, spend: Spend) -> "ModelUsage":
        """The usage of an investigation of which only the spend is known."""
        return cls(reasoner="unknown" if spend.calls else "rules", **spend.model_dump())

    @property
    def spend(self) -> Spend:
        """The same as an amount that can be added up."""
        return Spend(
            calls=self.calls,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            usd=self.usd,
            seconds=self.seconds,
            answered=self.answered,
            lost=self.lost,
        )

    @property
    def unanswered(self) -> int:
        """Requests that brought nothing: refused, failed, too late, or tried again."""
        return self.calls - self.answered - self.lost


class Outcome(BaseModel):
    """How the investigation ended when there is no single cause to act on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    healthy: bool = False
    enough_data: bool = True
    several_causes: bool = False


class Diagnosis(BaseModel):
    """Ranked causes, findings and the evidence under them.

    The neutral model claims (no veto, class as labelled, confidence 10000) are what the rules
    reasoner leaves. `confidence_bp` is in basis points, 0..10000. `nominated_runbook` is one of the
    runbooks that code found applicable, named by a model: then at least one person must approve.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: tuple[Finding, ...] = ()
    root_causes: tuple[RootCause, ...] = ()
    outcome: Outcome = Outcome()
    summary: str = ""
    evidence: tuple[Evidence, ...] = ()
    claimed_class: Claim[AlertClass] | None = None
    confidence_bp: Claim[int] = Field(default=Claim[int](value=10_000))
    veto: Claim[str] | None = None
    nominated_runbook: Claim[str] | None = None
    usage: ModelUsage = ModelUsage()

    @property
    def top(self) -> Finding | None:
        """The finding behind the first root cause."""
        if not self.root_causes:
            return None
        first = self.root_causes[0]
        return next(
            (f for f in self.findings if f.kind is first.kind and f.object == first.object and f.namespace == first.namespace), None
        )

    def supporting(self, finding: Finding) -> tuple[Evidence, ...]:
        """The evidence a finding cites."""
        cited = set(finding.evidence)
        return tuple(e for e in self.evidence if e.id in cited)
