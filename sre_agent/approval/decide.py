"""Whose yes counts, and when there are enough of them. Who may approve is itself a question to the policies.

Text is never approval; one no is final; a question that expired is denied; two identities of one person are one.
"""

from datetime import datetime
from typing import Any

from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.incident.errors import Conflict
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.canonical import digest
from sre_agent.policy.checked import ENGINE_FAULTS, check_probes
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.people import Person
from sre_agent.policy.request import Entity, Question, uid

NOT_A_MEMBER = "default-deny"


class Approvers:
    """Asks a bundle's policies who may approve. With no bundle, nobody may."""

    def __init__(self, bundle: Bundle | None) -> None:
        self._bundle = bundle

    def eligible(self, request: ApprovalRequest, person: str, now: datetime, plan_hash: str | None = None) -> Decision:
        """Allow when this person's yes would count at `now`; else deny with every reason. Never raises.

        `plan_hash` is the plan as it stands now (None: as it was asked about): a changed plan voids every yes.
        """
        if self._bundle is None:
            return _denied("guard-not-ready", "no policies are loaded, so nobody may approve", fault=True)
        try:
            # SAFETY: only None means "as it was asked about"; an empty hash is some other plan.
            return self._asked(self._bundle, request, person, now, request.plan_hash if plan_hash is None else plan_hash)
        except ENGINE_FAULTS as fault:
            # SAFETY: a question that cannot be asked is answered no.
            return _denied("guard-fault", f"could not judge who may approve: {type(fault).__name__}: {fault}", fault=True)

    def among(self, people: tuple[Person, ...], request: ApprovalRequest, now: datetime) -> tuple[Person, ...]:
        """Those of `people` whose yes would count now, in their order."""
        return tuple(p for p in people if self.eligible(request, p.id, now).verdict is Verdict.ALLOW)

    def count(self, request: ApprovalRequest, plan_hash: str, now: datetime) -> int:
        """How many distinct people's yes counts for this plan now: asked again for each, right before execution."""
        if request.state not in (ApprovalState.PENDING, ApprovalState.GRANTED):
            return 0
        if any(not a.approve for a in request.answers):
            return 0
        return sum(self.eligible(request, p, now, plan_hash).verdict is Verdict.ALLOW for p in request.approvers)

    def _asked(self, bundle: Bundle, request: ApprovalRequest, person: str, now: datetime, plan_hash: str) -> Decision:
        plan = _plan(request)
        who = _person(person, bundle.declared.people.teams_of(person))
        moment = {"digest": plan_hash, "now_s": int(now.timestamp())}
        question = Question(who["uid"], "approve", plan["uid"], (who, plan), {"now": moment})
        answers = bundle.engine.evaluate(question)
        check_probes(question, answers.probes, bundle.rules)
        (probe,) = answers.probes
        ids = probe.policy_ids or (NOT_A_MEMBER,)
        reasons = tuple(bundle.rules[i].reason for i in probe.policy_ids)
        body = {"principal": who, "resource": plan, "context": moment}
        return Decision(
            verdict=Verdict.ALLOW if probe.decision == "Allow" else Verdict.DENY,
            policy_ids=ids,
            reasons=reasons or (f"{person} is not a member of {request.team or 'any owning team'}",),
            bundle_hash=bundle.hash,
            request_sha256=digest(body),
            request=body,
        )


def answered(request: ApprovalRequest, answer: Answer, now: datetime) -> ApprovalRequest:
    """The request with one more answer: one no denies it, enough people's yes grant it. Every store uses this.

    Whether a yes counts is asked before (Approvers.eligible) and again before acting (Approvers.count). Raises
    Conflict when the request takes no answers: decided already, expired, asked for or answered by this person.
    """
    if request.state is not ApprovalState.PENDING:
        raise Conflict(f"Approval {request.id} is {request.state.value}; it takes no more answers.")
    if now >= request.expires_at:
        raise Conflict(f"Approval {request.id} expired at {request.expires_at.isoformat()}.")
    if answer.person == request.requester:
        raise Conflict(f"{answer.person} asked for this and cannot also decide it; approval {request.id} needs somebody else.")
    if any(given.person == answer.person for given in request.answers):
        raise Conflict(f"{answer.person} has answered approval {request.id} already; it needs another person.")
    after = request.model_copy(update={"answers": (*request.answers, answer)})
    if not answer.approve:
        return after.model_copy(update={"state": ApprovalState.DENIED})
    enough = len(after.approvers) >= max(1, request.required)
    return after.model_copy(update={"state": ApprovalState.GRANTED}) if enough else after


def _person(person: str, teams: tuple[str, ...]) -> Entity:
    return {"uid": uid("Person", person), "attrs": {}, "parents": [uid("Team", t) for t in teams]}


def _plan(request: ApprovalRequest) -> Entity:
    requesters = [uid("Person", request.requester)] if request.requester is not None else []
    attributes: dict[str, Any] = {
        "owner": uid("Team", request.team),
        "digest": request.plan_hash,
        "requesters": requesters,
        "expires_at_s": int(request.expires_at.timestamp()),
    }
    return {"uid": uid("Plan", request.id), "attrs": attributes, "parents": []}


def _denied(rule: str, reason: str, *, fault: bool) -> Decision:
    return Decision(verdict=Verdict.DENY, policy_ids=(rule,), reasons=(reason,), fault=reason if fault else None)
