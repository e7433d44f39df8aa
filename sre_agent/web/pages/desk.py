"""What the pages need of one app, and what every route does: find out who asks, read what stands around a page, show it."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sre_agent.approval.request import ApprovalRequest
from sre_agent.policy.decision import Verdict
from sre_agent.response.headline import Wanted
from sre_agent.response.record import IncidentRecord, State
from sre_agent.web.pages.incident import IncidentView, Seen, view_of
from sre_agent.web.pages.look import Frame, Look, frame_of
from sre_agent.web.ports import PagePorts, WebPorts
from sre_agent.web.visitor import Role, Visitor, needing

MOST_WAITING = 100


class PageDesk:
    """The ports of the pages, and the look."""

    def __init__(self, ports: WebPorts, pages: PagePorts) -> None:
        self.ports = ports
        self.pages = pages
        self.look = Look()

    async def show(self, request: Request, template: str, view: Mapping[str, Any], status: int = 200) -> Response:
        """The page for somebody who may look. Raises HTTPException 401, or Transient."""
        needing(Role.VIEWER, request)
        return self.look.page(template, await self.frame(request), view, status)

    async def frame(self, request: Request) -> Frame:
        """What stands around a page. Raises Transient when the store is away."""
        halt = await self.ports.switch.state() if self.ports.switch is not None else None
        waiting = len(await self.ports.store.approvals(pending_only=True))
        return frame_of(request, self.ports.clock.now(), halt, waiting)

    async def incident(self, visitor: Visitor, record: IncidentRecord) -> IncidentView:
        """Everything about one incident, for this visitor."""
        store = self.ports.store
        question = await store.approval(record.approval_id) if record.approval_id else None
        seen = Seen(record, await store.audit(record.id), await self.pages.intents(record.id), question)
        why_not = self.why_not(visitor, question) if question is not None else ""
        return view_of(seen, self.pages.rules, self.pages.runbooks, why_not)

    def why_not(self, visitor: Visitor, question: ApprovalRequest) -> str:
        """Why this visitor's yes would not count, in words; "" when it would. The desk asks again when it is given."""
        if visitor.role < Role.APPROVER or visitor.person is None:
            return "You are signed in to look. People listed in teams.yaml may answer."
        if any(a.person == visitor.person for a in question.answers):
            return "You have answered. It takes another person now."
        judged = self.pages.eligible(question, visitor.person, self.ports.clock.now())
        return "" if judged.verdict is Verdict.ALLOW else f"Your yes would not count: {'; '.join(judged.reasons)}."

    async def waiting(self, visitor: Visitor) -> list[dict[str, Any]]:
        """The questions that wait for people, each with its incident's line, the newest first."""
        lines = await self.pages.headlines.newest(Wanted(states=frozenset({State.AWAITING_APPROVAL})), MOST_WAITING)
        by_id = {line.id: line for line in lines}
        asked = (await self.ports.store.approvals(pending_only=True))[:MOST_WAITING]
        return [{"request": q, "line": by_id.get(q.incident_id), "why_not": self.why_not(visitor, q)} for q in asked]
