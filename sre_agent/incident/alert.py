"""One alert as the agent sees it, whatever door it came through."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class AlertClass(StrEnum):
    """Whose problem an alert is. The only such enum in the product.

    Only INFRA may ever be acted on. MIXED: alerts of one incident disagree. UNKNOWN: no label, or
    a malformed one ("Infra ", "INFRA").
    """

    INFRA = "infra"
    MODEL = "model"
    TOOL = "tool"
    MIXED = "mixed"
    UNKNOWN = "unknown"


class AlertStatus(StrEnum):
    """Whether the rule that raised the alert still holds."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(BaseModel):
    """One label set that fired. Labels and annotations are untrusted text from outside.

    `labels_known` is False when the sender dropped the details (oversize events): such an alert
    can never be classified.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    status: AlertStatus = AlertStatus.FIRING
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    labels_known: bool = True
    source_id: str = ""

    @property
    def name(self) -> str:
        """The rule's name, or a placeholder."""
        return self.labels.get("alertname", "unnamed alert")
