"""Events as people write them down to see how they would be routed: JSON, an alert or an incident each.

    {"labels": {}, "annotations": {}, "startsAt": "...", "endsAt": null, "status": "firing", "plan": 499, "severity": "sev2",
     "cost_ratio": 4.9, "value_ms": 801, "at": "..."}                      an alert
    {"alerts": [{"labels": {}, ...}, ...], "plan": 499, ...}               an incident; what stands beside one alert wins

Unknown keys are passed over. `at` (or `now`) is when the event is heard; without it an alert is heard when it began, or ended.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.routing.file import Routing
from sre_agent.routing.signals import Signals, severity_of, signals_of, usable_ratio

_NO_TIME: Final = datetime(1, 1, 2, tzinfo=UTC)
"""Go's zero time, which Alertmanager sends for "no end", lies before this."""

_VALUES: Final = ("value_ms", "ftl_p95_ms", "ftl_ms")
MOST_EVENTS: Final = 100_000


class Untold(ValueError):
    """The events cannot be read; says which one, and what is wrong."""


class Event(BaseModel):
    """One event. `beside` is, for each alert, what stood beside its labels: it wins over what labels and annotations say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alerts: tuple[Alert, ...]
    at: datetime | None = None
    beside: tuple[dict[str, Any], ...] = ()

    @property
    def moment(self) -> datetime | None:
        """When it is heard: as told, else the newest beginning or end in it."""
        moments = [m for a in self.alerts for m in (a.ends_at if a.status is AlertStatus.RESOLVED else None, a.starts_at) if m]
        return self.at or max(moments, default=None)

    def as_of(self, at: datetime) -> tuple[Alert, ...]:
        """The alerts at a moment: an end that lies ahead has not come."""
        return tuple(
            a.model_copy(update={"status": AlertStatus.FIRING}) if a.ends_at is not None and a.ends_at > at else a
            for a in self.alerts
        )


def signals_told(alert: Alert, beside: Mapping[str, Any], routing: Routing) -> Signals:
    """What one alert says, and what is told beside it in its place."""
    told: dict[str, Any] = {}
    if beside.get("plan") is not None:
        plans = beside["plan"]
        told["plans"] = frozenset(filter(None, map(_plan, plans if isinstance(plans, list) else [plans])))
    if beside.get("severity") is not None:
        told["severity"] = severity_of(beside["severity"])
    if "cost_ratio" in beside:
        told |= {"cost": True, "cost_ratio": usable_ratio(beside["cost_ratio"])}
    value = next((beside[name] for name in _VALUES if beside.get(name) is not None), None)
    if value is not None:
        told["value_ms"] = float(value)
    return signals_of((alert,), routing).model_copy(update=told)


def _plan(told: object) -> str:
    return str(int(told) if isinstance(told, float) and told.is_integer() else told).strip()


def events_of(text: str) -> tuple[tuple[Event, ...], bool]:
    """The events, and whether they came as a list. Raises Untold."""
    try:
        given = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as wrong:
        raise Untold(f"not JSON: {wrong}") from wrong
    listed = given if isinstance(given, list) else [given]
    if not listed:
        raise Untold("the list holds no event")
    if len(listed) > MOST_EVENTS:
        raise Untold(f"{len(listed)} events; at most {MOST_EVENTS} are read")
    many = isinstance(given, list)
    return tuple(_event(raw, f"event {n}" if many else "the event") for n, raw in enumerate(listed, 1)), many


def moment_of(told: object, what: str = "--now") -> datetime:
    """An RFC 3339 moment, in UTC; one without a zone is UTC. Raises Untold."""
    if isinstance(told, str):
        try:
            moment = datetime.fromisoformat(told.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Untold(f"{what} is {told!r}, not a moment like 2026-03-04T03:11:00Z")


def _event(raw: object, where: str) -> Event:
    if not isinstance(raw, Mapping):
        raise Untold(f"{where} is {type(raw).__name__}, not an object with labels or alerts")
    listed = raw.get("alerts", [raw])
    if not isinstance(listed, list) or not all(isinstance(a, Mapping) for a in listed):
        raise Untold(f"{where}: alerts is not a list of objects")
    at = raw.get("at", raw.get("now"))
    heard = moment_of(at, f"{where}: at") if at is not None else None
    alerts = tuple(_alert(a, f"{where}, alert {n}" if "alerts" in raw else where, heard) for n, a in enumerate(listed, 1))
    around = _beside(raw, where)
    beside = tuple({**around, **_beside(a, f"{where}, alert {n}")} for n, a in enumerate(listed, 1))
    return Event(alerts=alerts, at=heard, beside=beside)


def _beside(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    found = {k: v for k, v in raw.items() if k in ("plan", "severity", "cost_ratio", *_VALUES)}
    for name in _VALUES:
        if found.get(name) is not None and not _measured(found[name]):
            raise Untold(f"{where}: {name} is {found[name]!r}"[:200] + ", not a number of milliseconds")
    return found


def _measured(told: object) -> bool:
    try:
        return isinstance(told, int | float) and not isinstance(told, bool) and math.isfinite(told)
    except OverflowError:
        return False


def _alert(raw: Mapping[str, object], where: str, heard: datetime | None) -> Alert:
    labels, annotations = (_texts(raw.get(name), f"{where}: {name}") for name in ("labels", "annotations"))
    starts = _moment(raw.get("startsAt"), f"{where}: startsAt")
    ends = _moment(raw.get("endsAt"), f"{where}: endsAt")
    starts = starts if starts is None or starts >= _NO_TIME else None
    ends = ends if ends is None or ends >= _NO_TIME else None
    status = raw.get("status")
    if status not in (None, "", "firing", "resolved", "triggered", "acknowledged"):
        raise Untold(f"{where}: status is {status!r}, not firing or resolved")
    over = status == "resolved" or (status in (None, "") and ends is not None)
    if status == "resolved" and heard is not None and ends is not None and ends > heard:
        ends = None  # it says that it is over
    return Alert(
        labels=labels,
        annotations=annotations,
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        starts_at=starts,
        ends_at=ends,
    )


def _texts(raw: object, where: str) -> dict[str, str]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise Untold(f"{where} is not an object")
    for name, value in raw.items():
        if not isinstance(value, str):
            raise Untold(f"{where}.{name} is {value!r}: a label's value is text, in quotes")
    return {str(k): str(v) for k, v in raw.items()}


def _moment(raw: object, where: str) -> datetime | None:
    return None if raw in (None, "") else moment_of(raw, where)
