"""Custom field values and status updates of the stand-in PagerDuty.

Bodies are PagerDuty's: a status update is flat, field values come as a list of names and values and are answered with 201.
What the account lacks (`Account.lacks`) is answered with 402 or 403.
"""

from typing import Any

from sre_agent.testing.pagerduty_account import Account, ApiError, Json, reference

MOST_MESSAGE = 2_000


def read_fields(account: Account, _body: Json, identity: str, _sender: str | None) -> tuple[int, Json]:
    """Every field with its value; null where it has none."""
    incident = _of(account, identity)
    return 200, {"custom_fields": _shown(account, incident["id"])}


def set_fields(account: Account, body: Json, identity: str, _sender: str | None) -> tuple[int, Json]:
    """All of them or none: an unknown name refuses the whole."""
    incident = _of(account, identity)
    given: Any = body.get("custom_fields")
    if not isinstance(given, list) or not all(isinstance(f, dict) and isinstance(f.get("name"), str) for f in given):
        raise ApiError(400, 2001, "Parameter custom_fields is missing")
    unknown = [f["name"] for f in given if f["name"] not in account.field_names]
    if unknown:
        raise ApiError(400, 2001, f"Custom field {unknown[0]} does not exist")
    account.field_values.setdefault(incident["id"], {}).update({f["name"]: f.get("value") for f in given})
    data = {"type": "incident_field_values", "incident": reference(incident, "incident_reference"), "custom_fields": given}
    account.emit("incident.custom_field_values.updated", data, None)
    return 201, {"custom_fields": _shown(account, incident["id"])}


def post_status(account: Account, body: Json, identity: str, sender: str | None) -> tuple[int, Json]:
    """One more, every time it is asked for."""
    able(account, "status_updates")
    user, incident = account.sender(sender), account.incident(identity)
    message: Any = body.get("message")
    if not isinstance(message, str) or not message.strip() or len(message) > MOST_MESSAGE:
        raise ApiError(400, 2001, "Message can't be blank or too long")
    update = {"id": account.identity("P"), "message": message, "created_at": account.stamp(), "sender": reference(user)}
    account.status_updates.setdefault(incident["id"], []).append(update)
    data = {"type": "incident_status_update", "incident": reference(incident, "incident_reference"), **update}
    account.emit("incident.status_update_published", data, user)
    return 201, {"status_update": update}


def _of(account: Account, identity: str) -> Json:
    able(account, "custom_fields")
    return account.incident(identity)


def _shown(account: Account, incident_id: str) -> list[Json]:
    values = account.field_values.get(incident_id, {})
    return [{"name": name, "type": "field_value", "value": values.get(name)} for name in sorted(account.field_names)]


def able(account: Account, ability: str) -> None:
    """Raise the refusal of an account that lacks this."""
    status = account.lacks.get(ability)
    if status is not None:
        code, said = (2014, "Account does not have access to this feature") if status == 402 else (2010, "Access Denied")
        raise ApiError(status, 2100 if status == 404 else code, said)


ROUTES = [
    ("GET", r"/incidents/([^/]+)/custom_fields/values", read_fields),
    ("PUT", r"/incidents/([^/]+)/custom_fields/values", set_fields),
    ("POST", r"/incidents/([^/]+)/status_updates", post_status),
]
