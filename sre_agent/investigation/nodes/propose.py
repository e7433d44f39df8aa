"""propose: the runbook that matches the top cause, its target resolved by code to one live object.

INVARIANT: target, parameters, action and class come from code alone. Of the opinion only a nomination (one of
the applicable runbooks) can change what is proposed, and then the proposal says so.
"""

from collections.abc import Sequence

from sre_agent.evidence.diagnosis import Claim, Diagnosis, Outcome
from sre_agent.evidence.finding import Finding
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.visible import one_line
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.examine import Examined
from sre_agent.investigation.fetch import MALFORMED
from sre_agent.investigation.reasoner import Brief, Opinion
from sre_agent.investigation.rules import summary
from sre_agent.investigation.state import Node, State, view_of
from sre_agent.runbook.match import applicable
from sre_agent.runbook.proposal import Investigated, Proposal
from sre_agent.runbook.resolve import resolve
from sre_agent.runbook.runbook import Runbook
from sre_agent.triage.triage import Triage


def propose(runbooks: Sequence[Runbook]) -> Node:
    """The node, over `runbooks`."""

    async def node(state: State) -> State:
        view, triage = view_of(state), Triage.model_validate(state["triage"])
        examined = Examined.model_validate(state["examined"])
        opinion = Opinion.model_validate(state["opinion"])
        text = " ".join(
            [rules_summary(view, triage, examined), *state["remarks"], *_why_not_the_model(opinion, view, state["planned"])]
        )
        diagnosis = diagnose(view, examined, opinion, text)
        planned = view.model_copy(update={"evidence": view.evidence[: state["planned"]]})
        investigated = _propose(diagnosis, examined, triage, planned, runbooks)
        return State(investigated=investigated.model_dump(mode="json"))

    return node


def rules_summary(view: EvidenceView, triage: Triage, examined: Examined) -> str:
    """The rules' one paragraph, with every character visible."""
    return one_line(
        summary(
            Brief(
                scope=view.scope,
                triage=triage,
                evidence=view.evidence,
                findings=examined.findings,
                root_causes=examined.root_causes,
                outcome=examined.outcome,
                notes=examined.notes,
            )
        )
    )


def diagnose(view: EvidenceView, examined: Examined, opinion: Opinion, text: str) -> Diagnosis:
    """Findings by code; the opinion only as claims."""
    return Diagnosis(
        findings=examined.findings,
        root_causes=examined.root_causes,
        outcome=examined.outcome,
        summary=text,
        evidence=view.evidence,
        claimed_class=Claim[AlertClass](value=opinion.claimed_class) if opinion.claimed_class else None,
        confidence_bp=Claim[int](value=opinion.confidence_bp),
        veto=Claim[str](value=opinion.veto) if opinion.veto else None,
        nominated_runbook=Claim[str](value=opinion.runbook) if opinion.runbook else None,
        usage=opinion.usage,
    )


def _why_not_the_model(opinion: Opinion, view: EvidenceView, planned: int | None) -> list[str]:
    """Why the rules took over, and what the model had asked to see before: that was seen, and stays."""
    why = opinion.usage.fallback
    if not why:
        return []
    text = f"The model was not used ({why.replace('-', ' ')}); this is the rules' reading alone."
    looked = [e.id for e in view.evidence[planned:]] if planned is not None else []
    return [text + (f" What it had asked to see counts: {', '.join(looked)}." if looked else "")]


def _propose(
    diagnosis: Diagnosis, examined: Examined, triage: Triage, planned: EvidenceView, runbooks: Sequence[Runbook]
) -> Investigated:
    """The proposal, or the reason why there is none."""
    if triage.labelled is not AlertClass.INFRA:
        return Investigated(diagnosis=diagnosis, reason="not-infra")
    nothing = _nothing_to_act_on(diagnosis.outcome, examined)
    if nothing:
        return Investigated(diagnosis=diagnosis, reason=nothing)
    candidates = applicable(examined.standing, runbooks)
    if not candidates:
        return Investigated(diagnosis=diagnosis, reason="no-runbook")
    nominated = diagnosis.nominated_runbook.value if diagnosis.nominated_runbook else None
    # A nomination that is not among the candidates was dropped by critique; the default keeps code's choice.
    runbook, finding = next((c for c in candidates if c[0].id == nominated), candidates[0])
    proposal = _filled_in(runbook, finding, planned, runbook is not candidates[0][0])
    ids = tuple(r.id for r, _ in candidates)
    if proposal is None:
        return Investigated(diagnosis=diagnosis, reason="target-unresolved", applicable=ids)
    return Investigated(
        diagnosis=diagnosis, proposal=proposal, applicable=(proposal.runbook, *(i for i in ids if i != proposal.runbook))
    )


def _nothing_to_act_on(outcome: Outcome, examined: Examined) -> str | None:
    if outcome.healthy:
        return "healthy"
    if not outcome.enough_data or not examined.causes:
        return "not-enough-data"
    return None


def _filled_in(runbook: Runbook, finding: Finding, planned: EvidenceView, nominated: bool) -> Proposal | None:
    """The runbook's step on the one live object the finding is about."""
    if runbook.action is None or runbook.target is None:
        return None
    try:
        resolved = resolve(runbook.target, finding, planned)
    except MALFORMED:
        return None  # SAFETY: state that cannot be read names no object
    if resolved is None:
        return None
    return Proposal(
        incident_id=planned.scope.incident.id,
        runbook=runbook.id,
        action=runbook.action,
        target=resolved.target,
        parameters=runbook.parameters,
        generation=resolved.generation,
        cause=finding.kind.value,
        nominated_by_model=nominated,
    )
