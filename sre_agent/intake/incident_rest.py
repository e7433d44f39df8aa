"""PagerDuty's REST incident into an Incident. Everything but the id is optional; ids of people are compared, not trusted."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, OpenIncident, Reference
from sre_agent.intake.alert_details import earliest
from sre_agent.intake.untrusted import Unreadable, fields, items, moment, pagerduty_id, text

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMEOUT_SLACK: Final = timedelta(seconds=90)


def incident_from_rest(
    rest: object, alerts: Iterable[Alert], own_user_id: str | None, default_created_at: datetime = EPOCH
) -> Incident:
    """The incident with its alerts.

    `own_user_id` is the agent's own PagerDuty user: its acknowledgement is not a person's.
    `default_created_at` is used when neither the incident nor an alert says when it began.
    Raises Unreadable when there is no id, or a status that PagerDuty does not have.
    """
    shape, all_alerts = fields(rest), tuple(alerts)
    identity = text(shape.get("id"), 100).strip()
    if not identity:
        raise Unreadable("the incident has no id")
    resolve_reason = fields(shape.get("resolve_reason"))
    merged_into = text(fields(resolve_reason.get("incident")).get("id"), 100) if "merge" in text(resolve_reason.get("type")) else ""
    return Incident(
        id=identity,
        number=_number(shape),
        title=text(shape.get("title")) or text(shape.get("summary")),
        status=_status(shape.get("status")),
        urgency=text(shape.get("urgency"), 20) or "high",
        created_at=moment(shape.get("created_at")) or earliest(all_alerts) or default_created_at,
        html_url=_link(shape.get("html_url")),
        service=_reference(shape.get("service")) or Reference(id=""),
        escalation_policy=_reference(shape.get("escalation_policy")),
        assignees=_assignees(shape),
        acknowledged_by=_people(shape, own_user_id),
        priority=_name(shape.get("priority")) or None,
        snoozed=_snoozed(shape),
        merged_into=merged_into or None,
        alerts=all_alerts,
    )


def open_incident_from_rest(rest: object, own_user_id: str | None) -> OpenIncident | None:
    """One incident of a list; None when it is not open, or has no id that PagerDuty would give."""
    shape = fields(rest)
    identity = pagerduty_id(shape.get("id"))
    if identity is None or shape.get("status") not in ("triggered", "acknowledged"):
        return None
    return OpenIncident(
        id=identity,
        status=_status(shape.get("status")),
        created_at=moment(shape.get("created_at")),
        changed_at=moment(shape.get("last_status_change_at")),
        service=_reference(shape.get("service")) or Reference(id=""),
        priority=_name(shape.get("priority")) or None,
        acknowledged_by=_people(shape, own_user_id),
    )


def _number(shape: Mapping[str, object]) -> int | None:
    """REST says `incident_number`, webhooks say `number`."""
    value = shape.get("incident_number", shape.get("number"))
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _status(value: object) -> IncidentStatus:
    """PagerDuty's three states; a missing one is taken as triggered, a strange one is not guessed at."""
    if value is None:
        return IncidentStatus.TRIGGERED
    try:
        return IncidentStatus(text(value, 40))
    except ValueError as error:
        raise Unreadable(f"the incident has the unknown status {text(value, 40)!r}") from error


def _link(value: object) -> str:
    """A link that people may follow: http(s) only."""
    link = text(value, 2048)
    return link if link.startswith(("https://", "http://")) else ""


def _name(value: object) -> str:
    """What people call a thing: `summary` in references, `name` in full objects, a bare string elsewhere."""
    if isinstance(value, str):
        return text(value, 200).strip()
    shape = fields(value)
    return (text(shape.get("summary"), 200) or text(shape.get("name"), 200)).strip()


def _reference(value: object) -> Reference | None:
    """A reference, or None without an id."""
    identity = text(fields(value).get("id"), 100)
    return Reference(id=identity, name=_name(value)) if identity else None


def _assignees(shape: Mapping[str, object]) -> tuple[Reference, ...]:
    """REST nests them under assignments[].assignee, webhooks list them as assignees[]."""
    nested = [fields(entry).get("assignee") for entry in items(shape.get("assignments"))]
    return tuple(_distinct(nested or items(shape.get("assignees"))))


def _people(shape: Mapping[str, object], own_user_id: str | None) -> tuple[Reference, ...]:
    """Who acknowledged: users only, not integrations, not this agent. An acknowledger of no stated type is a person."""
    acknowledgers = [fields(entry).get("acknowledger") for entry in items(shape.get("acknowledgements"))]
    users = [a for a in acknowledgers if text(fields(a).get("type"), 60).startswith("user") or not fields(a).get("type")]
    return tuple(person for person in _distinct(users) if person.id != own_user_id)


def _distinct(values: Iterable[object]) -> Iterator[Reference]:
    """References in order, each id once."""
    seen: set[str] = set()
    for value in values:
        reference = _reference(value)
        if reference is not None and reference.id not in seen:
            seen.add(reference.id)
            yield reference


def _snoozed(shape: Mapping[str, object]) -> bool:
    """Whether somebody put the incident to sleep.

    PagerDuty shows a snooze as a pending "unacknowledge" action, and the service's acknowledgement timeout in just
    the same way. The two are told apart by the time: a timeout ends `acknowledgement_timeout` seconds after
    an acknowledgement (the service must be included in full). In doubt it is a snooze, which stops the agent.
    """
    ends = [fields(a) for a in items(shape.get("pending_actions")) if fields(a).get("type") == "unacknowledge"]
    if not ends:
        return False
    timeout = fields(shape.get("service")).get("acknowledgement_timeout")
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not 0 < timeout < 10**8:
        return True
    acknowledged = [moment(fields(a).get("at")) for a in items(shape.get("acknowledgements"))]
    due = [at + timedelta(seconds=timeout) for at in acknowledged if at is not None]
    return any(not _near(moment(action.get("at")), due) for action in ends)


def _near(at: datetime | None, due: list[datetime]) -> bool:
    """Whether a pending action falls on the end of an acknowledgement timeout."""
    return at is not None and any(abs(at - end) <= _TIMEOUT_SLACK for end in due)
