"""Presses buttons of the stand-in Slack as its clients do: payloads in Slack's shapes, signed like Slack's, over real HTTP.

    signed = sign(slack, pressed(slack, "U00000ANA", "sre_approve", value), at=time.time())
    status, body = deliver(agent_url, signed)
    deliver(agent_url, signed)      # a replay: the very same bytes

`lies` replace parts of a payload: {"team": {"id": "T0OTHER"}}. Bots, guests and closed accounts are members of the stand-in.
"""

import hashlib
import hmac
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

from sre_agent.testing.slack import Json, SlackStandIn

PATH = "/slack/interactions"


@dataclass(frozen=True)
class Signed:
    """A request, ready to be sent as often as one likes."""

    body: bytes
    headers: dict[str, str]


def pressed(slack: SlackStandIn, user: str, action: str, value: str, /, **lies: Any) -> Json:
    """block_actions: this person presses a button with this action id and value in C0INC."""
    messages = slack.channels["C0INC"].messages
    message = messages[-1] if messages else {"ts": "1795420790.000100"}
    button = {"type": "button", "action_id": action, "block_id": "sre_ask", "value": value, "action_ts": "1795420800.1"}
    payload = {
        "type": "block_actions",
        **_who(slack, user),
        "channel": {"id": "C0INC", "name": "incidents"},
        "container": {"type": "message", "message_ts": message["ts"], "channel_id": "C0INC", "is_ephemeral": False},
        "message": message,
        "state": {"values": {}},
        "response_url": "https://hooks.slack.com/actions/T0001/1/stand-in",
        "actions": [button],
    }
    return {**payload, **lies}


def buttons(message: Json) -> dict[str, str]:
    """Action id -> value of every button of a message."""
    elements = [e for block in message.get("blocks", []) if block["type"] == "actions" for e in block["elements"]]
    return {e["action_id"]: e["value"] for e in elements if "value" in e}


def submitted(slack: SlackStandIn, user: str, view: Json, typed: str | None, /, **lies: Any) -> Json:
    """view_submission: this person fills in the dialog's one field and submits it."""
    field = next(b for b in view["blocks"] if b["type"] == "input")
    values = {field["block_id"]: {field["element"]["action_id"]: {"type": "plain_text_input", "value": typed}}}
    return {"type": "view_submission", **_who(slack, user), "view": {**view, "state": {"values": values}}, **lies}


def sign(slack: SlackStandIn, payload: Json | str, at: float, secret: str | None = None) -> Signed:
    """The request with the payload in its form, signed at `at` (Unix time)."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    body, stamp = f"payload={quote_plus(text)}".encode(), str(int(at))
    key = slack.signing_secret if secret is None else secret
    made = hmac.new(key.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={made}",
    }
    return Signed(body, headers)


def deliver(url: str, signed: Signed, timeout_s: float = 3.0) -> tuple[int, bytes]:
    """Send it to an agent; status and body of the answer. Slack gives up after three seconds: TimeoutError."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout_s)
    try:
        connection.request("POST", PATH, signed.body, signed.headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _who(slack: SlackStandIn, user: str) -> Json:
    """Who presses, where; a new trigger for each press."""
    member = slack.members.get(user)
    return {
        "user": {"id": user, "username": user.lower(), "team_id": member.team_id if member else slack.team_id},
        "team": {"id": slack.team_id, "domain": "example"},
        "enterprise": None,
        "is_enterprise_install": False,
        "api_app_id": slack.app_id,
        "trigger_id": slack.trigger(),
    }
