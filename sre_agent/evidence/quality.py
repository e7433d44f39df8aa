"""What a model-quality tracker (Langfuse) says: scores and prompt versions, the same shape live and recorded.

Payload of EvidenceKind.LANGFUSE evidence is {"scores": [Score...], "prompts": [PromptVersion...]} as dumped here.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


Version = Annotated[str, BeforeValidator(_text)]
Instant = Annotated[datetime, AfterValidator(_aware)]


class Score(BaseModel):
    """One score, or the mean of `count` scores of one period that begins at `timestamp`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    timestamp: Instant
    value: float
    prompt: str | None = None
    version: Version | None = None
    count: int = 1


class PromptVersion(BaseModel):
    """One version of a prompt. `updated_at` also moves when a label moves, `created_at` never does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    version: Version
    labels: tuple[str, ...] = ()
    created_at: Instant | None = None
    updated_at: Instant | None = None

    @property
    def live_since(self) -> datetime | None:
        """When it went live at the latest known: label moves touch `updated_at` only."""
        if "production" not in self.labels:
            return None
        return self.updated_at or self.created_at
