"""What doors that tell alerts themselves share: a bound on labels, an identity that repeats have in common, a title, a link."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.intake.untrusted import text

MOST_ALERTS: Final = 1000
"""Alerts of one event that are kept; the rest is said to be missing, and such an event is never acted on."""
LONGEST: Final = 4096
"""Characters of one label's or annotation's name or value."""
MOST_LABELS: Final = 100

_TITLE: Final = 200
_PLACES: Final = ("vertical", "tool_name", "namespace", "deployment", "statefulset", "pod", "node", "redis_master")


def bounded(alert: Alert) -> Alert:
    """The alert with no more text than is decent. Labels that had to be cut are not known any more."""
    labels, annotations = _cut(alert.labels), _cut(alert.annotations)
    if labels == alert.labels and annotations == alert.annotations:
        return alert
    # SAFETY: a label that was cut could read as something that it was not.
    known = alert.labels_known and labels == alert.labels
    return alert.model_copy(update={"labels": labels, "annotations": annotations, "labels_known": known})


def unknown(status: AlertStatus = AlertStatus.FIRING, labels: Mapping[str, str] | None = None, why: str = "") -> Alert:
    """An alert of which the labels are not (all) known: nothing it is in can be acted on."""
    said = {"summary": why} if why else {}
    return bounded(Alert(labels=dict(labels or {}), annotations=said, status=status, labels_known=False))


def kept(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    """At most MOST_ALERTS alerts and, when some are left out, one more whose labels are unknown. Firing ones come first."""
    if len(alerts) <= MOST_ALERTS:
        return tuple(alerts)
    ordered = sorted(alerts, key=lambda a: a.status is not AlertStatus.FIRING)
    left = ordered[MOST_ALERTS:]
    status = AlertStatus.FIRING if any(a.status is AlertStatus.FIRING for a in left) else AlertStatus.RESOLVED
    return (*ordered[:MOST_ALERTS], unknown(status, why=f"{len(left)} more alerts than are kept of one event"))


GROUP: Final = "group:"


def place_of(group: str) -> str:
    """The name under which doors and intake know the incident of a group of alerts: bounded, whatever its labels hold."""
    return GROUP + hashlib.sha256(group.encode("utf-8", "replace")).hexdigest()[:20]


def identity(*parts: object) -> str:
    """One id for the same parts, whoever sends them: a SHA-256 over their JSON."""
    written = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=True)
    return "sha256:" + hashlib.sha256(written.encode()).hexdigest()


def facts_of(alerts: Iterable[Alert]) -> list[str]:
    """What makes two tellings of these alerts the same, in an order of its own. The end of a firing alert is a guess of the
    sender's that moves on, so it has no part in it."""
    return sorted(json.dumps(_facts(a), sort_keys=True, default=str) for a in alerts)


def latest(alerts: Iterable[Alert], heard_at: datetime) -> datetime | None:
    """When the last of the alerts began or ended, but never after `heard_at` (a clock may be ahead); None when none tells."""
    alerts = tuple(alerts)
    began = [a.starts_at for a in alerts]
    ended = [a.ends_at for a in alerts if a.status is AlertStatus.RESOLVED]
    told = [min(at, heard_at) for at in (*began, *ended) if at is not None]
    return max(told, default=None)


def title_of(alerts: Sequence[Alert]) -> str:
    """A title for people, from the labels: the rules' names, and where all alerts agree that they are."""
    known = [a for a in alerts if a.labels_known] or [a for a in alerts if a.labels]
    if not known:
        return "an alert of which the labels are not known"
    names = list(dict.fromkeys(a.name for a in known))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    places = [known[0].labels.get(p, "") for p in _PLACES if len({a.labels.get(p) for a in known}) == 1]
    where = " ".join(p for p in places if p)
    return (f"{shown} ({where})" if where else shown)[:_TITLE]


def web_link(value: object) -> str:
    """The value when it is a web address, else ""."""
    link = text(value, 2048).strip()
    return link if link.startswith(("http://", "https://")) and not any(c.isspace() for c in link) else ""


def _facts(alert: Alert) -> list[object]:
    end = alert.ends_at if alert.status is AlertStatus.RESOLVED else None
    return [alert.status.value, alert.starts_at, end, alert.labels, alert.annotations, alert.labels_known]


def _cut(given: dict[str, str]) -> dict[str, str]:
    if len(given) <= MOST_LABELS and all(len(k) <= LONGEST and len(v) <= LONGEST for k, v in given.items()):
        return given
    return {k[:LONGEST]: v[:LONGEST] for k, v in sorted(given.items())[:MOST_LABELS]}
