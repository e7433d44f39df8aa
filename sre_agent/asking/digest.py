"""Questions that are too many to be put one by one: one message for all of an hour's, and the owner asked in, once."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.handback.board import DigestView, Place, QuestionBoard, Waiting
from sre_agent.handback.tracker import IncidentTracker
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.response import lifecycle
from sre_agent.response.fatigue import AskedIn, Digest
from sre_agent.response.record import Announced, IncidentRecord, State
from sre_agent.response.walk import Walk
from sre_agent.triage.ownership import Ownership

LOCK = "digest of questions"
"""No target's key: those have the form kind/namespace/name."""

Lock = Callable[[str], AbstractAsyncContextManager[Any]]
"""lock(key): held by one worker at a time, of all processes. Transient when somebody holds it."""


@dataclass(frozen=True)
class DigestDesk:
    """One worker at a time opens, fills and shows digests: nobody is asked in twice, and no message is posted twice."""

    walk: Walk
    tracker: IncidentTracker
    ownership: Ownership
    lock: Lock
    per_hour: int
    public_url: str = ""

    async def join(self, board: QuestionBoard, record: IncidentRecord, request: ApprovalRequest) -> Announced:
        """Put the question into the hour's digest and ask its owner in; where it then stands.

        Asking in does not wait for Slack: a digest that cannot be shown raises after the page went out.
        """
        async with self.lock(LOCK):
            digest = await self._with(request)
            later: Transient | None = None
            try:
                digest = await self._page(digest, record)
            except Transient as failed:
                later = failed
                digest = await self.walk.store.digest(digest.id) or digest
            digest = await self._show(board, digest)
        if later is not None:
            raise later
        return Announced(approval_id=request.id, channel=digest.channel, message=digest.message, digest=digest.id)

    async def refresh(self, board: QuestionBoard, digest_id: str) -> None:
        """Show the digest as it stands now."""
        async with self.lock(LOCK):
            digest = await self.walk.store.digest(digest_id)
            if digest is not None:
                await self._show(board, digest)

    async def _with(self, request: ApprovalRequest) -> Digest:
        newest = await self.walk.store.digest(None)
        if newest is None or not newest.takes(request.created_at):
            newest = Digest(id=f"dig_{request.id}", opened_at=request.created_at)
        if request.id in newest.questions:
            return newest
        return await self.walk.store.put_digest(newest.model_copy(update={"questions": (*newest.questions, request.id)}))

    async def _show(self, board: QuestionBoard, digest: Digest) -> Digest:
        tried = digest.tried
        if not digest.message and not tried:
            digest = await self.walk.store.put_digest(digest.model_copy(update={"tried": True}))
        place = Place(channel=digest.channel, message=digest.message) if digest.message else None
        stands = await board.show_digest(await self._view(digest), place, tried=tried)
        if stands is None or (stands.channel, stands.message) == (digest.channel, digest.message):
            return digest
        return await self.walk.store.put_digest(digest.model_copy(update={"channel": stands.channel, "message": stands.message}))

    async def _view(self, digest: Digest) -> DigestView:
        lines = [line for i in digest.questions if (line := await self._line(i)) is not None]
        return DigestView(id=digest.id, per_hour=self.per_hour, total=len(digest.questions), waiting=tuple(lines))

    async def _line(self, approval_id: str) -> Waiting | None:
        request = await self.walk.store.approval(approval_id)
        if request is None or request.state is not ApprovalState.PENDING:
            return None
        record = await self.walk.store.load(request.incident_id)
        if record is None or record.state is not State.AWAITING_APPROVAL or record.approval_id != approval_id:
            return None
        incident, plan = record.incident, record.proposal
        number = incident.number if incident else None
        return Waiting(
            approval_id=approval_id,
            incident=record.id if number is None else f"#{number}",
            service=(incident.service.name or incident.service.id) if incident else "",
            action=plan.action.replace("_", " ") if plan else "",
            target=plan.target.key if plan else "",
            team=request.team,
            given=len(request.approvers),
            required=request.required,
            expires_at=request.expires_at,
            link=lifecycle.page_of(record.id, self.public_url),
        )

    async def _page(self, digest: Digest, record: IncidentRecord) -> Digest:
        """Ask the owner's escalation policy in, once for a digest. The intent is stored first, and names the incident.

        What a worker left half done is finished on the same incident, where the tracker looks before it asks.
        """
        policy = self.ownership.escalation_policy(record.triage.receiver if record.triage else "default")
        known = digest.asked(policy) if policy is not None else None
        if policy is None or (known is not None and known.done):
            return digest
        if known is None:
            known = AskedIn(policy=policy, incident_id=record.id)
            digest = await self.walk.store.put_digest(digest.having(known))
        message = f"[sre-agent {digest.id}] {self._asking(digest)}"
        try:
            await self.tracker.ask_in(known.incident_id, policy, message)
        except Permanent as refused:
            # The next question of the digest tries again, on its own incident.
            text = f"too many questions wait, and escalation policy {policy} could not be asked in: {refused}"
            await self._tell(record.id, "approvers_not_asked_in", text)
            return await self.walk.store.put_digest(digest.without(policy))
        await self._tell(record.id, "approvers_asked_in", f"too many questions wait: escalation policy {policy} was asked in")
        return await self.walk.store.put_digest(digest.having(known.model_copy(update={"done": True})))

    def _asking(self, digest: Digest) -> str:
        """The same words every time: by them it is recognised that somebody was asked in already."""
        where = f"{self.public_url}, " if self.public_url else ""
        opened = digest.opened_at.strftime("%H:%M UTC")
        return (
            f"Since {opened} more than {self.per_hour} plans have been waiting for approval, so they are not asked one by one any "
            f"more. Please look at them together: the digest in Slack, {where}or `sre-agent approvals list`."
        )

    async def _tell(self, incident_id: str, kind: str, text: str) -> None:
        now = self.walk.clock.now()
        await self.walk.advance(incident_id, lambda r: lifecycle.remark(r, kind, text, now))
