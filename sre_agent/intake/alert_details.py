"""One alert object, from PagerDuty's REST API or shaped as Alertmanager's, into the label sets it holds.

One PagerDuty alert can hold many Prometheus alerts (its dedup key is Alertmanager's group), in any of these:

    details.firing = [{labels, annotations, status, startsAt, ...}]      Alertmanager >= 0.30
    details.firing = "[{...}]"                                           the same as a JSON string
    details.firing = "Labels:\\n - k = v ..."                             older Alertmanager, Grafana, list like YAML
    details        = {"alert_type": "infra", ...}                        free custom details

INVARIANT: nothing here makes labels more permissive than they were sent. A sender's count that does not fit the
label sets found, a label given twice, or details removed for their size leave an alert with `labels_known`
False, and a custom detail that contradicts (or is missing from) the labels is kept beside them as a second label
set, so that triage says "mixed".
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.intake.alert_text import LabelSet, read_label_sets
from sre_agent.intake.untrusted import Unreadable, fields, items, label_set, label_value, moment, read_json, text

DECISIVE: Final = ("alert_type", "tool_name", "namespace", "pod", "deployment", "statefulset", "node", "redis_master")
"""The labels that decide whose problem it is and what would be touched: here a contradiction matters."""

_LISTS: Final = {"firing": AlertStatus.FIRING, "resolved": AlertStatus.RESOLVED}
_COUNTS: Final = {"firing": "num_firing", "resolved": "num_resolved"}
_NOT_LABELS: Final = frozenset({"firing", "resolved", "num_firing", "num_resolved", "labels", "error"})


def alerts_from_any(raw: object) -> tuple[Alert, ...]:
    """Alerts of either shape, as the case format allows both: Alertmanager's has `labels` at its top."""
    if "labels" in fields(raw):
        return (alert_from_alertmanager(raw),)
    return alerts_from_rest(raw)


def alert_from_alertmanager(raw: object) -> Alert:
    """One alert as Alertmanager's webhook (version 4) and API write it. Wrong types are tolerated, never trusted."""
    shape = fields(raw)
    return Alert(
        labels=label_set(shape.get("labels")),
        annotations=label_set(shape.get("annotations")),
        status=AlertStatus.RESOLVED if shape.get("status") == "resolved" else AlertStatus.FIRING,
        starts_at=moment(shape.get("startsAt")),
        ends_at=moment(shape.get("endsAt")),
        labels_known=isinstance(shape.get("labels"), dict),
        source_id=text(shape.get("fingerprint"), 100),
    )


def alerts_from_rest(raw: object) -> tuple[Alert, ...]:
    """Every alert inside one PagerDuty REST alert object; at least one, with `labels_known` False if need be."""
    rest = fields(raw)
    frame = _Frame(rest)
    body = fields(rest.get("body"))
    details = body.get("details") or fields(body.get("cef_details")).get("details")
    if isinstance(details, str):
        details = _details_from_text(details)
    known = fields(details)
    found = [alert for name in _LISTS for alert in _listed(known, name, frame)]
    if isinstance(known.get("labels"), dict):
        found.append(frame.alert(label_set(known["labels"])))
    explicit = _explicit(known)
    if found:
        found.extend(_contradictions(found, explicit))
    elif explicit and "error" not in known:
        found.append(frame.alert(explicit))
    return tuple(found) or (frame.unknown(),)


class _Frame:
    """What the PagerDuty alert around the label sets says: its id, times, status and summary."""

    def __init__(self, rest: Mapping[str, object]) -> None:
        self.source_id = text(rest.get("id"), 100)
        self.created_at = moment(rest.get("created_at"))
        self.resolved = rest.get("status") == "resolved"
        self.summary = text(rest.get("summary"))

    def alert(
        self, labels: dict[str, str], annotations: dict[str, str] | None = None, status: AlertStatus = AlertStatus.FIRING
    ) -> Alert:
        """A label set in this frame. A resolved PagerDuty alert has nothing firing in it."""
        return Alert(
            labels=labels,
            annotations=annotations or ({"summary": self.summary} if self.summary else {}),
            status=AlertStatus.RESOLVED if self.resolved else status,
            starts_at=self.created_at,
            source_id=self.source_id,
        )

    def unknown(self, status: AlertStatus = AlertStatus.FIRING) -> Alert:
        """An alert whose labels did not arrive: it can never be classified."""
        return self.alert({}, None, status).model_copy(update={"labels_known": False})


def _details_from_text(details: str) -> dict[str, object]:
    """Details sent as a string: an object, a list of alerts, or text in one of the text shapes."""
    try:
        parsed = read_json(details)
    except Unreadable:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"firing": parsed if isinstance(parsed, list) else details}


def _listed(details: Mapping[str, object], name: str, frame: _Frame) -> Iterator[Alert]:
    """The alerts under `firing` or `resolved`, and an unknown one when the sender counted otherwise."""
    status, content = _LISTS[name], details.get(name)
    if isinstance(content, str) and content.lstrip().startswith(("[", "{")):
        with suppress(Unreadable):
            content = read_json(content)
    found = 0
    if isinstance(content, list | dict):
        for shape in items(content) if isinstance(content, list) else [content]:
            found += 1
            yield _framed(alert_from_alertmanager(shape), status, frame)
    elif isinstance(content, str):
        for labels in read_label_sets(content):
            found += 1
            yield _from_text(labels, status, frame)
    unreadable = not found and content not in (None, "", [], {}) and str(content).strip() != ""
    if unreadable or _counted(details.get(_COUNTS[name]), found) != found:
        yield frame.unknown(status)


def _framed(alert: Alert, status: AlertStatus, frame: _Frame) -> Alert:
    """An Alertmanager-shaped alert with what only its frame knows."""
    over = frame.resolved or status is AlertStatus.RESOLVED or alert.status is AlertStatus.RESOLVED
    return alert.model_copy(
        update={
            "status": AlertStatus.RESOLVED if over else AlertStatus.FIRING,
            "starts_at": alert.starts_at or frame.created_at,
            "source_id": frame.source_id,
        }
    )


def _from_text(found: LabelSet, status: AlertStatus, frame: _Frame) -> Alert:
    """A label set read from text. A label given twice makes the whole set unknown."""
    return frame.alert(found.labels, found.annotations, status).model_copy(update={"labels_known": not found.doubled})


def _counted(value: object, otherwise: int) -> int:
    """The sender's own count (a string from older senders); `otherwise` when it gave none."""
    given = text(value, 12).strip()
    return int(given) if given.isascii() and given.isdigit() else otherwise


def _explicit(details: Mapping[str, object]) -> dict[str, str]:
    """Custom details a person configured beside the lists. Empty ones are templates that had nothing in common."""
    return {
        name: label_value(value)
        for name, value in details.items()
        if name not in _NOT_LABELS and isinstance(value, str | int | float) and value != ""
    }


def _contradictions(found: list[Alert], explicit: Mapping[str, str]) -> Iterator[Alert]:
    """A second label set for the first alert that the custom details contradict."""
    decisive = {name: explicit[name] for name in DECISIVE if name in explicit}
    for alert in found:
        if any(alert.labels.get(name) != value for name, value in decisive.items()):
            yield alert.model_copy(update={"labels": {**alert.labels, **decisive}})
            return


def earliest(alerts: tuple[Alert, ...]) -> datetime | None:
    """When the first of the alerts began, where that is known."""
    return min((alert.starts_at for alert in alerts if alert.starts_at is not None), default=None)
