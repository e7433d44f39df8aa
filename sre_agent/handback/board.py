"""Where questions are put to people, and what became of them is shown (a Slack channel): the port, in plain values."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.approval.request import ApprovalRequest
from sre_agent.handback.note import NoteContent


class Question(BaseModel):
    """A question as people see it: the request with its answers so far, and everything the note knows of the incident.

    `title` and `url` are the incident's own; `number` is PagerDuty's, None when not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: ApprovalRequest
    content: NoteContent
    title: str = ""
    number: int | None = None
    url: str = ""


class Place(BaseModel):
    """A message on the board: its channel and its own id there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    message: str


class QuestionBoard(Protocol):
    """Shows a question, in place once it was shown. Raises Transient or Permanent."""

    async def show(self, question: Question, place: Place | None) -> Place:
        """Post the question, or update it where it stands; where it stands now."""
        ...
