"""The REST side of the stand-in PagerDuty: the part of the v2 API that an incident responder uses.

Wrapping, classic pagination with its limits, the From header, error codes and the state machine are PagerDuty's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sre_agent.testing import pagerduty_marks
from sre_agent.testing.pagerduty_account import Account, ApiError, Json, reference
from sre_agent.testing.pagerduty_listings import LISTINGS, key_owner, policy
from sre_agent.testing.pagerduty_log import listed
from sre_agent.testing.pagerduty_subscriptions import listing, subscriptions
from sre_agent.testing.pagerduty_webhooks import WebhookSender


@dataclass(frozen=True)
class Call:
    """One authenticated request."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: Json
    from_email: str | None

    def one(self, name: str, otherwise: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [otherwise])[0]


Answered = tuple[int, Json | None]
Handler = Callable[[Account, Call, list[str]], Answered]


def answer(account: Account, sender: WebhookSender, call: Call) -> Answered:
    """Do what the call asks. Raises ApiError."""
    for method, pattern, handler in _ROUTES:
        match = re.fullmatch(pattern, call.path)
        if match and method == call.method:
            return handler(account, call, list(match.groups()))
    if call.path == "/webhook_subscriptions" and call.method == "GET":
        return page(call, "webhook_subscriptions", listing(sender, call.query))
    if call.path.startswith("/webhook_subscriptions"):
        return subscriptions(account, sender, call.method, call.path, call.body)
    raise ApiError(404, 2100, "Not Found")


def page(call: Call, name: str, found: list[Json]) -> Answered:
    """One page of a list, classic pagination."""
    limit, offset = call.one("limit", "25"), call.one("offset", "0")
    if not limit.isdigit() or not offset.isdigit() or not 1 <= int(limit) <= 100:
        raise ApiError(400, 2001, "Invalid Input Provided")
    start, end = int(offset), int(offset) + int(limit)
    if end > 10_000:
        raise ApiError(400, 2001, "Offset must be less than 10000")
    total = len(found) if call.one("total") == "true" else None
    return 200, {name: found[start:end], "limit": int(limit), "offset": start, "more": end < len(found), "total": total}


def _list_incidents(account: Account, call: Call, _ids: list[str]) -> Answered:
    pagerduty_marks.able(account, "incidents")
    since, until = _span(account, call, timedelta(days=30))
    wanted = call.query.get("statuses[]", ["triggered", "acknowledged", "resolved"])
    services, teams = call.query.get("service_ids[]"), call.query.get("team_ids[]")
    found = [
        _shown(incident)
        for incident in account.incidents.values()
        if incident["status"] in wanted
        and (services is None or incident["service"]["id"] in services)
        and (teams is None or any(t["id"] in teams for t in account.services[incident["service"]["id"]]["teams"]))
        and since <= datetime.fromisoformat(incident["created_at"]) <= until
    ]
    return page(call, "incidents", sorted(found, key=lambda i: str(i["created_at"])))


def _span(account: Account, call: Call, default: timedelta) -> tuple[datetime, datetime]:
    """The asked-for time range; at most six months."""
    try:
        until = datetime.fromisoformat(call.one("until")) if call.one("until") else account.now() + timedelta(seconds=1)
        since = datetime.fromisoformat(call.one("since")) if call.one("since") else until - default
    except ValueError as error:
        raise ApiError(400, 2004, "Invalid date range") from error
    if since.tzinfo is None or until.tzinfo is None:
        raise ApiError(400, 2004, "Invalid date range: give an offset")
    if until - since > timedelta(days=184):
        raise ApiError(400, 2005, "Date range too long")
    return since, until


def _get_incident(account: Account, call: Call, ids: list[str]) -> Answered:
    incident = _shown(account.incident(ids[0]))
    if "services" in call.query.get("include[]", []):
        incident["service"] = account.services[incident["service"]["id"]]
    return 200, {"incident": incident}


def _put_incident(account: Account, call: Call, ids: list[str]) -> Answered:
    user = account.sender(call.from_email)
    incident, wanted = account.incident(ids[0]), _wrapped(call, "incident")
    if "escalation_policy" in wanted and "assignments" in wanted:
        raise ApiError(400, 2001, "Give an escalation policy or assignments, not both")
    if "escalation_policy" in wanted:
        account.delegate(incident["id"], wanted["escalation_policy"]["id"], user)
    if "assignments" in wanted:
        account.reassign(incident["id"], [a["assignee"]["id"] for a in wanted["assignments"]], user)
    if "priority" in wanted:
        account.prioritise(incident["id"], wanted["priority"]["id"], user)
    if wanted.get("status") == "acknowledged":
        account.acknowledge(incident["id"], user)
    if wanted.get("status") == "resolved":
        account.resolve(incident["id"], user)
    return 200, {"incident": _shown(incident)}


def _list_alerts(account: Account, call: Call, ids: list[str]) -> Answered:
    pagerduty_marks.able(account, "alerts")
    alerts = account.alerts[account.incident(ids[0])["id"]]
    wanted = call.query.get("statuses[]", ["triggered", "resolved"])
    return page(call, "alerts", [a for a in alerts if a["status"] in wanted])


def _notes(account: Account, call: Call, ids: list[str]) -> Answered:
    incident = account.incident(ids[0])
    if call.method == "GET":
        pagerduty_marks.able(account, "notes")
        return 200, {"notes": list(account.notes[incident["id"]])}
    user = account.sender(call.from_email)
    note_id = ids[1] if len(ids) > 1 else None
    if call.method == "DELETE":
        account.notes[incident["id"]].remove(account.note(incident["id"], ids[1]))
        return 204, None
    content = _wrapped(call, "note").get("content")
    if not isinstance(content, str) or not content.strip():
        raise ApiError(400, 2001, "Content can't be blank")
    note = account.write_note(incident["id"], content, user, note_id)
    return 200 if note_id else 201, {"note": note}


def _log_entries(account: Account, call: Call, ids: list[str]) -> Answered:
    pagerduty_marks.able(account, "log_entries")
    return page(call, "log_entries", listed(account.incident(ids[0])["log"], overview=call.one("is_overview") == "true"))


def _snooze(account: Account, call: Call, ids: list[str]) -> Answered:
    user = account.sender(call.from_email)
    account.snooze(ids[0], int(call.body.get("duration", 0)), user)
    return 201, {"incident": _shown(account.incident(ids[0]))}


def _merge(account: Account, call: Call, ids: list[str]) -> Answered:
    user = account.sender(call.from_email)
    account.merge(ids[0], [s["id"] for s in call.body.get("source_incidents", [])], user)
    return 200, {"incident": _shown(account.incident(ids[0]))}


def _responder_requests(account: Account, call: Call, ids: list[str]) -> Answered:
    """The body is flat, and its requester is a user's id; the request then shows on the incident."""
    incident = account.incident(ids[0])
    requester = account.user(str(call.body.get("requester_id", "")))
    if incident["status"] == "resolved":
        raise ApiError(400, 1001, "Incident Already Resolved")
    targets = [t["responder_request_target"] for t in call.body["responder_request_targets"]]
    if not targets or any(t["id"] not in account.policies and t["id"] not in account.users for t in targets):
        raise ApiError(400, 2001, "Invalid responder request target")
    made = {
        "incident": reference(incident, "incident_reference"),
        "requester": reference(requester),
        "requested_at": account.stamp(),
        "message": str(call.body.get("message", "")),
        "responder_request_targets": [{"responder_request_target": {**t, "incidents_responders": []}} for t in targets],
    }
    incident["responder_requests"].append(made)
    return 200, {"responder_request": made}


def _change_events(account: Account, call: Call, ids: list[str]) -> Answered:
    since, until = _span(account, call, timedelta(days=90))
    found = [c for c in account.changes if since <= datetime.fromisoformat(c["timestamp"]) <= until]
    if ids:
        if ids[0] not in account.services:
            raise ApiError(404, 2100, "Not Found")
        found = [c for c in found if any(s["id"] == ids[0] for s in c["services"])]
    return page(call, "change_events", found)


def _related_changes(account: Account, call: Call, ids: list[str]) -> Answered:
    account.incident(ids[0])
    related = [c for c in account.changes if c.get("related_to") == ids[0]]
    return page(call, "change_events", [{**c, "correlation_reason": {"reason": "related_service"}} for c in related])


def _past_incidents(account: Account, call: Call, ids: list[str]) -> Answered:
    """Most alike first; `limit` up to 999, no pages."""
    incident = account.incident(ids[0])
    if account.past is None:
        raise ApiError(402, 2014, "Account does not have access to this feature")
    limit = call.one("limit", "50")
    if not limit.isdigit() or not 1 <= int(limit) <= 999:
        raise ApiError(400, 2001, "Invalid Input Provided")
    found = sorted(account.past.get(incident["id"], []), key=lambda p: -p["score"])
    return 200, {"past_incidents": found[: int(limit)], "total": len(found), "limit": int(limit)}


def _related_incidents(account: Account, _call: Call, ids: list[str]) -> Answered:
    """The 20 newest, no pages."""
    incident = account.incident(ids[0])
    if account.related is None:
        raise ApiError(402, 2014, "Account does not have access to this feature")
    return 200, {"related_incidents": account.related.get(incident["id"], [])[:20]}


def _users(account: Account, call: Call, _ids: list[str]) -> Answered:
    query = call.one("query").casefold()
    return page(call, "users", [u for u in account.users.values() if query in f"{u['name']} {u['email']}".casefold()])


def _get_user(account: Account, _call: Call, ids: list[str]) -> Answered:
    return 200, {"user": account.user(ids[0])}


def _get_service(account: Account, _call: Call, ids: list[str]) -> Answered:
    if ids[0] not in account.services:
        raise ApiError(404, 2100, "Not Found")
    return 200, {"service": account.services[ids[0]]}


def _get_team(account: Account, _call: Call, ids: list[str]) -> Answered:
    if ids[0] not in account.teams:
        raise ApiError(404, 2100, "Not Found")
    return 200, {"team": account.teams[ids[0]]}


def _policies(account: Account, call: Call, _ids: list[str]) -> Answered:
    return page(call, "escalation_policies", list(account.policies.values()))


def _on_calls(account: Account, call: Call, _ids: list[str]) -> Answered:
    wanted = call.query.get("escalation_policy_ids[]", list(account.policies))
    found: list[Json] = [
        {"escalation_policy": reference(account.policies[policy]), "escalation_level": 1, "user": reference(account.users[user])}
        for policy in wanted
        if policy in account.policies
        for user in account.on_call.get(policy, [])
    ]
    return page(call, "oncalls", found)


def _listing(name: str, found: Callable[[Account], list[Json]]) -> Handler:
    return lambda account, call, _ids: page(call, name, found(account))


def _wrapped(call: Call, name: str) -> Json:
    """The body inside its wrapper."""
    inner: Any = call.body.get(name)
    if not isinstance(inner, dict):
        raise ApiError(400, 2001, f"Parameter {name} is missing")
    return inner


def _shown(incident: Json) -> Json:
    """The incident as the API shows it: without what has routes of its own."""
    return {key: value for key, value in incident.items() if key != "log"}


def webhook_data(incident: Json) -> Json:
    """The same incident as webhooks show it: some names differ."""
    shown = {
        k: v
        for k, v in _shown(incident).items()
        if k not in ("incident_number", "assignments", "acknowledgements", "pending_actions")
    }
    assignees = [a["assignee"] for a in incident["assignments"]]
    service = reference(incident["service"], "service_reference")
    return {**shown, "number": incident["incident_number"], "assignees": assignees, "service": service, "conference_bridge": None}


def _marked(handle: Callable[[Account, Json, str, str | None], Answered]) -> Handler:
    """A route of pagerduty_marks, whose handlers take the body, the incident's id and the sender alone."""
    return lambda account, call, ids: handle(account, call.body, ids[0] if ids else "", call.from_email)


_ID = r"([^/]+)"
_ROUTES: list[tuple[str, str, Handler]] = [
    *(("GET", path, _listing(name, found)) for path, (name, found) in LISTINGS.items()),
    ("GET", "/users/me", lambda account, _call, _ids: (200, key_owner(account))),
    ("GET", f"/escalation_policies/{_ID}", lambda account, _call, ids: (200, policy(account, ids[0]))),
    ("GET", "/incidents", _list_incidents),
    ("GET", f"/incidents/{_ID}", _get_incident),
    ("PUT", f"/incidents/{_ID}", _put_incident),
    ("GET", f"/incidents/{_ID}/alerts", _list_alerts),
    ("GET", f"/incidents/{_ID}/notes", _notes),
    ("POST", f"/incidents/{_ID}/notes", _notes),
    ("PUT", f"/incidents/{_ID}/notes/{_ID}", _notes),
    ("DELETE", f"/incidents/{_ID}/notes/{_ID}", _notes),
    ("GET", f"/incidents/{_ID}/log_entries", _log_entries),
    ("POST", f"/incidents/{_ID}/snooze", _snooze),
    ("PUT", f"/incidents/{_ID}/merge", _merge),
    ("POST", f"/incidents/{_ID}/responder_requests", _responder_requests),
    ("GET", f"/incidents/{_ID}/related_change_events", _related_changes),
    ("GET", f"/incidents/{_ID}/past_incidents", _past_incidents),
    ("GET", f"/incidents/{_ID}/related_incidents", _related_incidents),
    ("GET", f"/services/{_ID}/change_events", _change_events),
    ("GET", "/change_events", _change_events),
    ("GET", "/users", _users),
    ("GET", f"/users/{_ID}", _get_user),
    ("GET", f"/services/{_ID}", _get_service),
    ("GET", f"/teams/{_ID}", _get_team),
    ("GET", "/escalation_policies", _policies),
    ("GET", "/oncalls", _on_calls),
    *((method, path, _marked(handle)) for method, path, handle in pagerduty_marks.ROUTES),
]
