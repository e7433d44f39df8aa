"""A stand-in for Opsgenie and JSM Operations on loopback: alerts over REST in both dialects, and their outgoing webhook.

As the public documentation has them: Opsgenie REST API, "Alert API"; JSM Operations REST API, "Alerts"; "Alert action data". A
write is answered 202 with a request id and carried out when that request has been asked about `lag` times (0: at once).
"""

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply, post_json

KEY = "genie-key-of-the-stand-in"
EMAIL, TOKEN = "bot@example.com", "token-of-the-stand-in"
CLOUD = "11111111-2222-4333-8444-555555555555"
TOKEN_HEADER = "X-SRE-Agent-Token"  # noqa: S105 - the name of the header


class AlertDeskStandIn(HttpStandIn):
    """Start with `with AlertDeskStandIn() as desk:`. Both dialects show the same alerts.

    `lag`: how often a request is asked about before it is carried out. `refuse`: requests are accepted and then not carried out,
    with this reason. `swallow`: the answers of so many next writes get lost after they were accepted.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.alerts: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, list[str]] = {}
        self.lag = 0
        self.refuse = ""
        self.swallow = 0
        self._requests: dict[str, tuple[int, str, dict[str, Any]]] = {}

    def fire(self, message: str, details: Mapping[str, str] | None = None, **more: Any) -> str:
        """A new alert; its id."""
        identity = f"{uuid.uuid4()}-{int(datetime.now(UTC).timestamp() * 1000)}"
        alert = {"id": identity, "alias": identity, "message": message, "status": "open", "acknowledged": False, "tags": []}
        frame = {"createdAt": "2026-11-28T03:08:00.123Z", "priority": "P1", "owner": "", "responders": [], "description": ""}
        self.alerts[identity] = {**alert, **frame, "details": dict(details or {}), **more}
        self.notes[identity] = []
        return identity

    def answer(self, asked: Asked) -> Reply:
        """As the real APIs answer."""
        opsgenie = asked.path.startswith("/v2/alerts")
        root = "/v2/alerts" if opsgenie else f"/{CLOUD}/v1/alerts"
        if asked.path != root and not asked.path.startswith(root + "/"):
            return _reply(404, {"message": "No resource found"})
        if asked.headers.get("authorization") != (f"GenieKey {KEY}" if opsgenie else _basic()):
            return _reply(401, {"message": "Could not authenticate"})
        if asked.path == root:
            return _reply(200, {"data" if opsgenie else "values": list(self.alerts.values())[:1]})
        steps = asked.path.removeprefix(root + "/").split("/")
        if steps[0] == "requests" and len(steps) == 2:
            return self._status(steps[1], opsgenie)
        if steps[0] not in self.alerts:
            return _reply(404, {"message": "Alert does not exist"})
        if asked.method == "POST" and len(steps) == 2 and steps[1] in ("notes", "responders"):
            return self._accept(steps[0], steps[1], json.loads(asked.body))
        if steps[1:] == ["notes"]:
            return _reply(200, self._page(steps[0], asked, opsgenie))
        return _reply(200, self._shown(steps[0], opsgenie)) if len(steps) == 1 else _reply(404, {"message": "No resource found"})

    def _shown(self, identity: str, opsgenie: bool) -> dict[str, Any]:
        alert = self.alerts[identity]
        if opsgenie:
            return {"data": alert, "took": 0.01, "requestId": str(uuid.uuid4())}
        shown = {name: value for name, value in alert.items() if name != "details"}
        return {**shown, "extraProperties": alert["details"]}

    def _page(self, identity: str, asked: Asked, opsgenie: bool) -> dict[str, Any]:
        """Newest first, `limit` at a time; where the next page begins stands in a link."""
        begin, limit = int(asked.one("offset" if opsgenie else "after", "0")), int(asked.one("limit", "20"))
        notes = [{"note": n, "owner": "somebody", "createdAt": "2026-11-28T03:09:00Z"} for n in reversed(self.notes[identity])]
        page, more = notes[begin : begin + limit], begin + limit < len(notes)
        at = f"{'offset' if opsgenie else 'after'}={begin + limit}&limit={limit}"
        link = {"next": f"https://elsewhere.example/notes?{at}"} if more else {}
        return {"data": page, "paging": link} if opsgenie else {"values": page, "links": link}

    def _accept(self, identity: str, what: str, body: dict[str, Any]) -> Reply:
        request = str(uuid.uuid4())
        self._requests[request] = (self.lag, identity, {what: body})
        if not self.lag:
            self._carry_out(request)
        if self.swallow:
            self.swallow -= 1
            return Reply(0, "")
        return _reply(202, {"result": "Request will be processed", "took": 0.1, "requestId": request})

    def _status(self, request: str, opsgenie: bool) -> Reply:
        if request not in self._requests:
            return _reply(404, {"message": "Request not found"})
        left, identity, body = self._requests[request]
        if left > 0:
            self._requests[request] = (left - 1, identity, body)
            if left == 1:
                self._carry_out(request)
            return _reply(404, {"message": "Request is not processed yet"})
        told = {"isSuccess": not self.refuse, "success": not self.refuse, "status": self.refuse or "Done", "alertId": identity}
        return _reply(200, {"data": told} if opsgenie else told)

    def _carry_out(self, request: str) -> None:
        _, identity, body = self._requests[request]
        if self.refuse:
            return
        if "notes" in body:
            self.notes[identity].append(body["notes"]["note"])
        else:
            responder = body["responders"].get("responder", body["responders"])
            self.alerts[identity]["responders"].append(responder)


def called(alert: Mapping[str, Any], action: str, **more: Any) -> dict[str, Any]:
    """The body of the outgoing webhook."""
    shown = {name: alert[name] for name in ("alias", "message", "tags", "priority")}
    now = int(datetime.now(UTC).timestamp() * 1000)
    shape = {"alertId": alert["id"], "tinyId": "7", "createdAt": now, "updatedAt": now, "username": "System", "userId": ""}
    source = {"name": "web", "type": "API"}
    return {
        "action": action,
        "alert": {**shown, **shape, **more},
        "source": source,
        "integrationName": "sre-agent",
        "integrationId": "i",
    }


def ring(url: str, body: object, token: str | None) -> int | str:
    """Send a webhook body to `url`; the status, or the name of what went wrong."""
    return post_json(url, body, {} if token is None else {TOKEN_HEADER: token}, 16.0)


def _reply(status: int, content: object) -> Reply:
    return Reply(status, json.dumps(content))


def _basic() -> str:
    return "Basic " + base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()
