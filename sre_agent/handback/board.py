"""Where questions are put to people, and what became of them is shown (a Slack channel): the port, in plain values."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.handback.note import NoteContent


class Standing(StrEnum):
    """How a question stands. WAITING is the only one in which people are asked anything."""

    WAITING = "waiting"
    APPROVED = "approved"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    FAILED = "failed"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    HANDED_BACK = "handed_back"


class Question(BaseModel):
    """A question as people see it: the request with its answers so far, and everything the note knows of the incident.

    `title`, `url` and `service` are the incident's own; `number` is PagerDuty's, None when not known. `became` says in a line how
    it came to stand so. `effects` are replicas or offsets before and after, a line each, as far as known. `may_approve` are ids of
    teams.yaml, and `names` how to write those and who answered. `superseded`: a newer question of the same incident was asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: ApprovalRequest
    content: NoteContent
    title: str = ""
    number: int | None = None
    url: str = ""
    service: str = ""
    standing: Standing = Standing.WAITING
    became: str = ""
    effects: tuple[str, ...] = ()
    may_approve: tuple[str, ...] = ()
    names: dict[str, str] = {}
    superseded: bool = False

    @property
    def open(self) -> bool:
        """True while an answer still counts."""
        return self.standing is Standing.WAITING and self.request.state is ApprovalState.PENDING and not self.superseded


class Place(BaseModel):
    """A message on the board: its channel and its own id there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    message: str


class Waiting(BaseModel):
    """One line of a digest: a question that still waits. `link` is a page to answer it, "" when there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    approval_id: str
    incident: str
    service: str
    action: str
    target: str
    team: str
    given: int
    required: int
    expires_at: datetime
    link: str = ""


class DigestView(BaseModel):
    """Many questions in one message: those that wait, and how many were put here in all. `per_hour` is what was too many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    per_hour: int
    total: int
    waiting: Sequence[Waiting] = ()


class QuestionBoard(Protocol):
    """Shows a question or a digest, in place once it was shown. All raise Transient (try again) or Permanent.

    `tried`: an earlier attempt to post it may have happened, so it is looked for before anything is posted.
    """

    async def show(self, question: Question, place: Place | None, *, tried: bool = False) -> Place | None:
        """Post the question, or update it where it stands; where it stands now.

        A question that takes no answers any more is never posted anew. None: it stands nowhere.
        """
        ...

    async def show_digest(self, digest: DigestView, place: Place | None, *, tried: bool = False) -> Place | None:
        """The same for a digest; one in which nothing waits is never posted anew."""
        ...
