"""case.json of an incident as the agent knows it: PagerDuty's REST shape and Alertmanager's, as the reader of cases takes them."""

from datetime import datetime
from typing import Any

from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, Reference
from sre_agent.replay.case_shapes import JsonObject


def case_head(case_id: str, incident: Incident, at: datetime) -> JsonObject:
    """The content of case.json; `at` is the clock of the replay."""
    return {
        "schema": 1,
        "id": case_id,
        "at": at.isoformat(),
        "environment": incident.environment,
        "incident": _said({**_about(incident), **_people(incident)}),
        "alerts": [_alert(a) for a in incident.alerts],
    }


def _about(incident: Incident) -> JsonObject:
    merged = {"type": "merge_resolve_reason", "incident": {"id": incident.merged_into}}
    return {
        "id": incident.id,
        "incident_number": incident.number,
        "title": incident.title,
        "status": incident.status.value,
        "urgency": incident.urgency,
        "created_at": incident.created_at.isoformat(),
        "html_url": incident.html_url,
        "service": _reference(incident.service),
        "priority": {"summary": incident.priority} if incident.priority else None,
        "pending_actions": [{"type": "unacknowledge"}] if incident.snoozed else None,
        "resolve_reason": merged if incident.merged_into else None,
    }


def _people(incident: Incident) -> JsonObject:
    return {
        "escalation_policy": _reference(incident.escalation_policy) if incident.escalation_policy else None,
        "assignments": [{"assignee": _reference(r)} for r in incident.assignees] or None,
        "acknowledgements": [{"acknowledger": {**_reference(r), "type": "user_reference"}} for r in incident.acknowledged_by]
        or None,
    }


def _reference(reference: Reference) -> JsonObject:
    return {"id": reference.id, "summary": reference.name}


def _alert(alert: Alert) -> JsonObject:
    shape: dict[str, Any] = {
        # Without labels the reader takes an alert as one whose labels did not arrive.
        "labels": dict(alert.labels) if alert.labels_known else None,
        "annotations": dict(alert.annotations) or None,
        "status": alert.status.value,
        "startsAt": alert.starts_at.isoformat() if alert.starts_at else None,
        "endsAt": alert.ends_at.isoformat() if alert.ends_at else None,
        "fingerprint": alert.source_id or None,
    }
    return {name: value for name, value in shape.items() if value is not None or name == "labels"}


def _said(shape: JsonObject) -> JsonObject:
    return {name: value for name, value in shape.items() if value is not None}
