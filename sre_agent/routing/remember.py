"""What routing remembers of a group of alerts, after one more look at it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.routing.file import Routing
from sre_agent.routing.memory import Memory


def remembered(memory: Memory, alerts: Sequence[Alert], routing: Routing, now: datetime) -> Memory:
    """The memory after these alerts, as they are now. `paged_at` is not ours: whoever pages sets and clears it."""
    firing = [a for a in alerts if a.status is AlertStatus.FIRING]
    after = memory
    if firing and memory.firing_since is None:
        began = _began(firing, now)
        after = memory.model_copy(update={"firing_since": began, "starts": (*memory.starts, began)})
    elif not firing and memory.firing_since is not None:
        after = memory.model_copy(update={"firing_since": None, "resolved_at": _ended(alerts, now)})
    window = timedelta(seconds=routing.flapping.within_s)
    starts = tuple(s for s in after.starts if now - s <= window)
    restless = after.firing_since is not None or (after.resolved_at is not None and now - after.resolved_at < window)
    flapping = len(starts) >= routing.flapping.starts or (memory.flapping and restless)
    return after.model_copy(update={"starts": starts, "flapping": flapping})


def _began(firing: Sequence[Alert], now: datetime) -> datetime:
    """When it began, by the alerts' own word; a beginning in the future is now."""
    return min(min((a.starts_at or now for a in firing), default=now), now)


def _ended(alerts: Sequence[Alert], now: datetime) -> datetime:
    return min(max((a.ends_at or now for a in alerts), default=now), now)
