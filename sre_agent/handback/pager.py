"""The protocol of what wakes people where no other system has: behind the doors at which the agent itself pages."""

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Page(BaseModel):
    """One page. `dedup_key` is one per incident: a second trigger with it adds to the first, a resolve ends it.

    `receiver` is a receiver of routing.yaml. `summary` is at most 1024 characters, `severity` one of critical, error, warning,
    info. `details` are shown to whoever is paged; `links` are (address, text).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    receiver: str
    dedup_key: str
    summary: str
    severity: str = "critical"
    source: str = "sre-agent"
    at: datetime
    component: str = ""
    group: str = ""
    details: dict[str, str] = {}
    links: tuple[tuple[str, str], ...] = ()


class Mail(BaseModel):
    """One e-mail to a receiver: plain text. `message_id` is the same however often the same mail is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receiver: str
    subject: str
    text: str
    message_id: str


class Pager(Protocol):
    """Plain-valued port. Each is safe to repeat: the same page twice wakes once. All raise Transient, OutcomeUnknown, Permanent;
    ConfigurationError where the receiver has no routing key (no address), with what to set.
    """

    async def trigger(self, page: Page) -> None:
        """Page."""
        ...

    async def resolve(self, receiver: str, dedup_key: str) -> None:
        """The page's cause is over: nobody needs to look any more."""
        ...

    async def mail(self, mail: Mail) -> None:
        """Send an e-mail."""
        ...
