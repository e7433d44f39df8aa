"""What a model-quality tracker (Langfuse) says: scores, prompt versions, use of models; the same shape live and recorded.

Payload of EvidenceKind.LANGFUSE evidence is {"scores": [Score...], "prompts": [PromptVersion...], "models":
[ModelUse...], "errors": [ModelError...]} as dumped here; every key may be missing.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError


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
    """One version of a prompt. `updated_at` also moves when a label moves, `created_at` never does.

    `created_by` wrote the version, which says nothing of who moved a label, and `message` is what they wrote about it.
    `newest`: the newest version there is. `link`: its page, "" when that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    version: Version
    labels: tuple[str, ...] = ()
    created_at: Instant | None = None
    updated_at: Instant | None = None
    created_by: str | None = None
    newest: Version | None = None
    message: str | None = None
    link: str = ""

    @property
    def live_since(self) -> datetime | None:
        """When it went live at the latest known: label moves touch `updated_at` only."""
        if "production" not in self.labels:
            return None
        return self.updated_at or self.created_at


Amount = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class ModelUse(BaseModel):
    """The calls of one model in the hour that begins at `timestamp`, of one prompt version where that is known.

    `errors` of the `count` calls failed. Latencies in seconds, `cost_usd` in USD, `tokens` in and out together.
    `traces`: how many conversations or runs made those calls. None is "not said".
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    timestamp: Instant
    prompt: str | None = None
    version: Version | None = None
    count: int = Field(ge=0)
    errors: int = Field(default=0, ge=0)
    traces: int | None = Field(default=None, ge=0)
    latency_p50_s: Amount | None = None
    latency_p95_s: Amount | None = None
    first_token_p95_s: Amount | None = None
    tokens: Amount | None = None
    cost_usd: Amount | None = None


class ModelError(BaseModel):
    """What calls that failed said: `count` of those looked at, first at `timestamp`. `message` is foreign text: data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    message: str
    timestamp: Instant
    count: int = Field(default=1, ge=1)
    model: str | None = None
    prompt: str | None = None
    version: Version | None = None


Row = TypeVar("Row", Score, PromptVersion, ModelUse, ModelError)


def rows(payload: object, key: str, shape: type[Row]) -> Iterator[Row]:
    """The rows of one key that have the shape; others are passed over, one bad row costs no more than itself."""
    found = payload.get(key) if isinstance(payload, dict) else None
    for raw in found if isinstance(found, list | tuple) else ():
        try:
            yield shape.model_validate(raw)
        except ValidationError:
            continue


def usable(score: Score) -> bool:
    """Whether a score is a number, and of at least one thing that was scored."""
    return math.isfinite(score.value) and score.count > 0
