"""The shapes of a case's files, one model a file or row. Unknown keys are ignored here; case_file.py warns of them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sre_agent.evidence.ai.quality import ModelError, ModelUse, PromptVersion, Score
from sre_agent.evidence.change import Change, ChangeKind, web_link
from sre_agent.evidence.evidence import EvidenceStatus
from sre_agent.evidence.redis.state import NodeView, SentinelView

JsonObject = dict[str, Any]


def utc(at: datetime) -> datetime:
    """Aware UTC; a time without an offset is taken as UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _clock(at: datetime) -> datetime:
    """A clock must leave room to look back and ahead."""
    if not 1970 <= at.year < 9999:
        raise ValueError("is not a time that a clock shows")
    return at


Instant = Annotated[datetime, AfterValidator(utc)]


class CaseFile(BaseModel):
    """case.json."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    version: Literal[1] = Field(alias="schema")
    id: str = Field(min_length=1)
    at: Annotated[Instant, AfterValidator(_clock)]
    environment: str = "prod"
    incident: JsonObject | None = None
    alerts: tuple[JsonObject, ...] = ()


class ChangeRow(BaseModel):
    """One entry of changes.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: Instant
    kind: ChangeKind
    target: str
    summary: str = ""
    from_version: str | int | None = Field(default=None, alias="from")
    to_version: str | int | None = Field(default=None, alias="to")
    author: str | None = None
    source: str = ""
    services: tuple[str, ...] = ()
    message: str | None = None
    link: Annotated[str, BeforeValidator(web_link)] = ""

    def change(self) -> Change:
        """The same as the evidence room's value; versions may be written as numbers."""
        versions = {
            k: None if v is None else str(v) for k, v in (("from_version", self.from_version), ("to_version", self.to_version))
        }
        return Change.model_validate({**self.model_dump(exclude=set(versions)), **versions})


class QualityFile(BaseModel):
    """langfuse.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    scores: tuple[Score, ...] = ()
    prompts: tuple[PromptVersion, ...] = ()
    models: tuple[ModelUse, ...] = ()
    errors: tuple[ModelError, ...] = ()


class MasterRows(BaseModel):
    """One master in redis.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sentinels: tuple[SentinelView, ...] = ()
    nodes: tuple[NodeView, ...] = ()


class RedisFile(BaseModel):
    """redis.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    masters: dict[str, MasterRows]


class KubernetesFile(BaseModel):
    """kubernetes.json: a List, as `kubectl get -o json` prints it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    items: tuple[JsonObject, ...]


class TopologyFile(BaseModel):
    """topology.json: who calls whom."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    calls: tuple[tuple[str, str], ...] = ()


class Observation(BaseModel):
    """One line of observations.jsonl: what another tool answered, as text."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    operation: str
    args: JsonObject = {}
    status: EvidenceStatus
    output: str = ""
