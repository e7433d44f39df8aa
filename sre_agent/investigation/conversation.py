"""The conversation with a model: it is only ever added to, so that what a provider has kept of it stays valid. Pure."""

from sre_agent.evidence.budget import Spend
from sre_agent.investigation import prompts
from sre_agent.investigation.chat import Message
from sre_agent.investigation.digest import fingerprint
from sre_agent.investigation.reasoner import Brief, Dialogue, LookAnswer

MOST_LOOK_CHARS = 6_000  # of the evidence that one look brought


def continued(brief: Brief, dialogue: Dialogue, answers: tuple[LookAnswer, ...]) -> Dialogue:
    """The conversation with what happened since: its opening, or the answers to the last looks."""
    if not dialogue.messages:
        text, shown = prompts.opening(brief)
        opening = (Message(role="system", text=prompts.SYSTEM), Message(role="user", text=text))
        return said(dialogue, *opening).model_copy(update={"shown": shown, "judged": fingerprint(prompts.judged(brief))})
    if not answers:
        return dialogue
    shown = dialogue.shown
    told: list[Message] = []
    for answer in answers:
        text, shown = _told(brief, answer, shown)
        told.append(Message(role="tool", call_id=answer.call_id, text=text))
    judged = prompts.judged(brief)
    mark = fingerprint(judged)
    told.append(Message(role="user", text=prompts.UNCHANGED if mark == dialogue.judged else judged))
    strikes = dialogue.strikes + (not all(a.valid for a in answers))
    return said(dialogue, *told).model_copy(update={"strikes": strikes, "shown": shown, "judged": mark})


def _told(brief: Brief, answer: LookAnswer, shown: dict[str, str]) -> tuple[str, dict[str, str]]:
    """(what one look showed, what has been shown with it): nothing is shown twice."""
    if not answer.evidence:
        return prompts.once(answer.text, shown, "an earlier look")
    brought = [e for e in brief.evidence if e.id in answer.evidence]
    return prompts.evidence_shown(brief, brought, shown, MOST_LOOK_CHARS, asked=True)


def said(dialogue: Dialogue, *messages: Message) -> Dialogue:
    """The dialogue with more said; what was just said is not said again."""
    if dialogue.messages[-len(messages) :] == messages:
        return dialogue
    return dialogue.model_copy(update={"messages": (*dialogue.messages, *messages)})


def spent(dialogue: Dialogue, more: Spend) -> Dialogue:
    """The dialogue with more spent."""
    return dialogue.model_copy(update={"spent": dialogue.spent.plus(more)})
