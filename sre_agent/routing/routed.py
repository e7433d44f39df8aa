"""What routing says of one group of alerts at one moment."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from sre_agent.incident.alert import AlertClass


class Notify(StrEnum):
    """What reaches people now. HOLD: nothing until `until`, and then it is decided again. NONE: the incident is only annotated."""

    PAGE = "page"
    HOLD = "hold"
    EMAIL = "email"
    DIGEST = "digest"
    NONE = "none"


class Routed(BaseModel):
    """One decision. In JSON the class is called "class".

    `until` is set where `notify` is HOLD (the last moment of the hold: it is over strictly after it) and for DIGEST (when the
    digest goes out). `group` is the same for alerts that make one incident. `may_act` says only that the labels allow an
    infrastructure action to be considered: the guard decides. `rule_ids` name the rules that shaped it, in the order of their
    precedence, and `reasons` say the same for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    alert_class: AlertClass = Field(serialization_alias="class", validation_alias="class")
    receiver: str
    owner: str
    notify: Notify
    until: datetime | None = None
    escalate_to: tuple[str, ...] = ()
    group: str
    may_act: bool = False
    flags: tuple[str, ...] = ()
    rule_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
