"""What a dry run prints: one JSON object a line and case, keys in the documented order, the same bytes in every run."""

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.evidence.diagnosis import Diagnosis, ModelUsage
from sre_agent.evidence.finding import FindingKind, RootCause
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage

MOST_CAUSES = 5


class ProposedAction(BaseModel):
    """The proposal as printed: which runbook's action on which one object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runbook: str
    action: str
    target: Target
    parameters: dict[str, str | int | bool] = {}


class NamedFinding(BaseModel):
    """One finding, short: what, where, and the evidence it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: FindingKind
    object: str
    evidence: tuple[str, ...]


class PrintedUsage(BaseModel):
    """What the reasoner cost, as documented: nothing that differs between two runs of the same answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reasoner: str
    calls: int
    input_tokens: int
    output_tokens: int
    usd: float
    fallback: str | None


class CaseResult(BaseModel):
    """One line of a dry run. `alert_class` is printed as "class"; field order is the order of the printed keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    case: str
    labelled_class: AlertClass
    alert_class: AlertClass = Field(alias="class")
    owner: str
    receiver: str
    root_causes: tuple[RootCause, ...]
    summary: str
    proposal: ProposedAction | None
    verdict: Verdict
    approvals_required: int | None
    policy_ids: tuple[str, ...]
    reasons: tuple[str, ...]
    would_execute: bool
    note: str
    findings: tuple[NamedFinding, ...]
    model: PrintedUsage
    duration_ms: float | None = None

    def line(self) -> str:
        """The JSON, without a newline."""
        return self.model_dump_json(by_alias=True)


class FailedCase(BaseModel):
    """The line of a case that could not be processed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    error: str

    def line(self) -> str:
        """The JSON, without a newline."""
        return self.model_dump_json()


def result_of(
    case_id: str, triage: Triage, diagnosis: Diagnosis, proposal: Proposal | None, decision: Decision, note: str
) -> CaseResult:
    """The printed result of one case.

    INVARIANT: `would_execute` is true only for the verdict allow, approvals are a number only for allow and
    needs_approval, and no_action names no policy.
    """
    verdict = decision.verdict
    counted = {Verdict.ALLOW: 0, Verdict.NEEDS_APPROVAL: decision.approvals_required}
    return CaseResult(
        case=case_id,
        labelled_class=triage.labelled,
        alert_class=triage.alert_class,
        owner=triage.owner,
        receiver=triage.receiver,
        root_causes=diagnosis.root_causes[:MOST_CAUSES],
        summary=diagnosis.summary,
        proposal=None if proposal is None else _printed(proposal),
        verdict=verdict,
        approvals_required=counted.get(verdict),
        policy_ids=() if verdict is Verdict.NO_ACTION else decision.policy_ids,
        reasons=decision.reasons,
        would_execute=verdict is Verdict.ALLOW,
        note=note,
        findings=tuple(NamedFinding(id=f.id, kind=f.kind, object=f.object, evidence=f.evidence) for f in diagnosis.findings),
        model=_cost(diagnosis.usage),
    )


def _cost(usage: ModelUsage) -> PrintedUsage:
    return PrintedUsage.model_validate(usage.model_dump(include=set(PrintedUsage.model_fields)))


def _printed(proposal: Proposal) -> ProposedAction:
    return ProposedAction(
        runbook=proposal.runbook,
        action=proposal.action,
        target=proposal.target,
        parameters=dict(sorted(proposal.parameters.items())),
    )
