"""The questions that wait, and people's answers to them.

SAFETY: only a press counts: the field `answer` of a form that names the plan it was shown for. Whose press it is, sign-in
says; whether it counts, the desk says, and its refusals are shown in its own words.
"""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sre_agent.approval.request import ApprovalRequest
from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import Conflict, Permanent, Refused
from sre_agent.web.forms import form_of
from sre_agent.web.pages.desk import PageDesk
from sre_agent.web.pages.incidents import ID, incident_page
from sre_agent.web.ports import Said
from sre_agent.web.visitor import Role, needing

VIA = "page"
LONGEST_REASON = 500


def routes(desk: PageDesk) -> APIRouter:
    """/approvals and its forms."""
    router = APIRouter(include_in_schema=False)

    @router.get("/approvals")
    async def waiting(request: Request) -> Response:
        visitor = needing(Role.VIEWER, request)
        return await desk.show(request, "approvals.html.j2", {"waiting": await desk.waiting(visitor)})

    @router.post("/approvals/{approval_id}")
    async def answer(request: Request, approval_id: Annotated[str, Path(pattern=ID)]) -> Response:
        visitor = needing(Role.APPROVER, request)
        question = await desk.ports.store.approval(approval_id)
        if question is None or visitor.person is None:
            raise HTTPException(404, "there is no such question; the ones that wait are under Approvals")
        form = form_of(request)
        pressed, plan, reason = form.one("answer"), form.one("plan"), form.one("reason").strip()
        if pressed not in ("approve", "deny") or not plan:
            raise HTTPException(422, "this is no answer: press Approve or Deny on the page of the question")
        if pressed == "deny" and not reason:
            return await _told(desk, request, question, 422, "Say why you deny it: it is what the next person reads.")
        if len(reason) > LONGEST_REASON:
            return await _told(desk, request, question, 422, f"Say it in at most {LONGEST_REASON} characters.")
        said = Said(approval_id, visitor.person, pressed == "approve", VIA, redact(reason), plan)
        return await _given(desk, request, question, said)

    return router


async def _given(desk: PageDesk, request: Request, question: ApprovalRequest, said: Said) -> Response:
    """Hand the answer in, and show what came of it."""
    there = RedirectResponse(f"/incidents/{question.incident_id}", 303)
    try:
        await desk.pages.answer(said)
    except Refused as no:
        return await _told(desk, request, question, 403, f"Your answer did not count: {no.reason} ({no.rule}).")
    except Conflict as late:
        stored = await desk.ports.store.approval(question.id)
        # A second press of the same person for the same is no second answer, and no failure either.
        if stored is not None and any((a.person, a.approve) == (said.person, said.approve) for a in stored.answers):
            return there
        return await _told(desk, request, question, 409, f"Your answer came too late: {late}")
    except Permanent as gone:
        return await _told(desk, request, question, 409, str(gone))
    return there


async def _told(desk: PageDesk, request: Request, question: ApprovalRequest, status: int, words: str) -> Response:
    """The incident's page as it stands now, with what is to be said on top."""
    record = await desk.ports.store.load(question.incident_id)
    if record is None:
        raise HTTPException(status, words)
    return await incident_page(desk, request, record, said=words, status=status)
