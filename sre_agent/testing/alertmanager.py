"""A stand-in Alertmanager on loopback: GET /api/v2/alerts and /api/v2/silences over alerts that a test adds.

Filters, states and error shapes as in https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml: a bad filter
is 400 with a JSON string, filters are and-ed, an alert that a silence matches is suppressed. Inhibition is stated, not computed.
"""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply
from sre_agent.testing.selector import BadQuery, parse_selector


class AlertmanagerStandIn(HttpStandIn):
    """Start with `with AlertmanagerStandIn() as alertmanager:`."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.alerts: list[dict[str, Any]] = []
        self.silences: list[dict[str, Any]] = []
        self.cluster = "ready"

    def fire(
        self,
        labels: Mapping[str, str],
        starts_at: datetime,
        annotations: Mapping[str, str] | None = None,
        inhibited_by: Sequence[str] = (),
    ) -> str:
        """An alert that fires; returns its fingerprint."""
        fingerprint = f"{zlib.crc32(json.dumps(dict(labels), sort_keys=True).encode()):016x}"
        self.alerts.append(
            {
                "labels": dict(labels),
                "annotations": dict(annotations or {}),
                "startsAt": _stamp(starts_at),
                "endsAt": _stamp(starts_at + timedelta(hours=4)),
                "updatedAt": _stamp(starts_at),
                "fingerprint": fingerprint,
                "generatorURL": "",
                "receivers": [{"name": "default"}],
                "inhibitedBy": list(inhibited_by),
            }
        )
        return fingerprint

    def silence(self, matchers: Mapping[str, str], comment: str, created_by: str = "dana") -> str:
        """A silence of exact matchers; returns its id."""
        identity = f"00000000-0000-4000-8000-{len(self.silences):012d}"
        self.silences.append(
            {
                "id": identity,
                "matchers": [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in matchers.items()],
                "startsAt": "2026-03-04T00:00:00.000Z",
                "endsAt": "2026-03-05T00:00:00.000Z",
                "updatedAt": "2026-03-04T00:00:00.000Z",
                "createdBy": created_by,
                "comment": comment,
                "status": {"state": "active"},
            }
        )
        return identity

    def answer(self, asked: Asked) -> Reply:
        """As the real API answers."""
        if asked.method != "GET":
            return Reply(405, json.dumps({"code": 405, "message": "the stand-in is read-only"}))
        if asked.path == "/api/v2/status":
            cluster = {"name": "01STANDIN", "status": self.cluster, "peers": []}
            return Reply(200, json.dumps({"cluster": cluster, "versionInfo": {"version": "0.34.0"}, "config": {"original": ""}}))
        if asked.path == "/api/v2/silences":
            return Reply(200, json.dumps(self.silences))
        if asked.path != "/api/v2/alerts":
            return Reply(404, json.dumps({"code": 404, "message": f"path {asked.path} was not found"}))
        try:
            wanted = [p for f in asked.query.get("filter", []) for p in parse_selector("{" + f + "}")]
        except BadQuery as error:
            return Reply(400, json.dumps(f"bad matcher format: {error.text}"))
        shown = [self._shown(a) for a in self.alerts if all(holds(a["labels"].get(n, "")) for n, holds in wanted)]
        for parameter, listed in (("silenced", "silencedBy"), ("inhibited", "inhibitedBy")):
            if asked.one(parameter, "true") == "false":
                shown = [a for a in shown if not a["status"][listed]]
        if asked.one("active", "true") == "false":
            shown = [a for a in shown if a["status"]["state"] != "active"]
        return Reply(200, json.dumps(shown))

    def _shown(self, alert: dict[str, Any]) -> dict[str, Any]:
        by = [s["id"] for s in self.silences if all(_matches(m, alert["labels"]) for m in s["matchers"])]
        state = "suppressed" if by or alert["inhibitedBy"] else "active"
        status = {"state": state, "silencedBy": by, "inhibitedBy": alert["inhibitedBy"], "mutedBy": []}
        return {**{k: v for k, v in alert.items() if k != "inhibitedBy"}, "status": status}


def _matches(matcher: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(matcher["name"], "")
    return bool(re.fullmatch(matcher["value"], value)) if matcher["isRegex"] else value == matcher["value"]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
