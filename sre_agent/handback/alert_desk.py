"""The protocol of the systems that ring a doorbell and keep the alert themselves (Opsgenie, JSM): what is read and written."""

from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert


class ToldAlert(BaseModel):
    """One alert as the system has it now. `alerts` are the label sets in it, at least one: with `labels_known` False where they
    could not be read, and several where they contradict each other.

    `teams` are the ids of the teams that answer for it, `owner` who took it ("" nobody), `alias` its deduplication key.
    `link` is "" where the system tells none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    alerts: tuple[Alert, ...]
    title: str
    link: str = ""
    is_open: bool = True
    acknowledged: bool = False
    owner: str = ""
    teams: tuple[str, ...] = ()
    alias: str = ""
    priority: str = ""
    created_at: datetime | None = None


class AlertDesk(Protocol):
    """Plain-valued port. It can never acknowledge, close or delete anything.

    All raise Transient (`retry_after` where the system said it), Permanent, and ConfigurationError for a key that is not accepted;
    writes raise OutcomeUnknown where it is not known whether they happened: calling again is safe, it looks first.
    """

    async def alert(self, alert_id: str) -> ToldAlert:
        """The alert, fetched now."""
        ...

    async def note(self, alert_id: str, marker: str, text: str) -> bool:
        """Add a note that begins with the line `marker`. False: one with it is there already, and stays as it is."""
        ...

    async def reassign(self, alert_id: str, team: str) -> bool:
        """Add a team to those that answer for the alert: a receiver of routing.yaml, or a team's id there. False: it does already,
        or nobody said which team that receiver is there.
        """
        ...
