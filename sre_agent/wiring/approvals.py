"""Answering approvals from the command line: who is it, may they, and what does their word change?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sre_agent.approval.decide import Approvers
from sre_agent.approval.request import Answer, ApprovalRequest
from sre_agent.approval.teams import Teams
from sre_agent.incident.errors import Permanent, Refused
from sre_agent.policy.decision import Verdict
from sre_agent.response import lifecycle
from sre_agent.response.record import IncidentRecord
from sre_agent.response.walk import Walk
from sre_agent.settings import Settings
from sre_agent.wiring.brain import load_books
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.state import opened_state


@dataclass(frozen=True)
class ApprovalDesk:
    """Takes people's answers. A yes counts only for whom the policies say; a no counts from anybody identified."""

    walk: Walk
    teams: Teams
    approvers: Approvers

    async def pending(self) -> tuple[ApprovalRequest, ...]:
        """Questions that wait for people, newest first."""
        return await self.walk.store.approvals(pending_only=True)

    async def answer(self, approval_id: str, person: str, token: str, *, approve: bool, reason: str) -> IncidentRecord:
        """One person's answer, proved by their own token. Raises Refused, Conflict or Permanent, with the reason."""
        if not self.teams.proves(person, token):
            raise Refused("approver-unproved", f"the token does not belong to {person!r} (teams.yaml, cli_token_sha256)")
        question = await self.walk.store.approval(approval_id)
        if question is None:
            raise Permanent(f"there is no approval {approval_id}; `sre-agent approvals list` shows the open ones")
        now = self.walk.clock.now()
        judged = self.approvers.eligible(question, person, now)
        if approve and judged.verdict is not Verdict.ALLOW:
            raise Refused(", ".join(judged.policy_ids), "; ".join(judged.reasons))
        given = Answer(person=person, approve=approve, via="cli", at=now, reason=reason)
        answered = await self.walk.store.answer(approval_id, given, now)
        return await self.walk.advance(answered.incident_id, lambda r: lifecycle.on_answer(r, answered, self.walk.clock.now()))


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[ApprovalDesk]:
    """The desk over the configured database and bundle."""
    books = load_books(settings.policies_dir, settings.policy_data, settings.runbooks_dir)
    async with opened_state(settings) as state:
        people = books.bundle.declared.people
        yield ApprovalDesk(Walk(state.store, SystemClock()), Teams(people), Approvers(books.bundle))
