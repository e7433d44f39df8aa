"""Puts questions where people answer them, and shows there what became of each. `announce` is one job's body.

INVARIANT: nothing here holds an incident up. What cannot be shown is told on the timeline and in the note, and the question
stays open for the other doors until its time is over.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sre_agent.approval.request import ApprovalRequest
from sre_agent.asking.became import became
from sre_agent.asking.digest import DigestDesk
from sre_agent.handback.board import Place, Question, QuestionBoard
from sre_agent.handback.impact import effects
from sre_agent.handback.note import NoteContent
from sre_agent.incident.errors import Conflict, Permanent
from sre_agent.policy.people import Person
from sre_agent.response import lifecycle
from sre_agent.response.fatigue import WINDOW, Way, way
from sre_agent.response.follow_up import note_content
from sre_agent.response.record import Announced, IncidentRecord, Step
from sre_agent.response.walk import Walk
from sre_agent.runbook.runbook import Runbook

_LOOKS = 3

MayApprove = Callable[[ApprovalRequest, datetime], tuple[Person, ...]]
"""(request, now) -> the people whose yes would count."""


@dataclass(frozen=True)
class Announcer:
    """Without a board nothing is put anywhere: the note and the command line ask alone."""

    walk: Walk
    board: QuestionBoard | None
    digests: DigestDesk
    runbooks: Mapping[str, Runbook]
    may_approve: MayApprove
    name_of: Callable[[str], str]
    per_hour: int
    public_url: str = ""

    async def announce(self, incident_id: str) -> None:
        """Put the newest question where people answer, or show there what became of it.

        INVARIANT: whoever was held up on the way looks again before it ends, so that the last look that reaches people is true.
        """
        seen = None
        for _ in range(_LOOKS):
            record = await self.walk.load(incident_id)
            request = await self.walk.store.approval(record.approval_id) if record.approval_id is not None else None
            if self.board is None or request is None or seen == (record.state, request):
                return
            seen = (record.state, request)
            await self._tell(self.board, record, request)

    async def _tell(self, board: QuestionBoard, record: IncidentRecord, request: ApprovalRequest) -> None:
        question = self._question(record, request)
        try:
            await self._supersede(board, record, request)
            await self._put(board, record, question)
        except Conflict:
            raise
        except Permanent as failed:
            if not question.open:
                raise
            now, reason, page = self.walk.clock.now(), str(failed), question.content.link
            await self.walk.advance(record.id, lambda r: lifecycle.untold(r, reason, now, page))

    async def _supersede(self, board: QuestionBoard, record: IncidentRecord, request: ApprovalRequest) -> None:
        """The former question of the incident says, where it stands, that this one took its place."""
        known = record.announced
        former = None if known is None or known.approval_id == request.id else await self.walk.store.approval(known.approval_id)
        if known is None or former is None:
            return
        try:
            await self._mark_superseded(board, record, known, former)
        except Conflict:
            raise
        except Permanent as failed:
            # No reason to keep the new question back: whoever presses a button of the old one is refused, with the reason.
            text, now = f"the former question, {former.id}, could not be marked as superseded: {failed}", self.walk.clock.now()
            await self.walk.advance(record.id, lambda r: lifecycle.remark(r, "question_not_superseded", text, now))

    async def _mark_superseded(
        self, board: QuestionBoard, record: IncidentRecord, known: Announced, former: ApprovalRequest
    ) -> None:
        if known.digest:
            await self.digests.refresh(board, known.digest)
            return
        standing, said = became(record.timeline, former)
        # Its plan is no longer in the record: what it was is told by the question as it was asked.
        bare = NoteContent(incident_id=record.id, status="superseded", triage=record.triage)
        told = self._about(record, former).model_copy(
            update={"content": bare, "standing": standing, "became": said, "superseded": True}
        )
        await board.show(told, _place(known), tried=True)

    async def _put(self, board: QuestionBoard, record: IncidentRecord, question: Question) -> None:
        request = question.request
        known = record.announced if record.announced and record.announced.approval_id == request.id else None
        if known is None and not question.open:
            return  # it was answered elsewhere before it was ever shown
        if known is None and await self._way(request) is Way.DIGEST:
            known = await self.digests.join(board, record, request)
            await self._remember(record.id, known)
        elif known is not None and known.digest:
            await self.digests.refresh(board, known.digest)
        else:
            await self._show(board, record.id, question, known)

    async def _show(self, board: QuestionBoard, incident_id: str, question: Question, known: Announced | None) -> None:
        tried = known is not None
        if known is None:
            # INVARIANT: that a message is about to be posted is on record before it is, so that whoever comes after a crash looks.
            begun = Announced(approval_id=question.request.id, channel="", message="")
            if not await self._remember(incident_id, begun):
                return  # the incident moved on; its next question has a job of its own
        stands = await board.show(question, _place(known), tried=tried)
        if stands is not None:
            at = Announced(approval_id=question.request.id, channel=stands.channel, message=stands.message)
            await self._remember(incident_id, at)

    async def _way(self, request: ApprovalRequest) -> Way:
        lately = await self.walk.store.approvals_since(request.created_at - WINDOW)
        return way([a.created_at for a in lately], request.created_at, self.per_hour)

    async def _remember(self, incident_id: str, now: Announced) -> bool:
        def put(latest: IncidentRecord) -> Step | None:
            if latest.announced == now or latest.approval_id != now.approval_id:
                return None
            return Step(to=latest.state, changes={"announced": now})

        return (await self.walk.advance(incident_id, put)).announced == now

    def _question(self, record: IncidentRecord, request: ApprovalRequest) -> Question:
        content = note_content(record, self.runbooks, self.public_url)
        standing, said = became(record.timeline, request)
        question = self._about(record, request).model_copy(
            update={"content": content, "standing": standing, "became": said, "effects": effects(content)}
        )
        if not question.open:
            return question
        may = self.may_approve(request, self.walk.clock.now())
        names = {**question.names, **{p.id: p.name for p in may}}
        return question.model_copy(update={"may_approve": tuple(p.id for p in may), "names": names})

    def _about(self, record: IncidentRecord, request: ApprovalRequest) -> Question:
        incident = record.incident
        return Question(
            request=request,
            content=NoteContent(incident_id=record.id, status=record.state.value),
            title=incident.title if incident else "",
            number=incident.number if incident else None,
            url=incident.html_url if incident else "",
            service=(incident.service.name or incident.service.id) if incident else "",
            names={a.person: self.name_of(a.person) for a in request.answers},
        )


def _place(known: Announced | None) -> Place | None:
    return Place(channel=known.channel, message=known.message) if known is not None and known.message else None
