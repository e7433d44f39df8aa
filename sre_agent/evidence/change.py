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

    `services` limits what it can have affected; empty means unknown, that is: anything.
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
