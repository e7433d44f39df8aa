"""What routing remembers of one group of alerts between two decisions."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict


class Memory(BaseModel):
    """`firing_since`: since when something in the group fires without a break (None: nothing does). `starts`: when firings
    began lately, oldest first, as far back as flapping is looked for. `resolved_at`: when the last firing ended. `paged_at`:
    when people were paged for the present incident; None when nobody was. `told`: whom that page was for, with those it was
    escalated to; empty when another system paged. `mailed_at`: when an e-mail went out for it. `flapping`: it was seen to flap.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    firing_since: datetime | None = None
    starts: tuple[datetime, ...] = ()
    resolved_at: datetime | None = None
    paged_at: datetime | None = None
    told: tuple[str, ...] = ()
    mailed_at: datetime | None = None
    flapping: bool = False

    def paged(self, receivers: Iterable[str], at: datetime) -> Self:
        """After a page for these receivers; who was told before stays told."""
        told = tuple(dict.fromkeys((*self.told, *receivers)))
        return self.model_copy(update={"paged_at": self.paged_at or at, "told": told})

    def mailed(self, at: datetime) -> Self:
        """After an e-mail. It is no page: who may be woken for what comes later still is."""
        return self.model_copy(update={"mailed_at": at})

    def unheard(self) -> Self:
        """What was told is over and taken back: the next time is told anew."""
        return self.model_copy(update={"paged_at": None, "told": (), "mailed_at": None})
