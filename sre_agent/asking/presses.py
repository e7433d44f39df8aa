"""What a press in Slack does: judged, answered, and told to who pressed. The door has proved that Slack sent it.

INVARIANT: a press can do nothing but hand an answer to the desk, which judges it as it judges every door's.
Whoever is refused hears why and what to do, and the refusal is audited.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, assert_never

from sre_agent.approval.press import Press, PressAction
from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.approval.teams import Person
from sre_agent.asking.desk import AnswerDesk, Given
from sre_agent.asking.pressers import Pressers
from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import Conflict, Refused, SreAgentError
from sre_agent.response.record import IncidentRecord, State

NO_REASON = "press-no-reason"
TOO_LATE = "press-too-late"
NOT_TAKEN = "press-not-taken"
"""The question takes answers, but not this one: this person has answered, or asked for it."""
_MOST_AUDITED = 500


class Talk(Protocol):
    """What is said to who pressed, and nobody else. Every method raises Transient or Permanent and makes its text safe itself."""

    async def whisper(self, press: Press, text: str) -> None:
        """A few sentences, in the channel of the press. Nothing when there is none."""
        ...

    async def ask_reason(self, press: Press) -> None:
        """A dialog that asks why not; its submission is a press of its own."""
        ...

    async def show_details(self, press: Press, record: IncidentRecord, question: ApprovalRequest) -> None:
        """A dialog with all that the question rests on, from the store."""
        ...


Counted = Callable[[str, str], None]
"""counted(what was pressed, what became of it): both words of closed sets, or a policy's id."""


@dataclass(frozen=True)
class PressDesk:
    """Takes presses. `page` is where the agent's pages are ("" when nowhere), for who cannot be helped here."""

    desk: AnswerDesk
    pressers: Pressers
    talk: Talk
    counted: Counted
    page: str = ""

    async def take(self, press: Press) -> str | None:
        """Do what was pressed; why not when it was refused, for a dialog to show, and None when it was done. Never raises
        what the product raises on purpose.
        """
        if press.action is PressAction.OTHER:
            self.counted(press.action.value, "ignored")
            return None
        try:
            done = await self._do(press)
        except Refused as no:
            return await self._refused(press, no.rule, no.reason)
        except Conflict as lost:
            return await self._refused(press, NOT_TAKEN, str(lost))
        except SreAgentError as failed:
            return await self._refused(press, "press-not-settled", f"this could not be settled: {failed}; look at the page")
        self.counted(press.action.value, done)
        return None

    async def unsettled(self, press: Press) -> None:
        """Tell who pressed that it takes longer than Slack waits."""
        self.counted(press.action.value, "slow")
        await self._say(press, f"Not settled yet: this takes longer than usual. You will hear what became of it.{self._page()}")

    async def _do(self, press: Press) -> str:
        """What became of it, for counting."""
        await self.pressers.of_this_workspace(press)
        if not press.approval_id:
            raise Refused("press-not-understood", "the button names no question of this agent; use the newest message")
        match press.action:
            case PressAction.DENY:
                # First of all: a dialog can be opened for three seconds after the press. Who may say no is asked when they do.
                await self.talk.ask_reason(press)
                return "opened"
            case PressAction.DETAILS:
                await self.pressers.full_member(press)
                question, record = await self._question(press)
                await self.talk.show_details(press, record, question)
                return "opened"
            case PressAction.APPROVE:
                return await self._answer(press, approve=True)
            case PressAction.DENY_SUBMITTED:
                if not press.reason:
                    raise Refused(NO_REASON, "say in a few words why not; it is written into the incident's note")
                return await self._answer(press, approve=False)
            case PressAction.OTHER:
                return "ignored"
            case _:
                assert_never(press.action)

    async def _answer(self, press: Press, *, approve: bool) -> str:
        person = await self.pressers.person(press)
        question, record = await self._question(press)
        self._still_open(question, record)
        if approve:
            await self.pressers.may_approve(press, person, record)
        reason = "" if approve else redact(press.reason)
        try:
            after = await self.desk.take(Given(question.id, person.id, approve, "slack", reason, press.plan))
        except Conflict:
            self._still_open(*await self._question(press))  # says who was first, where somebody was
            raise
        await self._say(press, self._taken(question, after, person, approve=approve))
        return "approved" if approve else "denied"

    async def _question(self, press: Press) -> tuple[ApprovalRequest, IncidentRecord]:
        """The question and its incident, from the store. Raises Refused when there is no such question."""
        question = await self.desk.walk.store.approval(press.approval_id)
        if question is None:
            raise Refused("press-unknown-question", "this agent knows no such question; use the newest message")
        return question, await self.desk.walk.load(question.incident_id)

    def _still_open(self, question: ApprovalRequest, record: IncidentRecord) -> None:
        """Raises Refused, saying what became of it, when the question takes no more answers."""
        waits = record.approval_id == question.id and record.state is State.AWAITING_APPROVAL
        now = self.desk.walk.clock.now()
        if question.state is not ApprovalState.PENDING or not waits or now >= question.expires_at:
            raise Refused(TOO_LATE, became(question, record, now, self._name))

    def _taken(self, question: ApprovalRequest, after: IncidentRecord, person: Person, *, approve: bool) -> str:
        if not approve:
            return f"Your no counts, {person.name}: the incident goes to its owner, with your reason."
        if after.state is State.AWAITING_APPROVAL:
            return (
                f"Your approval counts, {person.name}: {len(after.approvers)} of {question.required}. Somebody else is needed too."
            )
        return f"Your approval counts, {person.name}. Facts and policies are judged once more right before anything is done."

    async def _refused(self, press: Press, rule: str, why: str) -> str:
        """Count, remember and tell a refusal; the text."""
        self.counted(press.action.value, rule)
        text = f"Not counted: {why.rstrip('.')}."
        if rule != NO_REASON:  # the dialog is still open, and asks for it
            await self._remember(press, rule, why)
            await self._say(press, f"{text}{self._page()} ({rule})")
        return text

    async def _remember(self, press: Press, rule: str, why: str) -> None:
        """An audit record of the refusal. A database that is away takes nothing from the refusal."""
        store, now = self.desk.walk.store, self.desk.walk.clock.now()
        try:
            question = await store.approval(press.approval_id) if press.approval_id else None
            told = {
                "rule": rule,
                "reason": redact(why)[:_MOST_AUDITED],
                "pressed": press.action.value,
                "approval_id": press.approval_id,
                "plan": press.plan,
                "slack_user": press.user,
                "slack_team": press.user_team,
            }
            incident = question.incident_id if question is not None else None
            actor = f"slack:{press.user or 'unknown'}"
            await store.append_audit(AuditEntry(at=now, incident_id=incident, kind="press_refused", actor=actor, detail=told))
        except SreAgentError:
            self.counted(press.action.value, "unaudited")

    async def _say(self, press: Press, text: str) -> None:
        """Tell who pressed. Who cannot be told has still been answered or refused."""
        try:
            await self.talk.whisper(press, text)
        except SreAgentError:
            self.counted(press.action.value, "untold")

    def _page(self) -> str:
        return f" The page: {self.page}" if self.page else ""

    def _name(self, person: str) -> str:
        found = self.desk.teams.find("id", person)
        return found.name if found is not None else person


def became(question: ApprovalRequest, record: IncidentRecord, now: datetime, name: Callable[[str], str]) -> str:
    """What became of a question that takes no more answers, for who comes late."""
    no = next((a for a in question.answers if not a.approve), None)
    match question.state:
        case ApprovalState.DENIED if no is not None:
            return f"too late: {name(no.person)} denied this at {_clock(no.at)}" + (f", because: {no.reason}" if no.reason else "")
        case ApprovalState.GRANTED | ApprovalState.CONSUMED:
            people = " and ".join(name(p) for p in question.approvers)
            at = question.answers[-1].at if question.answers else now
            return f"too late: {people} approved this at {_clock(at)}, and it is {record.state.value.replace('_', ' ')} now"
        case ApprovalState.EXPIRED:
            return f"too late: nobody approved by {_clock(question.expires_at)}, so the answer was no"
        case ApprovalState.PENDING if now >= question.expires_at:
            return f"too late: nobody approved by {_clock(question.expires_at)}, so the answer was no"
        case _:
            return f"the plan was withdrawn: {record.reason or 'the incident has moved on'}"


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"
