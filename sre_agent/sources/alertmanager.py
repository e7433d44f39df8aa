"""Alerts and silences from an Alertmanager (API v2), around the incident. Read-only: only the paths in PATHS are ever asked.

Asked is for everything that is active, silenced or inhibited, of the incident's cluster where its alerts name one: whether
an alert of another service matters is known only to who knows the call graph. Where that is more than the agent will read,
it asks again for the incident's own places alone. Silences are asked for only when one of the alerts is silenced.
Source of the protocol: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from sre_agent.evidence.alert_state import PLACE_LABELS, ActiveAlert, Surroundings, nearest, short_labels
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.incident import Incident
from sre_agent.sources.http_api import HttpSession, TooMuch, api_of

# SAFETY: the agent never silences anybody. Both paths also take a POST; only GET is ever sent here.
STATUS = "/api/v2/status"
PATHS = frozenset({"/api/v2/alerts", "/api/v2/silences", STATUS})
MAX_ALERTS = 200
MAX_SILENCES = 20
MAX_FILTERS = 6
LONGEST_COMMENT = 500
_EVERYTHING: dict[str, str | list[str]] = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}


@dataclass(frozen=True)
class AlertmanagerEndpoint:
    """Where and how much to ask. Seconds and bytes; `tenant` becomes X-Scope-OrgID (Mimir), `token` a bearer token."""

    url: str
    token: str = field(default="", repr=False)
    tenant: str = ""
    timeout_s: float = 8.0
    max_body_bytes: int = 8_000_000


class AlertmanagerSource:
    """EvidenceSource for what else fires, and for who silenced what."""

    name = "alertmanager"
    kind = EvidenceKind.ALERT

    def __init__(self, endpoint: AlertmanagerEndpoint) -> None:
        self._http = api_of("Alertmanager", "ALERTMANAGER_URL", endpoint, PATHS)

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """ALERT evidence of alerts, nearest first, and of the silences that hold back the incident's own.

        Raises Transient or Permanent when alerts cannot be read; silences that cannot are ERROR evidence.
        """
        async with self._http.session() as session:
            filters, raw = await self._alerts(session, scope.incident)
            read = tuple(_read(raw))
            kept = nearest(read, scope.incident, scope.onset, MAX_ALERTS)
            query = " or ".join(" ".join(f) for f in filters) or "all alerts"
            alerts = self._said(query, [a.payload() for a in kept], scope)
            alerts = alerts.model_copy(update={"truncated": len(kept) < len(read)})
            own = Surroundings(scope.incident)
            by = {s for a in kept if own.owns(a) for s in a.silenced_by}
            return (alerts, await self._silences(session, by, scope)) if by else (alerts,)

    async def status(self) -> dict[str, Any]:
        """GET /api/v2/status: {"cluster": {"status", "peers"}, "versionInfo": {"version"}, "uptime"}. Raises as `gather`."""
        async with self._http.session() as session:
            answer = await session.get(STATUS, {})
        body = answer.json()
        if answer.status != 200 or not isinstance(body, dict) or not isinstance(body.get("versionInfo"), dict):
            raise self._http.failure(answer)
        return body

    async def _alerts(self, session: HttpSession, incident: Incident) -> tuple[tuple[tuple[str, ...], ...], list[Any]]:
        """(the filters that were asked with, raw alerts); narrower where everything would be too much."""
        clusters = sorted(incident.label_values("cluster"))
        cluster = (_matcher("cluster", clusters[0]),) if len(clusters) == 1 and clusters[0] else ()
        try:
            return ((cluster,) if cluster else ()), await self._list(
                session, "/api/v2/alerts", {**_EVERYTHING, "filter": list(cluster)}
            )
        except TooMuch:
            filters = _places(incident, cluster)
            if not filters:
                raise
        found: dict[str, Any] = {}
        for each in filters:
            for raw in await self._list(session, "/api/v2/alerts", {**_EVERYTHING, "filter": list(each)}):
                found[str(raw.get("fingerprint")) if isinstance(raw, dict) else str(raw)] = raw
        return filters, list(found.values())

    async def _silences(self, session: HttpSession, ids: set[str], scope: Scope) -> Evidence:
        """Those of these ids, in short. What people wrote into a comment is text, cut."""
        query = "silences of the incident's alerts"
        try:
            listed = await self._list(session, "/api/v2/silences", {})
        except SreAgentError as error:
            return self._said(query, None, scope).model_copy(update={"status": EvidenceStatus.ERROR, "error": str(error)[:500]})
        silences = [s for s in listed if isinstance(s, dict) and s.get("id") in ids]
        kept = [_silence(s) for s in silences[:MAX_SILENCES]]
        evidence = self._said(query, {"silences": kept} if kept else None, scope)
        return evidence.model_copy(update={"truncated": len(kept) < len(silences)})

    async def _list(self, session: HttpSession, path: str, query: dict[str, str | list[str]]) -> list[Any]:
        answer = await session.get(path, query)
        body = answer.json()
        if answer.status != 200 or not isinstance(body, list):
            said = body if isinstance(body, str) else body.get("message") if isinstance(body, dict) else None
            raise self._http.failure(answer, str(said or ""))
        return body

    def _said(self, query: str, payload: Any, scope: Scope) -> Evidence:
        return Evidence(
            id="",
            source=self.name,
            kind=self.kind,
            query=query,
            status=EvidenceStatus.OK if payload else EvidenceStatus.NO_DATA,
            observed_at=scope.now,
            link=f"{self._http.url}/#/alerts",
            payload=payload,
            size_bytes=len(str(payload or "")),
        )


def _places(incident: Incident, cluster: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """One filter for each place that the incident's alerts name, the widest last; each within the cluster."""
    found = {n: sorted(v for v in incident.label_values(n) if v) for n in PLACE_LABELS}
    return tuple((_matcher(n, v), *cluster) for n, values in found.items() for v in values)[:MAX_FILTERS]


def _matcher(name: str, value: str) -> str:
    """An exact matcher. Text from an alert can never end the string it is in, and names are ours."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{escaped}"'


def _read(raw: list[Any]) -> Iterator[ActiveAlert]:
    """gettableAlerts as active alerts; what is malformed is skipped."""
    for alert in raw:
        status = alert.get("status") if isinstance(alert, dict) else None
        if not isinstance(status, dict):
            continue
        try:
            yield ActiveAlert.model_validate(
                {
                    "labels": short_labels(alert.get("labels")),
                    "annotations": short_labels(alert.get("annotations")),
                    "startsAt": alert.get("startsAt"),
                    "endsAt": alert.get("endsAt"),
                    "state": status.get("state"),
                    "silencedBy": status.get("silencedBy") or (),
                    "inhibitedBy": status.get("inhibitedBy") or (),
                    "fingerprint": alert.get("fingerprint") or "",
                }
            )
        except ValidationError:
            continue


def _silence(raw: dict[str, Any]) -> dict[str, Any]:
    matchers = raw.get("matchers")
    status = raw.get("status")
    return {
        "id": str(raw.get("id")),
        "matchers": [m for m in matchers[:20] if isinstance(m, dict)] if isinstance(matchers, list) else [],
        "startsAt": raw.get("startsAt"),
        "endsAt": raw.get("endsAt"),
        "createdBy": str(raw.get("createdBy") or "")[:200],
        "comment": str(raw.get("comment") or "")[:LONGEST_COMMENT],
        "state": status.get("state") if isinstance(status, dict) else None,
    }
