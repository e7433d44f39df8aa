"""Plays events through the decision, with what is remembered of each group, as the agent would have. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sre_agent.incident.alert import Alert
from sre_agent.routing.decide import decide
from sre_agent.routing.file import Routing
from sre_agent.routing.group import group_of
from sre_agent.routing.memory import Memory
from sre_agent.routing.remember import remembered
from sre_agent.routing.routed import Notify, Routed
from sre_agent.routing.told_file import Event, Untold

_AFTER = timedelta(seconds=1)


@dataclass(frozen=True)
class Tried:
    """One decision at a moment; `then`: what its hold came to before anything else was heard of the group, and when."""

    at: datetime
    routed: Routed
    then: tuple[Notify, datetime] | None = None

    def shown(self) -> dict[str, Any]:
        """As plain JSON values."""
        shown = self.routed.model_dump(mode="json", by_alias=True)
        if self.then is not None:
            shown["then"] = {"notify": self.then[0].value, "at": self.then[1].isoformat().replace("+00:00", "Z")}
        return shown

    def words(self) -> str:
        """For people."""
        r = self.routed
        until = f" until {r.until:%Y-%m-%d %H:%M:%S} UTC" if r.until else ""
        also = f", and {', '.join(r.escalate_to)}" if r.escalate_to else ""
        flags = f" [{', '.join(r.flags)}]" if r.flags else ""
        then = f"\n  then {self.then[0].value} at {self.then[1]:%Y-%m-%d %H:%M:%S} UTC" if self.then else ""
        acting = "an infra action may be considered" if r.may_act else "never acted on"
        what = f"  {r.notify.value} {r.receiver} (owner {r.owner}){until}{also}{flags}; {acting}"
        lines = [f"{self.at:%Y-%m-%d %H:%M:%S} UTC  {r.group}", what, *(f"  - {reason}" for reason in r.reasons)]
        return "\n".join(lines) + f"\n  rules: {', '.join(r.rule_ids)}{then}"


@dataclass
class _Group:
    """What is known of one group: its alerts as they last were, memory, and where its last decision stands."""

    alerts: dict[str, Alert]
    memory: Memory
    last: int = -1
    event: Event | None = None


def tried(events: Sequence[Event], routing: Routing, now: datetime | None) -> list[Tried]:
    """A decision for each event, in order. One event is decided at `now`; of several each at its own time, and what the last ones
    wait for is looked at once more at `now`. Raises Untold when an event has no time and none is given.
    """
    found: list[Tried] = []
    groups: dict[str, _Group] = {}
    for n, event in enumerate(events, 1):
        at = now if len(events) == 1 and now is not None else event.moment or now
        if at is None:
            raise Untold(f"event {n} has no startsAt, endsAt or at: say when with --now")
        key = group_of(event.alerts[0].labels if event.alerts else {}, routing)
        group = groups.setdefault(key, _Group({}, Memory()))
        _waited(found, group, routing, at)
        group.alerts |= {repr(sorted(a.labels.items())): a for a in event.as_of(at)}
        group.event, group.last = event, len(found)
        found.append(_look(group, routing, at))
    if now is not None and len(events) > 1:
        for group in groups.values():
            _waited(found, group, routing, now)
    return found


def _look(group: _Group, routing: Routing, at: datetime) -> Tried:
    alerts = tuple(group.alerts.values())
    group.memory = remembered(group.memory, alerts, routing, at)
    signals = group.event.signals(routing) if group.event is not None else Event(alerts=alerts).signals(routing)
    routed = decide(alerts, signals, routing, group.memory, at)
    if routed.notify in (Notify.PAGE, Notify.EMAIL):
        group.memory = group.memory.model_copy(update={"paged_at": at})
    elif group.memory.firing_since is None and not group.memory.flapping:
        group.memory = group.memory.model_copy(update={"paged_at": None})  # the page was taken back
    return Tried(at, routed)


def _waited(found: list[Tried], group: _Group, routing: Routing, until: datetime) -> None:
    """What the group's last decision waited for, as far as its time has come before `until`."""
    if group.last < 0:
        return
    waiting = found[group.last].routed
    while waiting.notify is Notify.HOLD and waiting.until is not None and waiting.until + _AFTER <= until:
        # As the agent's timer does: when its time has come, and a moment later where it is over only after that.
        later = _look(group, routing, waiting.until)
        if later.routed.notify is Notify.HOLD and later.routed.until == waiting.until:
            later = _look(group, routing, waiting.until + _AFTER)
        waiting = later.routed
        if waiting.notify is not Notify.HOLD:
            found[group.last] = replace(found[group.last], then=(waiting.notify, later.at))
