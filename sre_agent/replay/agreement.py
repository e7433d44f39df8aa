"""Whether what the agent proposed is what people did. Pure: the same case gives the same answer.

SAFETY: leave to act by itself is earned with AGREE alone. What cannot be told is UNCLEAR or SAME_ACTION, and never agreement.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from sre_agent.replay.done import Done, Told, done, same_object
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.result import ProposedAction


class AgreementKind(StrEnum):
    """How a proposal stands to what people did."""

    AGREE = "agree"
    """People did the same to the same object, and nobody says that it was in vain."""
    SAME_ACTION = "same_action"
    """People did the same; to which object was not written down."""
    DISAGREE = "disagree"
    """People did something else, or the same to another object or in vain."""
    PEOPLE_DID_NOTHING = "people_did_nothing"
    """Something was proposed; people did nothing, and it is written down that they did not."""
    UNCLEAR = "unclear"
    """Something was proposed; what people did is written down, and cannot be told to be the same or not."""
    NOT_TOLD = "not_told"
    """Something was proposed; nobody wrote down what people did."""
    NO_PROPOSAL = "no_proposal"
    """Nothing was proposed."""
    FAILED = "failed"
    """The case could not be replayed."""


class Agreement(BaseModel):
    """`reason` is a sentence for people. `people` is what they did, oldest first; `at` when they did the same (AGREE,
    SAME_ACTION) and None otherwise. `action` is what was proposed, "" for nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: AgreementKind
    reason: str
    action: str = ""
    people: tuple[Done, ...] = ()
    at: datetime | None = None


def agreement(replayed: Replayed) -> Agreement:
    """The proposal of a case beside what people did. The verdict plays no part: a refused proposal may agree."""
    if replayed.result is None:
        return Agreement(kind=AgreementKind.FAILED, reason="the case could not be replayed")
    people, proposal = people_did(replayed), replayed.result.proposal
    if proposal is None:
        return Agreement(kind=AgreementKind.NO_PROPOSAL, reason="nothing was proposed", people=people or ())
    if people is None:
        return Agreement(kind=AgreementKind.NOT_TOLD, reason="nobody wrote down what people did", action=proposal.action)
    kind, reason, at = _compared(proposal, people)
    return Agreement(kind=kind, reason=reason, action=proposal.action, people=people, at=at)


def people_did(replayed: Replayed) -> tuple[Done, ...] | None:
    """What people did, oldest first; empty when nothing was done, None when nobody wrote it down."""
    outcome = None if replayed.told is None else replayed.told.outcome
    if outcome is None or outcome.actions is None:
        return None
    return tuple(sorted((done(action) for action in outcome.actions), key=lambda d: d.at))


def _compared(proposal: ProposedAction, people: tuple[Done, ...]) -> tuple[AgreementKind, str, datetime | None]:
    if not people:
        return AgreementKind.PEOPLE_DID_NOTHING, "people did nothing", None
    same = [(d, same_object(d, proposal.target)) for d in people if d.action == proposal.action]
    useful = [(d, it) for d, it in same if d.helped is not False]
    for d, it in useful:
        if it:
            return AgreementKind.AGREE, "people did the same to the same object", d.at
    for d, it in useful:
        if it is None:
            return AgreementKind.SAME_ACTION, "people did the same; to which object was not written down", d.at
    if any(d.told is Told.UNTOLD for d in people):
        return AgreementKind.UNCLEAR, "what people did cannot be told from what was written", None
    if len(useful) < len(same):
        return AgreementKind.DISAGREE, "people did the same, in vain", None
    if useful:
        return AgreementKind.DISAGREE, "people did the same to another object", None
    named = ", ".join(sorted({d.action for d in people if d.action}))
    return AgreementKind.DISAGREE, f"people did something else{': ' if named else ''}{named}", None
