"""Who is told besides the receiver."""

from collections.abc import Iterator, Mapping, Sequence

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.routing.file import Escalation, Routing
from sre_agent.routing.matcher import all_hold
from sre_agent.routing.signals import Signals, labelled_severity


def escalated(alerts: Sequence[Alert], signals: Signals, routing: Routing) -> dict[str, tuple[str, ...]]:
    """The id of each escalation that holds for an alert that fires -> whom it tells in the end.

    One escalation may name another, which is followed; each is followed once, so that a ring ends.
    """
    firing = [a for a in alerts if a.status is AlertStatus.FIRING]
    by_id = {e.id: e for e in routing.escalations}
    holding = [e for e in routing.escalations if any(_holds(e, a.labels, s) for a, s in _severities(firing, signals))]
    found, seen = dict[str, tuple[str, ...]](), set[str]()
    for escalation in holding:
        if escalation.id not in seen:
            seen.add(escalation.id)
            found[escalation.id] = tuple(dict.fromkeys(_follow(escalation.to, by_id, seen)))
    return found


def _holds(escalation: Escalation, labels: Mapping[str, str], severity: str) -> bool:
    return (not escalation.severities or severity in escalation.severities) and all_hold(escalation.matchers, labels)


def _severities(firing: Sequence[Alert], signals: Signals) -> Iterator[tuple[Alert, str]]:
    """Each alert with its own severity; with the incident's where it has none, or where another one was told in its place."""
    own = [labelled_severity(a) for a in firing]
    said_beside = signals.severity != min(filter(None, own), default="")
    for alert, severity in zip(firing, own, strict=True):
        yield alert, signals.severity if said_beside or not severity else severity


def _follow(names: Sequence[str], by_id: Mapping[str, Escalation], seen: set[str]) -> Iterator[str]:
    for name in names:
        if name not in by_id:
            yield name
        elif name not in seen:
            seen.add(name)
            yield from _follow(by_id[name].to, by_id, seen)
