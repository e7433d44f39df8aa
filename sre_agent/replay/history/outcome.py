"""What people did about a past incident: outcome.json, from its log entries and notes. Pure. Never shown to the agent."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sre_agent.intake.untrusted import fields, items, moment, text
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.history.as_of import kind_of
from sre_agent.replay.history.entry import HistoryEntry

LONGEST: Final = 1_000
"""Characters that are kept of one note."""
MOST_ACTIONS: Final = 200
_DID: Final = {
    "acknowledge": "acknowledged",
    "unacknowledge": "took the acknowledgement back",
    "resolve": "resolved",
    "reopen": "reopened",
    "escalate": "escalated",
    "delegate": "moved to another escalation policy",
    "assign": "assigned",
    "snooze": "snoozed",
    "urgency_change": "changed the urgency",
    "priority_change": "changed the priority",
    "merge": "merged",
}
_NOBODY: Final = frozenset({"auto", "timeout", "automatic"})


def outcome_of_entry(entry: HistoryEntry, own_user: str | None = None) -> JsonObject:
    """outcome.json. `own_user` is the agent's own user id: what it did and wrote itself is left out.

    `resolved_automatically` is true when no person resolved it, false when one did, null when it is open or nobody knows.
    `actions` is empty when it was resolved automatically and nobody touched it, missing when nobody knows what was done.
    """
    people = [e for e in entry.log_entries if _person(e.get("agent"), own_user)]
    acknowledged = next((e for e in people if kind_of(e) == "acknowledge"), None)
    resolved_at, resolver = _resolution(entry)
    by_person = None if resolved_at is None or resolver is None else _person(resolver, None)
    notes = list(_noted(entry, own_user))
    done = sorted([*_logged(people), *notes], key=lambda dated: dated[0])
    untouched = not done and by_person is False
    merged = fields(fields(entry.incident.get("resolve_reason")).get("incident"))
    told: JsonObject = {
        "acknowledged_at": None if acknowledged is None else acknowledged.get("created_at"),
        "acknowledged_by": "" if acknowledged is None else _name(acknowledged.get("agent")),
        "resolved_at": resolved_at,
        "resolved_by": _name(resolver) if by_person else "",
        "resolved_automatically": None if by_person is None else not by_person,
        "merged_into": text(merged.get("id"), 40) or None,
        "notes": "\n".join(action["what"].removeprefix("noted: ") for _, action in notes)[: 4 * LONGEST],
    }
    return told | ({"actions": [action for _, action in done[:MOST_ACTIONS]]} if done or untouched else {})


def _resolution(entry: HistoryEntry) -> tuple[str | None, Mapping[str, Any] | None]:
    """(when it was resolved for good, who or what did it), as far as that is known; (None, None) while it is open."""
    if entry.incident.get("status") != "resolved":
        return None, None
    last = next((e for e in reversed(entry.log_entries) if kind_of(e) == "resolve"), None)
    if last is None:
        when = entry.incident.get("resolved_at") or entry.incident.get("last_status_change_at")
        return text(when, 40) or None, fields(entry.incident.get("last_status_change_by")) or None
    channel = text(fields(last.get("channel")).get("type"), 40)
    # A timeout or the monitoring itself: the entry may still carry the name of whoever was assigned.
    agent: Mapping[str, Any] | None = {"type": channel} if channel in _NOBODY else fields(last.get("agent")) or {"type": "nobody"}
    return text(last.get("created_at"), 40) or None, agent


def _person(agent: object, own_user: str | None) -> bool:
    shape = fields(agent)
    return text(shape.get("type"), 60).startswith("user") and (own_user is None or shape.get("id") != own_user)


def _name(agent: object) -> str:
    shape = fields(agent)
    return text(shape.get("summary"), 100) or text(shape.get("name"), 100) or text(shape.get("id"), 40)


def _logged(entries: list[JsonObject]) -> Iterator[tuple[datetime, JsonObject]]:
    """Notes have a list of their own; notifications and the like nobody did."""
    for e in entries:
        done, at = _DID.get(kind_of(e)), moment(e.get("created_at"))
        if done is None or at is None:
            continue
        to = ", ".join(filter(None, map(_name, items(e.get("assignees"))[:5])))
        yield at, {"at": e.get("created_at"), "by": _name(e.get("agent")), "what": f"{done} to {to}" if to else done}


def _noted(entry: HistoryEntry, own_user: str | None) -> Iterator[tuple[datetime, JsonObject]]:
    for note in entry.notes:
        said, user, at = text(note.get("content"), LONGEST).strip(), fields(note.get("user")), moment(note.get("created_at"))
        if said and at is not None and (own_user is None or user.get("id") != own_user):
            yield at, {"at": note.get("created_at"), "by": _name(user), "what": f"noted: {said}"}
