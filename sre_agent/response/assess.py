"""From an incident to a verdict: the path that a live incident and a dry run share.

triage -> investigation -> weakening by evidence -> facts -> guard. Nothing here has an effect.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Claim, Diagnosis
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.incident import Incident
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import Claims, FactContext, Facts, Situation, TargetDeclaration
from sre_agent.policy.permit import Permit
from sre_agent.response.ports import NOTHING, Investigator
from sre_agent.runbook.match import CANNOT_HELP
from sre_agent.runbook.proposal import Investigated, Proposal, plan_hash
from sre_agent.triage.classify import triage
from sre_agent.triage.odd import doubted
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.triage import Triage
from sre_agent.triage.weaken import EXPLAINS, weaken

LOOKBACK = timedelta(minutes=30)
CHANGE_LOOKBACK = timedelta(hours=24)

WALK_RULES: dict[str, str] = {
    "refuse-not-infra": "only infrastructure incidents may be remediated",
    "no-runbook": "no-runbook: no runbook acts on this cause",
    "target-unresolved": "the target could not be resolved to exactly one live object",
    "not-enough-data": "the evidence does not name a cause",
    "several-causes": "several causes compete; a person must weigh them",
    "cause-changed": "the evidence no longer names the cause that the plan was made for",
    "plan-of-another": "the proposal was made for another incident",
    "tried-in-vain": "this action was already tried in this incident and failed, did not help, or may have",
}
"""Reasons for handing back that arise before or around the policies; ids as in Decision.policy_ids."""


class GuardPort(Protocol):
    """The guard as the walk uses it."""

    @property
    def bundle_hash(self) -> str:
        """The hash of the policies in force."""
        ...

    def decide(self, situation: Situation) -> Decision:
        """The verdict and how many approvals it takes."""
        ...

    def permit(
        self, situation: Situation, *, approvals: int, permit_id: str, now: datetime, plan: str | None = None
    ) -> tuple[Decision, Permit | None]:
        """The verdict at this count of approvals; a permit if and only if that is allow and `plan` still holds."""
        ...


FactsFor = Callable[[FactContext], Awaitable[Facts]]
Declarations = Callable[[Target], TargetDeclaration]


@dataclass(frozen=True)
class Assessment:
    """All that was found and decided about one incident. `plan_hash` is set when there is a proposal, and `situation`, what
    the guard was asked, when it was asked."""

    triage: Triage
    investigated: Investigated
    decision: Decision
    declaration: TargetDeclaration = field(default_factory=TargetDeclaration)
    plan_hash: str | None = None
    situation: Situation | None = None


def scope_of(incident: Incident, now: datetime, lookback: timedelta = LOOKBACK) -> Scope:
    """What to look at: from `lookback` before the earliest alert until now; changes of the 24 h before it."""
    starts = [a.starts_at for a in incident.alerts if a.starts_at is not None]
    onset = min([*starts, incident.created_at, now])
    return Scope(
        incident=incident,
        now=now,
        onset=onset,
        window=Window(start=onset - lookback, end=now),
        change_window=Window(start=onset - CHANGE_LOOKBACK, end=now),
    )


def handed_back_by(rule: str, bundle_hash: str, *more: str) -> Decision:
    """The walk's own hand-back, with its rule id and reason."""
    reasons = (WALK_RULES[rule], *(m for m in more if m))
    return Decision(verdict=Verdict.HAND_BACK, policy_ids=(rule,), reasons=reasons, bundle_hash=bundle_hash)


def claims_of(diagnosis: Diagnosis, labelled: AlertClass) -> Claims:
    """The model's claims as the policies read them; what it left out is neutral."""
    claimed = diagnosis.claimed_class or Claim[AlertClass](value=labelled)
    said = diagnosis.confidence_bp.value
    # SAFETY: a confidence that is none counts as no confidence at all.
    confidence = said if 0 <= said <= 10_000 else 0
    return Claims(alert_class=claimed.value, confidence_bp=confidence, veto=diagnosis.veto is not None)


@dataclass(frozen=True)
class Assessor:
    """The rooms from triage to policy, in order."""

    investigator: Investigator
    guard: GuardPort
    facts_for: FactsFor
    declarations: Declarations
    ownership: Ownership
    lookback: timedelta = LOOKBACK

    def team_of(self, target: Target) -> str:
        """The team that is declared for a target; "" for none."""
        return self.declarations(target).team

    async def assess(
        self, incident: Incident, *, human_acknowledged: bool, thread: str, now: datetime, spent: Spend = NOTHING
    ) -> Assessment:
        """Investigate and judge. Never raises for a failed source, model or collector: that is in the answer.

        `spent` is what the incident's other rounds spent on a model.
        """
        before = doubted(triage(incident, self.ownership), incident.alerts, now)
        found = await self.investigator.investigate(scope_of(incident, now, self.lookback), before, thread, spent)
        after = weaken(before, found.diagnosis, self.ownership)
        early = self._without_proposal(incident, after, found)
        if early is not None or found.proposal is None:
            return Assessment(after, found.model_copy(update={"proposal": None}), early or self._refused("no-runbook"))
        context = self._context(incident, after, found.diagnosis, found.proposal, human_acknowledged, now)
        situation = await self._situation(context, before)
        plan = self._hash(found.proposal, after)
        return Assessment(after, found, self.guard.decide(situation), context.declaration, plan, situation)

    async def reassess(self, incident: Incident, plan: "Plan", now: datetime) -> tuple[Assessment, Permit | None]:
        """Judge a plan again right before its effect, on fresh evidence and facts; mint the permit if it holds."""
        before = doubted(triage(incident, self.ownership), incident.alerts, now)
        diagnosis = await self.investigator.reexamine(scope_of(incident, now, self.lookback), plan.diagnosis)
        after = weaken(before, diagnosis, self.ownership)
        again = Investigated(diagnosis=diagnosis, proposal=plan.proposal)
        refusal = self._moved_on(after, diagnosis, plan)
        if refusal is not None:
            return Assessment(after, again, self._refused(refusal)), None
        context = self._context(incident, after, diagnosis, plan.proposal, plan.human_acknowledged, now)
        decision, permit = self.guard.permit(
            await self._situation(context, before),
            approvals=plan.approvals,
            permit_id=plan.permit_id,
            now=now,
            plan=plan.plan_hash,
        )
        return Assessment(after, again, decision, context.declaration, plan.plan_hash), permit

    async def _situation(self, context: FactContext, before: Triage) -> Situation:
        return Situation(
            proposal=context.proposal,
            declaration=context.declaration,
            facts=await self.facts_for(context),
            claims=claims_of(context.diagnosis, before.labelled),
        )

    def _moved_on(self, after: Triage, diagnosis: Diagnosis, plan: "Plan") -> str | None:
        # SAFETY: the plan was judged for one class, one cause and one bundle; any other world voids it.
        if after.alert_class is not AlertClass.INFRA:
            return "refuse-not-infra"
        was, now_top = plan.diagnosis.top, diagnosis.top
        if (
            was is None
            or now_top is None
            or (was.kind, was.object, was.namespace) != (now_top.kind, now_top.object, now_top.namespace)
        ):
            return "cause-changed"
        # SAFETY: the same name is not enough: what became weak, or has a reason that the action cannot mend, is another cause.
        faded = now_top.strength < EXPLAINS or now_top.reason in CANNOT_HELP.get(plan.proposal.action, ())
        return "cause-changed" if faded and not plan.proposal.nominated_by_model else None

    def _without_proposal(self, incident: Incident, after: Triage, found: Investigated) -> Decision | None:
        # SAFETY: unknown is never infra; a class that may not be acted on never reaches a proposal.
        if after.alert_class is not AlertClass.INFRA:
            return handed_back_by("refuse-not-infra", self.guard.bundle_hash, *after.reasons)
        if found.proposal is not None:
            # SAFETY: budgets and the once-per-incident limits are counted under the incident that the proposal names.
            return None if found.proposal.incident_id == incident.id else self._refused("plan-of-another")
        if found.diagnosis.outcome.healthy:
            reason = "healthy or recovered: nothing to do"
            return Decision(verdict=Verdict.NO_ACTION, reasons=(reason,), bundle_hash=self.guard.bundle_hash)
        return self._refused(found.reason if found.reason in WALK_RULES else "no-runbook")

    def _refused(self, rule: str) -> Decision:
        return handed_back_by(rule, self.guard.bundle_hash)

    def _hash(self, proposal: Proposal, after: Triage) -> str:
        return plan_hash(proposal, after.alert_class.value, self.guard.bundle_hash)

    def _context(
        self, incident: Incident, after: Triage, diagnosis: Diagnosis, proposal: Proposal, acknowledged: bool, now: datetime
    ) -> FactContext:
        return FactContext(
            incident=incident,
            triage=after,
            diagnosis=diagnosis,
            proposal=proposal,
            declaration=self.declarations(proposal.target),
            human_acknowledged=acknowledged or bool(incident.acknowledged_by),
            now=now,
        )


@dataclass(frozen=True)
class Plan:
    """A plan that people or the policies have agreed to, about to be carried out."""

    proposal: Proposal
    plan_hash: str
    diagnosis: Diagnosis
    approvals: int
    permit_id: str
    human_acknowledged: bool
