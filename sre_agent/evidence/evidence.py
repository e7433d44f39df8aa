"""One answer of one source, with its provenance."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.evidence.window import Window


class EvidenceKind(StrEnum):
    """Independent kinds of observation. Two of the same kind never corroborate each other.

    ALERT is the alert's own claim and corroborates nothing; LOGS may lower autonomy, never raise it.
    """

    METRICS = "metrics"
    KUBERNETES = "kubernetes"
    LOGS = "logs"
    REDIS = "redis"
    POSTGRES = "postgres"
    CHANGES = "changes"
    LANGFUSE = "langfuse"
    TOPOLOGY = "topology"
    ALERT = "alert"
    TEXT = "text"


class EvidenceStatus(StrEnum):
    """NO_DATA (asked, nothing there) is not ERROR (could not ask). Neither means "healthy"."""

    OK = "ok"
    NO_DATA = "no_data"
    ERROR = "error"


class Evidence(BaseModel):
    """One observation.

    `id` ("e1", "e2", ...) is unique within one investigation. `payload` is JSON; its shape depends
    on `kind` and is documented in docs/evidence.md (the shapes of the case format's files).
    `observed_at` is when the world was in that state, for freshness.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    source: str
    kind: EvidenceKind
    query: str
    status: EvidenceStatus
    observed_at: datetime
    window: Window | None = None
    link: str = ""
    payload: Any = None
    size_bytes: int = 0
    truncated: bool = False
    error: str = ""
