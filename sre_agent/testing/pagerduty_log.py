"""Log entries of the stand-in PagerDuty: who did what to an incident, in the REST API's shape, newest first as it lists them."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_TYPES = {
    "triggered": "trigger",
    "acknowledged": "acknowledge",
    "resolved": "resolve",
    "reopened": "trigger",
    "delegated": "delegate",
    "reassigned": "assign",
    "priority_updated": "priority_change",
}
"""What a webhook calls an event, and what its log entry is called."""


def log_entry(identity: str, event: str, incident: Mapping[str, Any], at: str, agent: Json | None) -> Json:
    """One entry. Without an `agent` it was the service's integration: its monitoring, over the Events API."""
    kind = _TYPES.get(event, event)
    service = incident["service"]
    who = agent or {"id": service["id"], "type": "service_reference", "summary": service.get("summary")}
    entry = {
        "id": identity,
        "type": f"{kind}_log_entry",
        "summary": f"{kind} by {who.get('summary')}",
        "created_at": at,
        "agent": who,
        "channel": {"type": "api" if agent is None else "website"},
        "incident": {"id": incident["id"], "type": "incident_reference", "summary": incident["summary"]},
        "teams": [],
        "contexts": [],
    }
    return entry | ({"assignees": [a["assignee"] for a in incident["assignments"]]} if kind in ("assign", "delegate") else {})


def listed(log: list[Json], *, overview: bool) -> list[Json]:
    """As the API lists them; an overview leaves notifications out."""
    return [e for e in reversed(log) if not (overview and e["type"] == "notify_log_entry")]
