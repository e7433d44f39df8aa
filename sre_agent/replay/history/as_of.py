"""An incident that is over, as it was at an earlier moment: what the agent would have fetched then. Pure.

Put together from what PagerDuty dates: log entries, alerts, assignments. What it keeps no dates of is as it is today: title,
priority, teams. Without log entries the incident is as it was when it began: triggered, and nobody's yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sre_agent.intake.untrusted import fields, items, moment, text
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.history.alerts_then import alerts_then
from sre_agent.replay.history.entry import HistoryEntry

# What only later knowledge could have filled.
_LATER = ("resolved_at", "updated_at", "reopened_at", "resolution", "pending_actions", "last_status_change_by", "custom_fields")
_OTHER_LEVEL = {"high": "low", "low": "high"}


@dataclass
class _Standing:
    """Where the incident stood, walked forward through its log."""

    status: str = "triggered"
    changed: str = ""
    acknowledgements: list[JsonObject] = field(default_factory=list)
    assignments: list[JsonObject] | None = None


def kind_of(log_entry: Mapping[str, Any]) -> str:
    """ "acknowledge" for an acknowledge_log_entry."""
    return text(log_entry.get("type"), 80).removesuffix("_reference").removesuffix("_log_entry")


def as_of(entry: HistoryEntry, at: datetime, own_user: str | None = None) -> HistoryEntry:
    """The entry as it was at `at`. `own_user` is the agent's own user id: what it acknowledged itself is not a person's."""
    log = tuple(e for e in entry.log_entries if (moment(e.get("created_at")) or at) <= at)
    standing = _walked(log, own_user)
    alerts = alerts_then(entry.alerts, at, over=standing.status == "resolved")
    return entry.model_copy(
        update={
            "incident": _incident(entry, standing, at, alerts),
            "alerts": alerts,
            "log_entries": log,
            "notes": tuple(n for n in entry.notes if (moment(n.get("created_at")) or at) <= at),
        }
    )


def _walked(log: tuple[JsonObject, ...], own_user: str | None) -> _Standing:
    now = _Standing()
    for e in log:
        kind, when, agent = kind_of(e), text(e.get("created_at"), 40), fields(e.get("agent"))
        before = now.status
        match kind:
            case "acknowledge":
                now.status = "acknowledged"
                if own_user is None or agent.get("id") != own_user:
                    now.acknowledgements.append({"at": when, "acknowledger": agent})
            case "resolve":
                now.status, now.acknowledgements = "resolved", []
            case "trigger" | "unacknowledge" | "reopen" | "escalate" | "delegate":
                now.status, now.acknowledgements = "triggered", []
        if kind in ("assign", "escalate", "delegate") and (given := items(e.get("assignees"))):
            now.assignments = [{"at": when, "assignee": who} for who in given]
        if now.status != before:
            now.changed = when
    return now


def _incident(entry: HistoryEntry, standing: _Standing, at: datetime, alerts: tuple[JsonObject, ...]) -> JsonObject:
    today = entry.incident
    then = {k: v for k, v in today.items() if k not in _LATER}
    open_ = sum(a["status"] != "resolved" for a in alerts)
    told = [a for a in items(today.get("assignments")) if (moment(fields(a).get("at")) or at) <= at]
    requests = [r for r in items(today.get("responder_requests")) if (moment(fields(r).get("requested_at")) or at) <= at]
    then |= {
        "status": standing.status,
        "last_status_change_at": standing.changed or today.get("created_at"),
        "acknowledgements": standing.acknowledgements,
        "assignments": told if standing.assignments is None else standing.assignments,
        "responder_requests": requests,
        "pending_actions": [],
        "resolve_reason": today.get("resolve_reason") if standing.status == "resolved" else None,
    }
    if isinstance(today.get("alert_counts"), dict):
        then["alert_counts"] = {"all": len(alerts), "triggered": open_, "resolved": len(alerts) - open_}
    after = [kind_of(e) for e in entry.log_entries if (moment(e.get("created_at")) or at) > at]
    if after.count("urgency_change") % 2:
        urgency = text(today.get("urgency"), 20)
        then["urgency"] = _OTHER_LEVEL.get(urgency, urgency)
    if "delegate" in after:
        # It was with another policy then, and nothing says with which.
        then["escalation_policy"] = None
    return then
