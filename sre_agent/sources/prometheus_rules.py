"""What Prometheus itself alerts on: alerts that fire or are pending, the rules behind the incident's alerts, and the metrics
those rules compare.

All of it has its own, shorter deadline: a slow rules API must not cost the metrics. Rules are matched by the alert's name
and by the labels that the rule itself sets.
Source of the protocol: https://prometheus.io/docs/prometheus/latest/querying/api/#rules
"""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from sre_agent.evidence.alert_state import PLACE_LABELS, ActiveAlert, nearest, short_labels
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import SreAgentError
from sre_agent.sources.http_api import HttpSession
from sre_agent.sources.prometheus_api import PrometheusApi, Told
from sre_agent.sources.promql import IDENTITIES, Selector, compared

MAX_ALERTS = 200
MAX_NAMES = 5
MAX_RULES = 10
LONGEST = 4_000
# Set by whoever sends or federates alerts, not by the series: to ask for them would find nothing.
_NOT_OF_SERIES = frozenset(
    {"alertname", "alertstate", "severity", "alert_type", "cluster", "prometheus", "prometheus_replica", "replica"}
)


class AlertingRules:
    """Reads alerts, rules and alerted metrics within `deadline_s`; whatever cannot be read is ERROR evidence, never raised."""

    def __init__(self, api: PrometheusApi, deadline_s: float) -> None:
        self._api = api
        self._deadline_s = deadline_s

    async def gather(self, session: HttpSession, scope: Scope) -> tuple[Evidence, ...]:
        """ALERT evidence of alerts, ALERT evidence of rules, METRICS evidence of what the rules compare."""
        alerts, rules = await asyncio.gather(
            self._within(self._alerts(session, scope), "alerts", scope), self._within(self._behind(session, scope), "rules", scope)
        )
        return (*alerts, *rules)

    async def _within(self, asked: Awaitable[tuple[Evidence, ...]], what: str, scope: Scope) -> tuple[Evidence, ...]:
        """What was asked, or why it could not be answered."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asked
        except TimeoutError:
            problem = f"no answer within {self._deadline_s:g} s"
        except SreAgentError as error:
            problem = str(error)
        return (self._said(what, EvidenceStatus.ERROR, scope).model_copy(update={"error": problem[:500]}),)

    async def _alerts(self, session: HttpSession, scope: Scope) -> tuple[Evidence, ...]:
        told = await self._api.listed(session, "/api/v1/alerts", {})
        read = tuple(_active(_items(told, "alerts")))
        kept = nearest(read, scope.incident, scope.onset, MAX_ALERTS)
        payload = [a.payload() for a in kept]
        return (self._listed("alerts", told, payload, scope).model_copy(update={"truncated": len(kept) < len(read)}),)

    async def _behind(self, session: HttpSession, scope: Scope) -> tuple[Evidence, ...]:
        """The rules of the incident's alerts, then the metrics they compare."""
        alerts = {a.name: a for a in reversed(scope.incident.firing or scope.incident.alerts) if a.labels.get("alertname")}
        names = sorted(alerts)[:MAX_NAMES]
        if not names:
            return ()
        told = await self._api.listed(session, "/api/v1/rules", {"type": "alert", "exclude_alerts": "true", "rule_name[]": names})
        rules = [r for r in _rules(told) if r["name"] in names and _may_be_of(r, alerts[r["name"]])][:MAX_RULES]
        shown = self._listed(f"rules of {', '.join(names)}", told, {"rules": rules} if rules else None, scope)
        asked: dict[Selector, Alert] = {}
        for rule in rules:
            for selector in compared(rule["query"]):
                asked.setdefault(selector, _without_set(alerts[rule["name"]], rule["labels"]))
        ranges = await asyncio.gather(*(self._compared(session, s, a, scope) for s, a in asked.items()))
        return (shown, *(e for e in ranges if e is not None))

    async def _compared(self, session: HttpSession, selector: Selector, alert: Alert, scope: Scope) -> Evidence | None:
        """One compared metric, of the alert's own series; less narrowly where none carries all of its labels."""
        queries = dict.fromkeys(selector.within(labels) for labels in _narrowings(selector, alert))
        answer = None
        for query in queries:
            try:
                answer = await self._api.range(session, query, scope)
            except SreAgentError as error:
                return self._api.said(query, EvidenceStatus.ERROR, scope).model_copy(update={"error": str(error)[:500]})
            if answer.status is EvidenceStatus.OK:
                break
        return answer

    def _listed(self, what: str, told: Told | None, payload: Any, scope: Scope) -> Evidence:
        evidence = self._said(what, EvidenceStatus.OK if payload else EvidenceStatus.NO_DATA, scope)
        missing = "this server evaluates no rules" if told is None else ""
        return evidence.model_copy(update={"payload": payload, "size_bytes": len(str(payload or "")), "error": missing})

    def _said(self, what: str, status: EvidenceStatus, scope: Scope) -> Evidence:
        return Evidence(
            id="",
            source="prometheus",
            kind=EvidenceKind.ALERT,
            query=what,
            status=status,
            observed_at=scope.now,
            link=self._api.link("alerts"),
        )


def _narrowings(selector: Selector, alert: Alert) -> Iterator[Mapping[str, str]]:
    """Labels to ask with, from the narrowest: all of the alert's, then its identity, then the rule's own matchers alone."""
    labels = {k: v for k, v in alert.labels.items() if k not in _NOT_OF_SERIES}
    yield labels
    identity = next((n for group in IDENTITIES for n in group if all(labels.get(k) for k in n)), None)
    yield {k: labels[k] for k in identity} if identity else {k: v for k, v in labels.items() if k in PLACE_LABELS}
    if any(operator == "=" for _, operator, _ in selector.matchers):
        yield {}


def _items(told: Told | None, key: str) -> list[Any]:
    listed = told.data.get(key) if told is not None else None
    return listed if isinstance(listed, list) else []


def _active(raw: list[Any]) -> Iterator[ActiveAlert]:
    """Prometheus' {labels, annotations, state, activeAt, value} as active alerts; what is malformed is skipped."""
    for alert in raw:
        if not isinstance(alert, dict):
            continue
        try:
            yield ActiveAlert.model_validate(
                {
                    "labels": short_labels(alert.get("labels")),
                    "annotations": short_labels(alert.get("annotations")),
                    "startsAt": alert.get("activeAt"),
                    "state": alert.get("state"),
                }
            )
        except ValidationError:
            continue


def _rules(told: Told | None) -> Iterator[dict[str, Any]]:
    """Every alerting rule with a name and an expression, in short."""
    for group in _items(told, "groups"):
        rules = group.get("rules") if isinstance(group, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict) and isinstance(rule.get("name"), str) and isinstance(rule.get("query"), str):
                query = rule["query"]
                yield {
                    "name": rule["name"],
                    "query": query if len(query) <= LONGEST else "",  # half an expression would be another one
                    "duration": rule.get("duration"),
                    "labels": short_labels(rule.get("labels")),
                    "annotations": short_labels(rule.get("annotations")),
                    "state": rule.get("state"),
                    "health": rule.get("health"),
                    "lastError": str(rule.get("lastError") or "")[:300],
                    "metrics": [s.name for s in compared(query) if s.name],
                }


def _may_be_of(rule: Mapping[str, Any], alert: Alert) -> bool:
    """Whether the alert carries the labels that the rule sets, as far as it carries them; templated ones can be anything."""
    return all("{{" in v or alert.labels.get(k, v) == v for k, v in rule["labels"].items())


def _without_set(alert: Alert, by_rule: Mapping[str, str]) -> Alert:
    """The alert with what its series had: without the labels that the rule set."""
    return alert.model_copy(update={"labels": {k: v for k, v in alert.labels.items() if k not in by_rule}})
