"""A stand-in for PagerDuty's Events v2 on loopback: it finds fault with events as PagerDuty does, and remembers open alerts.

    with PagerDutyStandIn() as pagerduty, EventsStandIn({ROUTING_KEY: PagerDutyStandIn.service}, into=pagerduty) as events:
        ...
        events.open, events.events

With `into` a trigger that opens an alert makes the incident there and sends its webhook, and a resolve ends both.
"""

import json
import re
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_alerts import AlertShape

LARGEST: Final = 512 * 1024
SEVERITIES: Final = ("critical", "error", "warning", "info")
ACTIONS: Final = ("trigger", "acknowledge", "resolve")

_KEY: Final = re.compile(r"[A-Za-z0-9]{32}")


class EventsStandIn(HttpStandIn):
    """`services`: routing key -> id of its service. `fail_with` answers the next requests, one each, before anything happens.

    `lost`: so many of the next events are taken, and their answer never arrives.
    """

    def __init__(self, services: Mapping[str, str], *, into: PagerDutyStandIn | None = None, port: int = 0) -> None:
        super().__init__(port)
        self._services, self._into = dict(services), into
        self._lock = threading.Lock()
        self.events: list[dict[str, Any]] = []
        self.open: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.incidents: dict[tuple[str, str], str] = {}
        self.fail_with: list[Reply] = []
        self.lost = 0

    def answer(self, asked: Asked) -> Reply:
        """What PagerDuty would answer."""
        with self._lock:
            if self.fail_with:
                return self.fail_with.pop(0)
            if (asked.method, asked.path) != ("POST", "/v2/enqueue"):
                return Reply(404, json.dumps({"status": "not found"}))
            faults = _faults(asked.body, self._services)
            if faults:
                return _invalid(faults)
            event = json.loads(asked.body)
            self.events.append(event)
            key = (event["routing_key"], event.get("dedup_key") or f"made-up-{len(self.events)}")
            self._take(event, key)
            if self.lost > 0:
                self.lost -= 1
                return Reply(0, "")
            return Reply(202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": key[1]}))

    def _take(self, event: dict[str, Any], key: tuple[str, str]) -> None:
        if event["event_action"] == "resolve":
            if self.open.pop(key, None) is not None and self._into is not None:
                self._end(self._into, self.incidents[key])
        elif event["event_action"] == "trigger":
            if key in self.open and not self._over(key):
                self.open[key].append(event)
                return
            self.open[key] = [event]
            if self._into is not None:
                self.incidents[key] = self._begin(self._into, event, key)

    def _over(self, key: tuple[str, str]) -> bool:
        """Whether a person ended the incident meanwhile; its alert ended with it."""
        return self._into is not None and self._into.incident(self.incidents[key])["status"] == "resolved"

    def _begin(self, account: PagerDutyStandIn, event: dict[str, Any], key: tuple[str, str]) -> str:
        payload = event["payload"]
        details = payload.get("custom_details") or {}
        with account.lock:
            service = self._services[key[0]]
            incident = account.add_incident(payload["summary"], [details], shape=AlertShape.EXPLICIT, service=service)
            account.account.incident(incident)["incident_key"] = key[1]
            account.account.alerts[incident][0]["alert_key"] = key[1]
            return account.trigger(incident)

    @staticmethod
    def _end(account: PagerDutyStandIn, incident: str) -> None:
        with account.lock:
            if account.incident(incident)["status"] != "resolved":
                account.resolve(incident)


def _invalid(faults: list[str]) -> Reply:
    return Reply(400, json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": faults}))


def _faults(body: str, services: Mapping[str, str]) -> list[str]:
    """What PagerDuty would find wrong with an event."""
    if len(body.encode()) > LARGEST:
        return ["Event exceeds the maximum size of 512KB"]
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        return ["Event is not a JSON object"]
    found = []
    key = event.get("routing_key")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        found.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    elif key not in services:
        found.append("Invalid routing key")
    if event.get("event_action") not in ACTIONS:
        found.append("'event_action' is missing or not one of trigger, acknowledge, resolve")
    dedup = event.get("dedup_key")
    if dedup is not None and (not isinstance(dedup, str) or len(dedup) > 255):
        found.append("'dedup_key' is too long (maximum 255 characters)")
    if event.get("event_action") == "trigger":
        payload = event.get("payload")
        found += _payload_faults(payload) if isinstance(payload, dict) else ["'payload' is missing or blank"]
        found += [f"'links' must have an http(s) 'href': {x!r}" for x in event.get("links") or [] if not _is_link(x)]
    elif not dedup:
        found.append("'dedup_key' is missing or blank")
    return found


def _payload_faults(payload: Mapping[str, Any]) -> list[str]:
    found = [f"'payload.{name}' is missing or blank" for name in ("summary", "source", "severity") if not payload.get(name)]
    if len(str(payload.get("summary", ""))) > 1024:
        found.append("'payload.summary' is too long (maximum 1024 characters)")
    if payload.get("severity") not in SEVERITIES:
        found.append("'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')")
    at = payload.get("timestamp")
    try:
        aware = at is None or datetime.fromisoformat(str(at)).tzinfo is not None
    except ValueError:
        aware = False
    return found if aware else [*found, "'payload.timestamp' is invalid (must be an ISO 8601 time)"]


def _is_link(link: object) -> bool:
    return isinstance(link, dict) and str(link.get("href", "")).startswith(("https://", "http://"))
