"""Alerts of an incident that is over, as they were at an earlier moment. Pure.

What is known of the past: when PagerDuty created an alert, and, where the sender wrote it down, when each of the alerts inside
began and ended. What has no time is kept as it is told today.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from sre_agent.intake.untrusted import Unreadable, fields, items, moment, read_json
from sre_agent.replay.case_shapes import JsonObject

NEVER = "0001-01-01T00:00:00Z"
"""How Alertmanager writes that an alert has not ended."""
_KNOWN_LATER = ("resolved_at", "updated_at", "last_status_change_at", "last_status_change_by", "resolve_reason")


def alerts_then(alerts: tuple[JsonObject, ...], at: datetime, *, over: bool) -> tuple[JsonObject, ...]:
    """The alerts that there were at `at`; `over`: the incident was resolved by then, and its alerts with it."""
    return tuple(_then(a, at, over) for a in alerts if (moment(a.get("created_at")) or at) <= at)


def _then(alert: JsonObject, at: datetime, over: bool) -> JsonObject:
    ended = moment(alert.get("resolved_at"))
    resolved = over or (alert.get("status") == "resolved" and ended is not None and ended <= at)
    then = {k: v for k, v in alert.items() if k not in _KNOWN_LATER}
    body = alert.get("body")
    if isinstance(body, dict):
        then["body"] = {**body, **_contents(body, at)}
    return {**then, "status": "resolved" if resolved else "triggered"}


def _contents(body: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The two places that hold the sender's details, as far as they are there."""
    found: dict[str, Any] = {"details": _details(body["details"], at)} if "details" in body else {}
    cef = fields(body.get("cef_details"))
    return {**found, "cef_details": {**cef, "details": _details(cef["details"], at)}} if cef.get("details") else found


def _details(details: Any, at: datetime) -> Any:
    """Details with their lists of alerts as they were; an object or a list inside a string stays inside one."""
    if isinstance(details, str):
        with suppress(Unreadable):
            inner = read_json(details)
            if isinstance(inner, dict):
                return json.dumps(_lists(inner, at), ensure_ascii=False)
            if isinstance(inner, list):
                return json.dumps(_lists({"firing": inner}, at)["firing"], ensure_ascii=False)
        return details
    return _lists(details, at) if isinstance(details, dict) else details


def _lists(details: dict[str, Any], at: datetime) -> dict[str, Any]:
    firing, resolved = _listed(details.get("firing")), _listed(details.get("resolved"))
    if firing is None and resolved is None:
        return _opened(details)
    every = [*((a, False) for a in firing or ()), *((a, True) for a in resolved or ())]
    began = [(a, over) for a, over in every if (moment(fields(a).get("startsAt")) or at) <= at]
    # All of them later than the incident they opened: two clocks differ, and nothing can be told apart by them.
    sorted_out = [_one(a, over, at) for a, over in began or every]
    then = {
        "firing": [a for a in sorted_out if fields(a).get("status") != "resolved"],
        "resolved": [a for a in sorted_out if fields(a).get("status") == "resolved"],
    }
    counts = {f"num_{name}": _like(details[f"num_{name}"], len(each)) for name, each in then.items() if f"num_{name}" in details}
    written = {n: json.dumps(each, ensure_ascii=False) if isinstance(details.get(n), str) else each for n, each in then.items()}
    return {**details, **{n: each for n, each in written.items() if n in details or then[n]}, **counts}


def _opened(details: dict[str, Any]) -> dict[str, Any]:
    """Lists as text tell no times. An alert is opened by what fires: where all has ended, they are of a later word."""
    ended, fires = details.get("resolved"), details.get("firing")
    if isinstance(ended, str) and ended.strip() and not (isinstance(fires, str) and fires.strip()):
        told = {"firing": ended, "resolved": ""}
        counts = {"num_firing": details.get("num_resolved"), "num_resolved": _like(details.get("num_resolved"), 0)}
        return {**details, **told, **{k: v for k, v in counts.items() if k in details}}
    return details


def _one(alert: Any, over: bool, at: datetime) -> Any:
    """An alert inside the details: firing unless it had ended by then. One that ended at no known time is left where it is told."""
    shape = fields(alert)
    if not shape:
        return alert
    ended = moment(shape.get("endsAt"))
    over = (over or shape.get("status") == "resolved") and (ended is None or ended <= at)
    return {**shape, "status": "resolved"} if over else {**shape, "status": "firing", "endsAt": NEVER}


def _listed(value: object) -> list[Any] | None:
    """A list of alerts, however it is written; None for text, and where there is none."""
    if isinstance(value, str):
        try:
            value = read_json(value) if value.lstrip().startswith(("[", "{")) else None
        except Unreadable:
            return None
    return [value] if isinstance(value, dict) else items(value) if isinstance(value, list) else None


def _like(value: object, count: int) -> int | str:
    """The count, as text where it was text."""
    return str(count) if isinstance(value, str) else count
