"""Plays events through the decision, with what is remembered of each group, as the agent would have. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.routing.decide import decide
from sre_agent.routing.file import Routing
from sre_agent.routing.group import group_of
from sre_agent.routing.memory import Memory
from sre_agent.routing.remember import remembered
from sre_agent.routing.routed import Notify, Routed
from sre_agent.routing.signals import joined
from sre_agent.routing.told_file import Event, Untold, signals_told

_AFTER = timedelta(seconds=1)
_YEARS = (1970, 9000)
"""Between these every moment that a decision names (an opening, a digest) is one too."""


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
    """What is known of one group: its alerts as they last were with what was told beside them, memory, and where its last
    decision stands."""

    alerts: dict[str, tuple[Alert, Mapping[str, Any]]]
    memory: Memory
    last: int = -1


def tried(events: Sequence[Event], routing: Routing, now: datetime | None) -> list[Tried]:
    """A decision for each event, in order. One event is decided at `now`; of several each at its own time, and what the last ones
    wait for is looked at once more at `now`. Raises Untold when an event has no time and none is given.
    """
    found: list[Tried] = []
    groups: dict[str, _Group] = {}
    for n, event in enumerate(events, 1):
        at = _heard(event, f"event {n}", now, alone=len(events) == 1)
        key = group_of(event.alerts[0].labels if event.alerts else {}, routing)
        group = groups.setdefault(key, _Group({}, Memory()))
        _waited(found, group, routing, at)
        same = Counter[str]()
        for alert, beside in zip(event.as_of(at), event.beside, strict=True):
            series = repr(sorted(alert.labels.items()))
            same[series] += 1
            group.alerts[f"{same[series]} {series}"] = (alert, beside)
        group.last = len(found)
        found.append(_look(group, routing, at))
    if now is not None and len(events) > 1:
        for group in groups.values():
            _waited(found, group, routing, now)
    return found


def _heard(event: Event, what: str, now: datetime | None, *, alone: bool) -> datetime:
    """When an event is heard. One whose own beginning lies after `now` is heard now: some clock is wrong."""
    told = event.at or (event.moment if now is None or event.moment is None else min(event.moment, now))
    at = now if alone and now is not None else told or now
    if at is None:
        raise Untold(f"{what} has no startsAt, endsAt or at: say when with --now")
    if not _YEARS[0] <= at.year <= _YEARS[1]:
        raise Untold(f"{what} cannot be decided in the year {at.year}: say when with --now")
    return at


def _look(group: _Group, routing: Routing, at: datetime) -> Tried:
    alerts = tuple(alert for alert, _ in group.alerts.values())
    group.memory = remembered(group.memory, alerts, routing, at)
    firing = [(a, beside) for a, beside in group.alerts.values() if a.status is AlertStatus.FIRING]
    signals = joined([signals_told(a, beside, routing) for a, beside in firing or group.alerts.values()])
    routed = decide(alerts, signals, routing, group.memory, at)
    if routed.notify is Notify.PAGE:
        group.memory = group.memory.paged((routed.receiver, *routed.escalate_to), at)
    elif routed.notify is Notify.EMAIL:
        group.memory = group.memory.mailed(at)
    elif group.memory.firing_since is None and not group.memory.flapping:
        group.memory = group.memory.unheard()  # the page was taken back
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
