"""The button's door: a Custom Incident Action ("Investigate"), in PagerDuty's old webhook format (developer docs, "Webhooks v2").

Nobody signs it: that it comes from PagerDuty is shown by a secret header, which the web room checks. Of the body only ids are
taken: which incident, and which PagerDuty user pressed. All else is fetched again.
"""

import hashlib
from datetime import datetime
from typing import Final

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.untrusted import Unreadable, fields, items, moment, pagerduty_id, read_json, text

DOOR: Final = "pagerduty-action"
MOST_MESSAGES: Final = 20
"""Messages of one body that are read; PagerDuty sends one."""

_EVENTS: Final = frozenset({"incident.custom", "custom"})
_ENTRY: Final = "custom_log_entry"
_MAX_ID: Final = 100


def parse_presses(body: bytes, received_at: datetime) -> tuple[IncidentEvent, ...]:
    """Every press that an authentic body tells of. Never raises: what cannot be understood is no press."""
    try:
        messages = items(fields(read_json(body)).get("messages"))
    except Unreadable:
        return ()
    digest = hashlib.sha256(body).hexdigest()
    found = (_press(fields(m), f"sha256:{digest}:{n}", received_at) for n, m in enumerate(messages[:MOST_MESSAGES]))
    return tuple(press for press in found if press is not None)


def _press(message: dict[str, object], otherwise: str, received_at: datetime) -> IncidentEvent | None:
    incident = fields(message.get("incident"))
    incident_id = pagerduty_id(incident.get("id"))
    if incident_id is None or text(message.get("event"), _MAX_ID) not in _EVENTS:
        return None
    given = text(message.get("id"), _MAX_ID + 1).strip()
    # Of one incident only: two messages that claim one id about two incidents are two presses.
    identity = f"{incident_id}:{given if 0 < len(given) <= _MAX_ID else otherwise}"
    return IncidentEvent(
        door=DOOR,
        kind=EventKind.REQUESTED,
        type_name="incident.custom",
        event_id=identity,
        delivery_id=identity,
        incident_id=incident_id,
        occurred_at=moment(message.get("created_on")) or received_at,
        agent_id=_presser(message),
        service_id=pagerduty_id(fields(incident.get("service")).get("id")) or "",
        known_as=(f"pagerduty:{incident_id}",),
    )


def _presser(message: dict[str, object]) -> str | None:
    """The PagerDuty user who pressed; None when that is not told, or told in two ways.

    SAFETY: only the entry of the press itself counts. Other entries name other people, and whoever is wrongly taken to have
    asked would leave the one who did free to approve.
    """
    entries = [fields(e) for e in items(message.get("log_entries"))]
    agents = {_user(fields(e.get("agent"))) for e in entries if e.get("type") in (_ENTRY, f"{_ENTRY}_reference")}
    return agents.pop() if len(agents) == 1 else None


def _user(agent: dict[str, object]) -> str | None:
    kind = text(agent.get("type"), 60)
    return pagerduty_id(agent.get("id")) if not kind or kind.startswith("user") else None
