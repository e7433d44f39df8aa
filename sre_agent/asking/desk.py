"""Takes people's answers, whatever the door: who is it, may they, and what does their word change?

A door (command line, Slack, page) proves who somebody is, by its own means, and then says so here. Nothing else does.
"""

from dataclasses import dataclass

from sre_agent.approval.decide import Approvers
from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.approval.teams import Teams
from sre_agent.incident.errors import Conflict, Permanent, Refused
from sre_agent.policy.decision import Verdict
from sre_agent.response import lifecycle
from sre_agent.response.record import IncidentRecord, State
from sre_agent.response.walk import Walk

SHORTEST_PLAN = 8
"""Digits of a plan's hash that a door must show at least: 32 bits, against a mix-up; who may answer is judged apart."""


@dataclass(frozen=True)
class Given:
    """What one person said about one question. `person` is their id in teams.yaml, proved by the door named in `via`.

    `plan` is the beginning of the plan's hash that the person was shown; "" where the door shows the question as it is stored.
    """

    approval_id: str
    person: str
    approve: bool
    via: str
    reason: str = ""
    plan: str = ""


@dataclass(frozen=True)
class AnswerDesk:
    """A yes counts only for whom the policies say; a no counts from anybody identified. The first decision wins."""

    walk: Walk
    teams: Teams
    approvers: Approvers

    async def pending(self) -> tuple[ApprovalRequest, ...]:
        """Questions that wait for people, newest first."""
        return await self.walk.store.approvals(pending_only=True)

    async def answer(self, approval_id: str, person: str, token: str, *, approve: bool, reason: str) -> IncidentRecord:
        """An answer from the command line, proved by the person's own token. Raises Refused, Conflict or Permanent."""
        if not self.teams.proves(person, token):
            raise Refused("approver-unproved", f"the token does not belong to {person!r} (teams.yaml, cli_token_sha256)")
        return await self.take(Given(approval_id, person, approve, "cli", reason))

    async def take(self, given: Given) -> IncidentRecord:
        """One proved person's answer; the incident as it then stands.

        Raises Refused with the rule when this person's yes does not count, Conflict when the question takes no more answers
        (somebody was first, it expired, they answered before), Permanent when there is no such question.
        """
        question = await self.walk.store.approval(given.approval_id)
        if question is None:
            raise Permanent(f"there is no approval {given.approval_id}; `sre-agent approvals list` shows the open ones")
        if given.plan and not (len(given.plan) >= SHORTEST_PLAN and question.plan_hash.startswith(given.plan)):
            # SAFETY: people agree to the plan they saw and to no other.
            raise Refused("approve-plan-unchanged", "this button was made for another plan than the one waiting now")
        await self._still_waited_for(question)
        now = self.walk.clock.now()
        judged = self.approvers.eligible(question, given.person, now)
        if given.approve and judged.verdict is not Verdict.ALLOW:
            raise Refused(", ".join(judged.policy_ids), "; ".join(judged.reasons))
        said = Answer(person=given.person, approve=given.approve, via=given.via, at=now, reason=given.reason)
        answered = await self.walk.store.answer(given.approval_id, said, now)
        return await self.walk.advance(answered.incident_id, lambda r: lifecycle.on_answer(r, answered, self.walk.clock.now()))

    async def _still_waited_for(self, question: ApprovalRequest) -> None:
        """A plan may be withdrawn a moment before its question is closed: an answer then would stand there without effect."""
        if question.state is not ApprovalState.PENDING:
            return  # the store says what became of it
        record = await self.walk.load(question.incident_id)
        if record.state is not State.AWAITING_APPROVAL or record.approval_id != question.id:
            stands = record.state.value.replace("_", " ")
            raise Conflict(f"Approval {question.id} is not waited for any more: incident {record.id} is {stands}.")
