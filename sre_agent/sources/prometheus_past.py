"""What a Prometheus alerted on at an earlier moment. Its alerts and rules APIs only know the present, so they are not asked: every
server that evaluates rules writes its alerts down as series, and those are read.

Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/#inspecting-alerts-during-runtime
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sre_agent.evidence.alert_state import ActiveAlert, AlertState, nearest, short_labels
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import SreAgentError
from sre_agent.sources.http_api import HttpSession
from sre_agent.sources.prometheus_api import PrometheusApi

MAX_ALERTS = 200
ALERTS, SINCE = "ALERTS", "ALERTS_FOR_STATE"
_STATES = {"firing": AlertState.FIRING, "pending": AlertState.PENDING}
_Labels = frozenset[tuple[str, str]]


class PastAlerts:
    """In the place of AlertingRules, for a scope whose `now` is past. Nothing is raised; what cannot be read is ERROR evidence."""

    def __init__(self, api: PrometheusApi, deadline_s: float) -> None:
        self._api = api
        self._deadline_s = deadline_s

    async def gather(self, session: HttpSession, scope: Scope) -> tuple[Evidence, ...]:
        """ALERT evidence of what fired or was pending at `scope.now`, and one that says that rules have no past."""
        unknown = self._said("rules then", EvidenceStatus.NO_DATA, "Prometheus tells its rules as they are today only", scope)
        try:
            async with asyncio.timeout(self._deadline_s):
                alerts, since = await asyncio.gather(*(self._api.instant(session, q, scope.now) for q in (ALERTS, SINCE)))
        except TimeoutError:
            return self._said(ALERTS, EvidenceStatus.ERROR, f"no answer within {self._deadline_s:g} s", scope), unknown
        except SreAgentError as error:
            return self._said(ALERTS, EvidenceStatus.ERROR, str(error)[:500], scope), unknown
        read = tuple(_active(alerts, _starts(since)))
        kept = nearest(read, scope.incident, scope.onset, MAX_ALERTS)
        payload = [a.payload() for a in kept]
        told = self._said(ALERTS, EvidenceStatus.OK if payload else EvidenceStatus.NO_DATA, "", scope)
        update: dict[str, Any] = {"size_bytes": len(str(payload)), "truncated": len(kept) < len(read)}
        return told.model_copy(update={**update, "payload": payload or None}), unknown

    def _said(self, query: str, status: EvidenceStatus, error: str, scope: Scope) -> Evidence:
        return Evidence(
            id="",
            source="prometheus",
            kind=EvidenceKind.ALERT,
            query=query,
            status=status,
            observed_at=scope.now,
            link=self._api.link("alerts"),
            error=error,
        )


def _starts(since: tuple[Series, ...]) -> dict[_Labels, datetime]:
    """When each alert became pending, by its labels: the value of the series is that time, in unix seconds."""
    found: dict[_Labels, datetime] = {}
    for series in since:
        for _, value in series.finite()[-1:]:
            if 0 < value < 1e11:
                found[_without_state(series)] = datetime.fromtimestamp(value, UTC)
    return found


def _active(alerts: tuple[Series, ...], starts: dict[_Labels, datetime]) -> Iterator[ActiveAlert]:
    for series in alerts:
        state = _STATES.get(series.labels.get("alertstate", ""))
        if state is not None:
            own = _without_state(series)
            yield ActiveAlert(labels=short_labels(dict(own)), starts_at=starts.get(own), state=state)


def _without_state(series: Series) -> _Labels:
    """The labels that the rule and its series gave the alert."""
    return frozenset((k, v) for k, v in series.labels.items() if k not in ("__name__", "alertstate"))
