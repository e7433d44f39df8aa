"""The state of a stand-in PagerDuty account: JSON objects in the REST API's own shapes, and what changes them.

Every change of an incident is reported to `emit` as PagerDuty would report it to a webhook subscription.
Not thread-safe by itself: the stand-in holds its lock around every call.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_agent.testing.pagerduty_alerts import AlertShape, Labels, alert_object, custom_details
from sre_agent.testing.pagerduty_log import log_entry

Json = dict[str, Any]
Emit = Callable[[str, Json, Json | None], None]
"""(event type, data, agent reference or None)."""


class ApiError(Exception):
    """An answer that is not 2xx: HTTP status, PagerDuty's code, message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Account:
    """Users, policies, teams, services, incidents with alerts and notes, change events.

    `on_call` has user ids by escalation policy.
    `lacks` maps what the plan (402) or the key's rights (403) leave out ("priorities", "custom_fields", "status_updates",
    "incidents", "alerts", "log_entries", "notes") to the status of the answer.
    `past` and `related` hold the incidents that PagerDuty finds alike, by incident; None: the plan does not include them.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.emit: Emit = lambda _type, _data, _agent: None
        self.users: dict[str, Json] = {}
        self.policies: dict[str, Json] = {}
        self.on_call: dict[str, list[str]] = {}
        self.services: dict[str, Json] = {}
        self.teams: dict[str, Json] = {}
        self.key_owner: str | None = None
        self.incidents: dict[str, Json] = {}
        self.alerts: dict[str, list[Json]] = {}
        self.notes: dict[str, list[Json]] = {}
        self.changes: list[Json] = []
        self.past: dict[str, list[Json]] | None = {}
        self.related: dict[str, list[Json]] | None = {}
        self.priorities: list[Json] = [
            {"id": f"PPRIO0{n}", "type": "priority", "name": f"P{n}", "summary": f"P{n}"} for n in range(1, 6)
        ]
        self.field_names = {"sre_agent_class", "sre_agent_verdict", "sre_agent_owner", "sre_agent_page"}
        self.field_values: dict[str, dict[str, object]] = {}
        self.status_updates: dict[str, list[Json]] = {}
        self.lacks: dict[str, int] = {}
        self._count = 0

    def identity(self, prefix: str, length: int = 7) -> str:
        """A new object id in PagerDuty's alphabet."""
        self._count += 1
        return f"{prefix}{self._count:0{length - len(prefix)}d}"

    def stamp(self, after: timedelta = timedelta()) -> str:
        """The time now, or `after` from now, as the API writes it."""
        return (self.now() + after).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add_incident(self, title: str, service_id: str, labels: Sequence[Labels], shape: AlertShape, grouped: bool) -> Json:
        """A triggered incident with one alert per label set, or one alert that holds them all. Emits nothing yet."""
        service = self.services[service_id]
        number = 4000 + len(self.incidents)
        identity = self.identity("Q", 14)
        policy = self.policies[service["escalation_policy"]["id"]]
        incident = {
            "id": identity,
            "type": "incident",
            "summary": f"[#{number}] {title}",
            "self": f"https://api.pagerduty.test/incidents/{identity}",
            "html_url": f"https://example.pagerduty.test/incidents/{identity}",
            "incident_number": number,
            "title": title,
            "status": "triggered",
            "incident_key": None,
            "created_at": self.stamp(),
            "last_status_change_at": self.stamp(),
            "urgency": "high",
            "service": reference(service),
            "escalation_policy": reference(policy),
            "assignments": [],
            "acknowledgements": [],
            "pending_actions": [],
            "teams": [],
            "priority": None,
            "resolve_reason": None,
            "responder_requests": [],
            "log": [],
        }
        self.incidents[identity] = incident
        self._log(incident, "triggered", None)
        self.alerts[identity], self.notes[identity] = [], []
        for group in [labels] if grouped else [[one] for one in labels]:
            self.add_alert(identity, group, shape=shape)
        return incident

    def add_alert(self, incident_id: str, firing: Sequence[Labels], resolved: Sequence[Labels] = (), *, shape: AlertShape) -> Json:
        """One more alert on an incident."""
        details = custom_details(shape, firing, resolved, self.now())
        name = next((labels.get("alertname", "alert") for labels in [*firing, *resolved]), "alert")
        summary = f"[FIRING:{len(firing)}] {name}"
        alert = alert_object(self.identity("Q", 14), self.incidents[incident_id], details, summary, self.now())
        self.alerts[incident_id].append(alert)
        return alert

    def incident(self, identity: str) -> Json:
        """By id or number."""
        if identity in self.incidents:
            return self.incidents[identity]
        for incident in self.incidents.values():
            if identity in (incident["id"], str(incident["incident_number"])):
                return incident
        raise ApiError(404, 2100, "Not Found")

    def acknowledge(self, identity: str, user: Json | None) -> None:
        """Acknowledge; the service's acknowledgement timeout starts to run."""
        incident = self._unresolved(identity)
        if user is not None:
            incident["acknowledgements"].append({"at": self.stamp(), "acknowledger": reference(user)})
        timeout = self.services[incident["service"]["id"]].get("acknowledgement_timeout")
        incident["pending_actions"] = [] if timeout is None else [_wakes(self.stamp(timedelta(seconds=timeout)))]
        self._change(incident, "acknowledged", "incident.acknowledged", user)

    def resolve(self, identity: str, user: Json | None, reason: Json | None = None) -> None:
        """Resolve the incident and its alerts."""
        incident = self._unresolved(identity)
        incident.update(resolve_reason=reason, pending_actions=[], acknowledgements=[])
        for alert in self.alerts[incident["id"]]:
            alert["status"] = "resolved"
        self._change(incident, "resolved", "incident.resolved", user)

    def reopen(self, identity: str, user: Json | None) -> None:
        """A resolved incident that is triggered again."""
        incident = self.incident(identity)
        if incident["status"] != "resolved":
            raise ApiError(400, 2001, "Incident is not resolved")
        incident.update(resolve_reason=None, reopened_at=self.stamp())
        self._change(incident, "triggered", "incident.reopened", user)

    def snooze(self, identity: str, seconds: int, user: Json | None) -> None:
        """Sleep; PagerDuty acknowledges it and shows a pending un-acknowledgement."""
        if not 1 <= seconds <= 604_800:
            raise ApiError(400, 1013, "Snooze duration is not valid")
        incident = self._unresolved(identity)
        was = incident["status"]
        if user is not None:
            incident["acknowledgements"].append({"at": self.stamp(), "acknowledger": reference(user)})
        incident.update(status="acknowledged", pending_actions=[_wakes(self.stamp(timedelta(seconds=seconds)))])
        self._log(incident, "snooze", user)
        if was == "triggered":
            self.emit("incident.acknowledged", incident, user)

    def delegate(self, identity: str, policy_id: str, user: Json | None) -> None:
        """Move to an escalation policy; whoever is on call there is told, and nobody holds the incident any more."""
        incident = self._unresolved(identity)
        if policy_id not in self.policies:
            raise ApiError(400, 1014, "Escalation policy does not exist")
        incident.update(escalation_policy=reference(self.policies[policy_id]), acknowledgements=[], pending_actions=[])
        self._change(incident, "triggered", "incident.delegated", user)

    def prioritise(self, identity: str, priority_id: str, user: Json | None) -> None:
        """Give it a priority."""
        incident = self._unresolved(identity)
        found = next((p for p in self.priorities if p["id"] == priority_id), None)
        if found is None:
            raise ApiError(400, 1020, "Invalid Priority")
        incident["priority"] = reference(found)
        self._change(incident, incident["status"], "incident.priority_updated", user)

    def reassign(self, identity: str, assignee_ids: Sequence[str], user: Json | None) -> None:
        """Give it to people."""
        incident = self._unresolved(identity)
        found = [self.user(i) for i in assignee_ids]
        incident["assignments"] = [{"at": self.stamp(), "assignee": reference(u)} for u in found]
        self._change(incident, incident["status"], "incident.reassigned", user)

    def merge(self, target_id: str, source_ids: Sequence[str], user: Json | None) -> None:
        """Sources end resolved and point to the target, which takes their alerts."""
        target = self._unresolved(target_id)
        for source in [self._unresolved(s) for s in source_ids]:
            moved = self.alerts[source["id"]]
            self.alerts[source["id"]] = []
            self.resolve(source["id"], user, {"type": "merge_resolve_reason", "incident": reference(target, "incident_reference")})
            self.alerts[target["id"]] += [{**alert, "incident": reference(target, "incident_reference")} for alert in moved]

    def write_note(self, identity: str, content: str, user: Json, note_id: str | None = None) -> Json:
        """Add a note, or change one."""
        incident = self.incident(identity)
        notes = self.notes[incident["id"]]
        if note_id is None:
            note = {
                "id": self.identity("P"),
                "user": reference(user),
                "created_at": self.stamp(),
                "channel": {"summary": "The API"},
            }
            notes.append(note)
        else:
            note = self.note(incident["id"], note_id)
        note["content"] = content
        self._log(incident, "annotate", user)
        data = {
            "id": note["id"],
            "type": "incident_note",
            "content": content,
            "incident": reference(incident, "incident_reference"),
        }
        self.emit("incident.annotated", data, user)
        return note

    def note(self, incident_id: str, note_id: str) -> Json:
        """One note of an incident."""
        for note in self.notes[incident_id]:
            if note["id"] == note_id:
                return note
        raise ApiError(404, 2100, "Not Found")

    def user(self, identity: str) -> Json:
        """By id."""
        if identity not in self.users:
            raise ApiError(404, 2100, "Not Found")
        return self.users[identity]

    def sender(self, email: str | None) -> Json:
        """The user that a From header names."""
        if not email:
            raise ApiError(400, 2001, "The From header is required")
        for user in self.users.values():
            if user["email"].casefold() == email.casefold():
                return user
        raise ApiError(400, 1008, "Requester User Not Found")

    def _unresolved(self, identity: str) -> Json:
        incident = self.incident(identity)
        if incident["status"] == "resolved":
            raise ApiError(400, 1001, "Incident Already Resolved")
        return incident

    def _change(self, incident: Json, status: str, event: str, user: Json | None) -> None:
        incident.update(status=status, last_status_change_at=self.stamp())
        incident["resolved_at"] = self.stamp() if status == "resolved" else None
        self._log(incident, event.removeprefix("incident."), user)
        incident["last_status_change_by"] = incident["log"][-1]["agent"]
        self.emit(event, incident, user)

    def _log(self, incident: Json, event: str, user: Json | None) -> None:
        agent = None if user is None else reference(user)
        incident["log"].append(log_entry(self.identity("R", 14), event, incident, self.stamp(), agent))


def reference(thing: Mapping[str, Any], kind: str | None = None) -> Json:
    """A reference to a full object."""
    named = thing.get("summary") or thing.get("name")
    return {"id": thing["id"], "type": kind or f"{thing['type'].removesuffix('_reference')}_reference", "summary": named}


def _wakes(at: str) -> Json:
    return {"type": "unacknowledge", "at": at}
