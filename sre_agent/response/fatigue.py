"""How a question is put to people: by itself, or in a digest when there are too many. Pure.

Source: the approval fatigue of alarm and consent prompts; whoever is asked all the time says yes without reading (G31).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

WINDOW = timedelta(hours=1)


class Way(StrEnum):
    """SEPARATE: a message of its own, with buttons. DIGEST: a line in one message, and a page."""

    SEPARATE = "separate"
    DIGEST = "digest"


def way(asked: Iterable[datetime], now: datetime, per_hour: int) -> Way:
    """The way for a question asked at `now`. `asked`: when each question was asked, this one among them.

    It depends on when questions were asked and on nothing else, so every worker comes to the same answer, at any time.
    """
    lately = sum(now - WINDOW < at <= now for at in asked)
    return Way.SEPARATE if lately <= per_hour else Way.DIGEST


class AskedIn(BaseModel):
    """An escalation policy that a digest asked in, on an incident. `done` False: it is being asked, or may have been."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str
    incident_id: str
    done: bool = False


class Digest(BaseModel):
    """An hour's questions that stand in one message. `version` is the compare-and-set fence.

    `questions` are approval ids in the order they came. `message` is "" until it was posted; `tried`: posting was begun.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    opened_at: datetime
    version: int = 0
    questions: tuple[str, ...] = ()
    channel: str = ""
    message: str = ""
    tried: bool = False
    asked_in: tuple[AskedIn, ...] = ()

    def takes(self, asked_at: datetime) -> bool:
        """True when a question asked then belongs here."""
        return asked_at < self.opened_at + WINDOW

    def asked(self, policy: str) -> AskedIn | None:
        """How far asking in a policy has come."""
        return next((a for a in self.asked_in if a.policy == policy), None)

    def having(self, entry: AskedIn) -> "Digest":
        """With this entry in the place of the policy's former one."""
        return self.model_copy(update={"asked_in": (*self.without(entry.policy).asked_in, entry)})

    def without(self, policy: str) -> "Digest":
        """As if the policy had not been asked in."""
        return self.model_copy(update={"asked_in": tuple(a for a in self.asked_in if a.policy != policy)})
