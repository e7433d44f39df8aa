"""A stand-in Statuspage on loopback: incidents of some pages, created and updated as its API does.

with StatuspageStandIn(("PUB1", "PRIV1")) as pages:
    ... pages.url, pages.key ...
    pages.incidents["PUB1"][0]["incident_updates"]
"""

import json
import re
import threading
from collections.abc import Sequence
from typing import Any, Final

from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply

KEY: Final = "stand-in-key"
STATUSES: Final = ("investigating", "identified", "monitoring", "resolved")

_PATH: Final = re.compile(r"/v1/pages/([^/]+)/incidents(?:/([^/]+))?")


class StatuspageStandIn(HttpStandIn):
    """`fail_with` answers the next requests, one each, before anything happens. `lost`: so many of the next writes are done, and
    their answer never arrives; then also `blind` of the reads that follow fail.
    """

    def __init__(self, pages: Sequence[str], key: str = KEY, port: int = 0) -> None:
        super().__init__(port)
        self.key = key
        self.incidents: dict[str, list[dict[str, Any]]] = {page: [] for page in pages}
        self.fail_with: list[Reply] = []
        self.lost = 0
        self.blind = 0
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Reply:
        """What Statuspage would answer."""
        with self._lock:
            if self.fail_with:
                return self.fail_with.pop(0)
            if asked.headers.get("authorization") != f"OAuth {self.key}":
                return _error(401, "Could not authenticate")
            page = asked.path.removeprefix("/v1/pages/")
            if asked.method == "GET" and page in self.incidents:
                return Reply(200, json.dumps({"id": page, "name": f"Page {page}"}))
            found = _PATH.fullmatch(asked.path)
            if found is None or found[1] not in self.incidents:
                return _error(404, "Not found")
            known = self.incidents[found[1]]
            if asked.method == "GET":
                return self._read(known, found[2])
            reply = self._create(known, asked) if asked.method == "POST" else self._update(known, found[2], asked)
            if self.lost > 0 and reply.status < 300:
                self.lost -= 1
                return Reply(0, "")
            return reply

    def _read(self, known: list[dict[str, Any]], which: str | None) -> Reply:
        if self.blind > 0:
            self.blind -= 1
            return _error(503, "Service unavailable")
        if which == "unresolved":
            return Reply(200, json.dumps([i for i in known if i["status"] != "resolved"]))
        one = next((i for i in known if i["id"] == which), None)
        return _error(404, "Not found") if one is None else Reply(200, json.dumps(one))

    def _create(self, known: list[dict[str, Any]], asked: Asked) -> Reply:
        given = json.loads(asked.body).get("incident", {})
        faults = [*(["Name can't be blank"] if not given.get("name") else []), *_faults(given)]
        if any(not isinstance(value, dict) for value in given.get("metadata", {}).values()):
            faults.append("Metadata must be an object of objects")
        if faults:
            return _error(422, faults)
        made = {
            "id": f"inc{len(known) + 1:09d}",
            "name": given["name"],
            "status": given["status"],
            "metadata": given.get("metadata", {}),
            "incident_updates": [_update_of(given)],
        }
        known.append(made)
        return Reply(201, json.dumps(made))

    def _update(self, known: list[dict[str, Any]], which: str | None, asked: Asked) -> Reply:
        one = next((i for i in known if i["id"] == which), None)
        given = json.loads(asked.body).get("incident", {})
        if one is None:
            return _error(404, "Not found")
        if faults := _faults(given):
            return _error(422, faults)
        one["status"] = given["status"]
        one["incident_updates"].insert(0, _update_of(given))
        return Reply(200, json.dumps(one))


def _faults(given: dict[str, Any]) -> list[str]:
    return [] if given.get("status") in STATUSES else ["Status is not included in the list"]


def _update_of(given: dict[str, Any]) -> dict[str, Any]:
    # Statuspage notifies subscribers unless it is told not to.
    return {
        "status": given["status"],
        "body": given.get("body", ""),
        "deliver_notifications": given.get("deliver_notifications", True),
    }


def _error(status: int, said: object) -> Reply:
    return Reply(status, json.dumps({"error": said}))
