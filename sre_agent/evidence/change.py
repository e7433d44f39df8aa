"""Something somebody changed: a deploy, a prompt, a model, a flag."""

from datetime import datetime
from enum import StrEnum

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
