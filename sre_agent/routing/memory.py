"""What routing remembers of one group of alerts between two decisions."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Memory(BaseModel):
    """`firing_since`: since when something in the group fires without a break (None: nothing does). `starts`: when firings
    began lately, oldest first, as far back as flapping is looked for. `resolved_at`: when the last firing ended. `paged_at`:
    when people were paged for the present incident; None when nobody was. `flapping`: it was seen to flap.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    firing_since: datetime | None = None
    starts: tuple[datetime, ...] = ()
    resolved_at: datetime | None = None
    paged_at: datetime | None = None
    flapping: bool = False
