"""The button of the stand-in PagerDuty: a Custom Incident Action, pressed on an incident's page.

A body of the old webhook format, version 2 (PagerDuty developer docs, "Webhooks v2"), unsigned, with the header that was
configured; 16 s to answer.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from sre_agent.testing.http_stand_in import post_json

TIMEOUT_S = 16.0
TOKEN_HEADER = "X-SRE-Agent-Token"  # noqa: S105 - the name of the header


def pressed(incident: Mapping[str, Any], user: Mapping[str, Any] | None, at: str, event: str = "incident.custom") -> dict[str, Any]:
    """The body of one press. `user` is a reference; None: the body does not tell who it was."""
    entry = {"id": "RSTANDIN00001", "type": "custom_log_entry", "created_at": at, "channel": {"type": "web_ui"}, "agent": user}
    message = {
        "id": str(uuid.uuid4()),
        "event": event,
        "created_on": at,
        "incident": {**incident, "type": "incident"},
        "webhook": {"endpoint_url": "", "name": "Investigate", "type": "webhook_v2"},
        "log_entries": [] if user is None else [entry],
    }
    return {"messages": [message]}


def post(url: str, body: object, headers: Mapping[str, str]) -> int | str:
    """Send a body as PagerDuty sends a press; the status, or the name of what went wrong."""
    return post_json(url, body, {"user-agent": "PagerDuty-Webhook/V2.0", **headers}, TIMEOUT_S)
