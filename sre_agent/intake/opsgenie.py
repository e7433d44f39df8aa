"""The doors of Opsgenie and of Jira Service Management (JSM): one webhook body, two names.

Source: Atlassian support, "Alert action data" (JSM Operations kept Opsgenie's body). Neither signs it: a secret header opens the
door, and the body is only a doorbell. It has no labels one could believe; the alert is fetched again (handback.alert_desk).
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Final

from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.untrusted import Unreadable, fields, moment, read_json, text

OPSGENIE: Final = "opsgenie"
JSM: Final = "jsm"
OWN_USER: Final = "sre-agent"
"""The name under which the agent writes notes and adds responders; what it did itself comes back with it."""

ALERT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{7,99}")
_LONGEST_ALIAS: Final = 512
_KINDS: Final = {
    "create": EventKind.TRIGGERED,
    "acknowledge": EventKind.ACKNOWLEDGED,
    "unacknowledge": EventKind.UNACKNOWLEDGED,
    "close": EventKind.RESOLVED,
    "delete": EventKind.RESOLVED,
    "assignownership": EventKind.REASSIGNED,
    "takeownership": EventKind.REASSIGNED,
    "addteam": EventKind.REASSIGNED,
    "addresponder": EventKind.REASSIGNED,
    "addrecipient": EventKind.REASSIGNED,
    "escalate": EventKind.ESCALATED,
    "escalatenext": EventKind.ESCALATED,
    "escalatetonext": EventKind.ESCALATED,
    "snooze": EventKind.SNOOZED,
    "updatepriority": EventKind.PRIORITY_UPDATED,
    "addnote": EventKind.ANNOTATED,
}


def alert_id(value: object) -> str | None:
    """An alert's id, or None. SAFETY: it goes into REST paths, so that nothing that could walk elsewhere is one."""
    return value if isinstance(value, str) and ALERT_ID.fullmatch(value) else None


def parse_alert_action(door: str, body: bytes, received_at: datetime) -> IncidentEvent:
    """What an authentic body says. `door` is OPSGENIE or JSM. Never raises: what cannot be understood is OTHER.

    The body has no id of its own: it is recognised by its hash, which stands in `type_name` too, because the inbox compares that
    and the moment, and two notes can be of one millisecond.
    """
    try:
        told = fields(read_json(body))
    except Unreadable:
        told = {}
    alert = fields(told.get("alert"))
    identity = alert_id(alert.get("alertId")) or alert_id(alert.get("id"))
    action = text(told.get("action"), 60).strip()
    digest = hashlib.sha256(body).hexdigest()
    kind = _KINDS.get(re.sub(r"[\s_-]", "", action).lower(), EventKind.OTHER)
    return IncidentEvent(
        door=door,
        kind=kind if identity else EventKind.OTHER,
        type_name=f"{action or 'unreadable'}:{digest[:24]}",
        event_id=f"sha256:{digest}",
        delivery_id=f"sha256:{digest}",
        incident_id=f"{door}:{identity}" if identity else None,
        occurred_at=_occurred(alert, received_at),
        agent_id=_agent(alert),
        known_as=_names(door, identity, alert),
        title=text(alert.get("message"), 200),
    )


def _names(door: str, identity: str | None, alert: dict[str, object]) -> tuple[str, ...]:
    """Under which names the incident may be known. An alert without an alias of its own has its id as one."""
    if identity is None:
        return ()
    alias = text(alert.get("alias"), _LONGEST_ALIAS + 1).strip()
    keyed = 0 < len(alias) <= _LONGEST_ALIAS and alias != identity
    return (f"{door}:{identity}", f"key:{alias}") if keyed else (f"{door}:{identity}",)


def _agent(alert: dict[str, object]) -> str | None:
    """Who did it: a user's id, OWN_USER for the agent itself, None for automation."""
    user = text(alert.get("userId"), 100).strip()
    return user or (OWN_USER if text(alert.get("username"), 100).strip() == OWN_USER else None)


def _occurred(alert: dict[str, object], received_at: datetime) -> datetime:
    """When the alert changed last; never after it was heard."""
    told = _epoch(alert.get("updatedAt")) or _epoch(alert.get("createdAt")) or received_at
    return min(told, received_at)


def _epoch(value: object) -> datetime | None:
    """A moment in seconds, milliseconds, microseconds or nanoseconds since 1970, as its size tells, or in RFC 3339."""
    digits = text(value, 30).strip()
    if not (digits.isascii() and digits.isdigit()):
        return moment(value)
    number = int(digits)
    for places in (9, 6, 3, 0):
        if number >= 10 ** (places + 9):
            return datetime.fromtimestamp(number / 10**places, UTC) if number < 10 ** (places + 11) else None
    return None
