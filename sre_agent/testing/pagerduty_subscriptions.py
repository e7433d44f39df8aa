"""The stand-in's `/webhook_subscriptions`: made, listed, changed, enabled, pinged and removed as PagerDuty does.

A secret is shown by the answer that made it and never again; ten are allowed for each service, team or account.
"""

import re
import secrets
from collections.abc import Mapping

from sre_agent.testing.pagerduty_account import Account, ApiError, Json
from sre_agent.testing.pagerduty_webhooks import Subscription, WebhookSender

LIMIT = 10
PING = {"message": "Hello from your friend Pagey!", "type": "ping"}
_PATH = re.compile(r"/webhook_subscriptions(?:/(\w+))?(?:/(enable|ping))?")

Answered = tuple[int, Json | None]


def subscriptions(account: Account, sender: WebhookSender, method: str, path: str, body: Json) -> Answered:
    """One request about one subscription, or for a new one. Raises ApiError."""
    match = _PATH.fullmatch(path)
    identity, verb = match.groups() if match else (None, None)
    if identity is None and method == "POST" and match:
        return _make(account, sender, _wrapped(body))
    if identity is None or identity not in sender.subscriptions:
        raise ApiError(404, 2100, "Not Found")
    found = sender.subscriptions[identity]
    if method == "POST" and verb == "enable":
        sender.enable(identity)
    elif method == "POST" and verb == "ping":
        sender.emit("pagey.ping", PING, None, "pagey", only=identity)
        return 202, None
    elif method == "DELETE" and verb is None:
        sender.unsubscribe(identity)
        return 204, None
    elif method == "PUT" and verb is None:
        _change(found, _wrapped(body))
    elif method != "GET" or verb is not None:
        raise ApiError(404, 2100, "Not Found")
    return 200, {"webhook_subscription": shown(found, None)}


def listing(sender: WebhookSender, query: Mapping[str, list[str]]) -> list[Json]:
    """Those that `filter_type` and `filter_id` leave."""
    kind, identity = query.get("filter_type", [""])[0], query.get("filter_id", [""])[0]
    chosen = [s for s in sender.subscriptions.values() if not kind or s.filter.get("type") == f"{kind}_reference"]
    return [shown(s, None) for s in chosen if not identity or s.filter.get("id") == identity]


def shown(made: Subscription, secret: str | None) -> Json:
    """A subscription as the API shows it; `secret` None: it is not shown again."""
    method = {
        "id": f"{made.id}DM",
        "type": "http_delivery_method",
        "url": made.url,
        "secret": secret,
        "temporarily_disabled": made.temporarily_disabled,
        "custom_headers": [{"name": name, "value": "<redacted>"} for name in made.custom_headers],
    }
    return {
        "id": made.id,
        "type": "webhook_subscription",
        "description": made.description,
        "active": made.active,
        "delivery_method": method,
        "events": sorted(made.events or []),
        "filter": dict(made.filter),
    }


def _make(account: Account, sender: WebhookSender, wanted: Json) -> Answered:
    reach = _filter(account, wanted.get("filter"))
    method, events = wanted["delivery_method"], wanted.get("events")
    if method.get("type") != "http_delivery_method" or not str(method["url"]).startswith(("https://", "http://")):
        raise ApiError(400, 2001, "delivery_method is invalid")
    if not isinstance(events, list) or not events:
        raise ApiError(400, 2001, "Events can't be blank")
    if sum(s.filter == reach for s in sender.subscriptions.values()) >= LIMIT:
        raise ApiError(400, 2019, "Your account has reached its subscription limit")
    secret = secrets.token_urlsafe(48)
    made = Subscription(account.identity("P"), method["url"], [secret], frozenset(events))
    made.custom_headers = {h["name"]: h["value"] for h in method.get("custom_headers", [])}
    made.filter, made.active, made.description = reach, wanted.get("active", True) is True, str(wanted.get("description") or "")
    return 201, {"webhook_subscription": shown(sender.subscribe(made), secret)}


def _change(found: Subscription, wanted: Json) -> None:
    """What PUT changes; never where it is sent."""
    if "delivery_method" in wanted:
        raise ApiError(400, 2001, "delivery_method cannot be changed")
    found.events = frozenset(wanted.get("events", found.events or ())) or None
    found.active = wanted.get("active", found.active) is True
    found.description = str(wanted.get("description", found.description))


def _filter(account: Account, wanted: object) -> Json:
    given = wanted if isinstance(wanted, dict) else {}
    known = {"service_reference": account.services, "team_reference": account.teams}
    if given.get("type") == "account_reference":
        return {"type": "account_reference", "id": None}
    if given.get("type") not in known:
        raise ApiError(400, 2001, "Filter is invalid")
    if given.get("id") not in known[given["type"]]:
        raise ApiError(404, 2100, "Not Found")
    return {"type": given["type"], "id": given["id"]}


def _wrapped(body: Json) -> Json:
    inner = body.get("webhook_subscription")
    if not isinstance(inner, dict):
        raise ApiError(400, 2001, "Parameter webhook_subscription is missing")
    return inner
