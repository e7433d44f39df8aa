"""The doors of incident.io, Rootly and FireHydrant: where each says what, as data, and one reader for all.

They tell the alerts themselves: an event has one alert, its labels what the sender's metadata, labels or custom fields say. Where
there are none that could be read, or one is told twice with two values, the labels are unknown and nothing is acted on.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.telling import bounded, web_link
from sre_agent.intake.untrusted import Unreadable, fields, items, label_value, moment, read_json, storable, text

Path = tuple[str, ...]
"""Keys from the outside in. `*` stands for the value of the first key in Shape.type."""


@dataclass(frozen=True)
class Shape:
    """Where in one sender's body things are: for each, paths in the order in which they are tried.

    `about` matches the types that tell of incidents and alerts; others are OTHER. `subject` is what the event is about; all paths
    but `type`, `event_id` and `at` begin there. `labels` lead to objects, or to lists of entries whose name and value are at
    `entry_name` and `entry_value`.
    """

    about: str
    type: tuple[Path, ...]
    event_id: tuple[Path, ...]
    at: tuple[Path, ...]
    subject: tuple[Path, ...]
    id: tuple[Path, ...]
    title: tuple[Path, ...]
    status: tuple[Path, ...]
    key: tuple[Path, ...]
    link: tuple[Path, ...]
    started: tuple[Path, ...]
    labels: tuple[Path, ...]
    entry_name: tuple[Path, ...]
    entry_value: tuple[Path, ...]


_OVER: Final = ("resolved", "closed", "cancelled", "canceled", "deleted", "declined", "merged")
_BEGUN: Final = ("created", "firing", "triage", "live", "active", "started", "detected", "open", "triggered")
KINDS: Final[Mapping[str, EventKind]] = {
    **dict.fromkeys(_OVER, EventKind.RESOLVED),
    **dict.fromkeys(_BEGUN, EventKind.TRIGGERED),
    "acknowledged": EventKind.ACKNOWLEDGED,
}
"""Words of statuses and types. What changes nothing here (mitigated, identified, a retrospective) is not among them."""

SHAPES: Final[Mapping[str, Shape]] = {
    # docs.incident.io, "Webhooks": the object's key is the event's type; a change of status wraps the incident once more.
    "incident.io": Shape(
        about=r"(public|private)_(incident\.incident|alert\.alert)_\w+",
        type=(("event_type",),),
        event_id=(),
        at=(("*", "updated_at"), ("*", "incident", "updated_at"), ("*", "created_at")),
        subject=(("*", "incident"), ("*",)),
        id=(("id",),),
        title=(("title",), ("name",)),
        status=(("status",), ("incident_status", "category")),
        key=(("deduplication_key",),),
        link=(("permalink",), ("source_url",)),
        started=(("created_at",),),
        labels=(("metadata",), ("attributes",), ("custom_field_entries",)),
        entry_name=(("attribute", "name"), ("custom_field", "name")),
        entry_value=(
            ("value", "literal"),
            ("value", "label"),
            ("values", "0", "value_option", "value"),
            ("values", "0", "value_text"),
            ("values", "0", "value_catalog_entry", "name"),
        ),
    ),
    # docs.rootly.com, "Event payloads"; an alert has labels as [{key, value}] and whatever its source told in `data`.
    "rootly": Shape(
        about=r"(incident|alert)\.(?!scheduled\b)[\w.]+",
        type=(("event", "type"),),
        event_id=(("event", "id"),),
        at=(("event", "issued_at"),),
        subject=(("data",),),
        id=(("id",),),
        title=(("summary",), ("title",)),
        status=(("status",),),
        key=(("deduplication_key",), ("external_id",)),
        link=(("external_url",), ("url",)),
        started=(("started_at",), ("created_at",)),
        labels=(("labels",), ("data", "labels"), ("data", "commonLabels"), ("data",)),
        entry_name=(("key",), ("name",)),
        entry_value=(("value",),),
    ),
    # docs.firehydrant.com, "Webhooks": data.incident with current_milestone and labels; event.operation says created or updated.
    "firehydrant": Shape(
        about=r"\w*",
        type=(("event", "operation"),),
        event_id=(("event", "id"),),
        at=(("data", "incident", "updated_at"), ("data", "alert", "updated_at")),
        subject=(("data", "incident"), ("data", "alert"), ("data", "signal")),
        id=(("id",),),
        title=(("name",), ("summary",)),
        status=(("current_milestone",), ("status",)),
        key=(("idempotency_key",),),
        link=(("incident_url",), ("url",)),
        started=(("started_at",), ("created_at",)),
        labels=(("labels",),),
        entry_name=(("key",), ("name",)),
        entry_value=(("value",),),
    ),
}


def parse_webhook(door: str, body: bytes, delivery_id: str, received_at: datetime) -> IncidentEvent:
    """What an authentic delivery of `door` (a key of SHAPES) says. Never raises: what cannot be understood is OTHER.

    `delivery_id` is the sender's own number of it, "" where it has none; then the body's hash tells repeats.
    """
    shape, digest = SHAPES[door], "sha256:" + hashlib.sha256(body).hexdigest()
    try:
        told = fields(read_json(body))
    except Unreadable:
        told = {}
    type_name = text(_first(told, shape.type, ""), 100)
    about = re.fullmatch(shape.about, type_name) is not None
    subject = fields(_first(told, shape.subject, type_name)) if about else {}
    identity = _identity(_first(subject, shape.id))
    kind = _kind(type_name, text(_first(subject, shape.status), 60)) if identity else EventKind.OTHER
    identified = text(_first(told, shape.event_id, type_name), 100).strip()
    key = text(_first(subject, shape.key), 255).strip()
    named = (f"{door}:{identity}", *((f"key:{key}",) if key else ())) if identity else ()
    at = _moment(_first(told, shape.at, type_name))
    return IncidentEvent(
        door=door,
        kind=kind,
        type_name=f"{type_name or 'unreadable'}:{digest[7:31]}",
        event_id=identified or digest,
        delivery_id=delivery_id[:100] or digest,
        incident_id=f"{door}:{identity}" if identity else None,
        occurred_at=min(at, received_at) if at else received_at,
        alerts=(_alert(shape, subject, kind, identity),),
        known_as=named,
        title=text(_first(subject, shape.title), 200),
        link=web_link(_first(subject, shape.link)),
    )


def _identity(value: object) -> str:
    """An id; an over-long one is not cut, which could make two equal, but replaced."""
    given = text(value, 10_000).strip()
    return given if len(given) <= 100 else hashlib.sha256(given.encode()).hexdigest()


def _kind(type_name: str, status: str) -> EventKind:
    """The status says it best; without one, the last word of the type."""
    words = [status.strip().lower(), *reversed(type_name.lower().replace(".", "_").split("_"))]
    return next((KINDS[w] for w in words if w in KINDS), EventKind.OTHER)


def _alert(shape: Shape, subject: dict[str, object], kind: EventKind, identity: str) -> Alert:
    """The one alert of an event. Unknown labels when none were told, or one was told twice with two values."""
    labels: dict[str, str] = {}
    doubled = False
    for name, value in _labels(shape, subject):
        doubled |= labels.get(name, value) != value
        labels.setdefault(name, value)
    summary = text(_first(subject, shape.title), 1024)
    return bounded(
        Alert(
            labels=labels,
            annotations={"summary": summary} if summary else {},
            status=AlertStatus.RESOLVED if kind is EventKind.RESOLVED else AlertStatus.FIRING,
            starts_at=_moment(_first(subject, shape.started)),
            labels_known=bool(labels) and not doubled,
            source_id=identity,
        )
    )


def _labels(shape: Shape, subject: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Every label told. A custom field with several values is told as their JSON, which equals no class."""
    for path in shape.labels:
        found = _at(subject, path)
        for name, value in fields(found).items():
            if not isinstance(value, dict | list):
                yield storable(name), label_value(value)
        for entry in (fields(e) for e in items(found)):
            named = text(_first(entry, shape.entry_name), 256).strip()
            several = items(entry.get("values")) if len(items(entry.get("values"))) > 1 else items(entry.get("array_value"))
            value = several or _first(entry, shape.entry_value)
            if named and value not in (None, "", []):
                yield named, label_value(value)


def _first(told: dict[str, object], paths: tuple[Path, ...], star: str = "") -> object:
    """What the first path that leads anywhere leads to."""
    return next((found for path in paths if (found := _at(told, path, star)) not in (None, "", {}, [])), None)


def _at(told: object, path: Path, star: str = "") -> object:
    for step in path:
        if isinstance(told, list):
            told = told[int(step)] if step.isdigit() and int(step) < len(told) else None
        else:
            told = fields(told).get(star if step == "*" else step)
    return told


def _moment(value: object) -> datetime | None:
    """RFC 3339, or the same with a blank and "UTC" at the end."""
    return moment(value.removesuffix(" UTC") if isinstance(value, str) else value)
