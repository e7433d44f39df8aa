"""Something somebody changed: a deploy, a prompt, a model, a flag."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class ChangeKind(StrEnum):
    """What kind of thing changed. PROMPT and MODEL are the AI engineers' business."""

    DEPLOY = "deploy"
    PROMPT = "prompt"
    MODEL = "model"
    CONFIG = "config"
    FLAG = "flag"
    INFRA = "infra"


class Change(BaseModel):
    """One change. `target` is "deployment/api", "prompt/intent-router", ...; from/to are versions.

    `services` limits what it can have affected; empty means unknown, that is: anything. `message` is what its author wrote
    about it, `link` where a person can look at it: http(s) or "".
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    at: datetime
    kind: ChangeKind
    target: str
    summary: str = ""
    from_version: str | None = None
    to_version: str | None = None
    author: str | None = None
    source: str = ""
    services: tuple[str, ...] = ()
    message: str | None = None
    link: str = ""


class ScoreChange(BaseModel):
    """A quality score's mean before a change and since, and of how many scores each is the mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    before: float
    before_count: int
    after: float
    after_count: int


class Changed(BaseModel):
    """The change that a finding is about, fact by fact. Foreign text stays data.

    `what` is a bare name ("intent-router"), "" when only versions are known.
    `author` made the change; `writer` wrote the version that went live, perhaps long before somebody else made it live.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ChangeKind
    what: str
    at: datetime
    before: str | None = None
    after: str | None = None
    author: str | None = None
    writer: str | None = None
    message: str | None = None
    link: str = ""
    score: ScoreChange | None = None


LONGEST_LINK = 500


def web_link(value: object) -> str:
    """`value` if it is a plain http(s) address that a person can follow, else "": no blanks, no markup, no user name in it."""
    if not isinstance(value, str) or not value.isascii() or len(value) > LONGEST_LINK:
        return ""
    return value if re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?(/[\w./~%:@+,;=&?#-]*)?", value) else ""


def by(author: str | None) -> str:
    """ " by <author>" for a sentence; "" for nobody, for a name that was redacted, and for what is no name."""
    plain = author is not None and "[redacted" not in author and re.fullmatch(r"[\w.@+-][\w .@+-]{0,59}", author)
    return f" by {author}" if plain else ""


class ChangeFeed(Protocol):
    """Where changes around an incident are read from (PagerDuty change events, a recorded case, ...)."""

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:
        """Changes in [since, until] that may concern the service. () is "asked, and nothing changed".

        Raises Transient or Permanent when the feed could not be asked.
        """
        ...
