"""Metrics from a Prometheus HTTP API (Prometheus, Mimir, Thanos). Read-only: only the paths in PATHS are ever asked.

No metric name needs to be known: what identifies the incident's subject is in the alert's labels, so every series that
carries the same identity is fetched by a bare selector and left to the detectors. What the alert itself compares is read
from its rule and fetched as well (prometheus_rules.py), as are the alerts that this server evaluates. In a replay of the past
the rules are not read (prometheus_past.py).
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import SreAgentError
from sre_agent.sources.prometheus_api import PATHS as PATHS
from sre_agent.sources.prometheus_api import PrometheusApi
from sre_agent.sources.prometheus_api import PrometheusEndpoint as PrometheusEndpoint
from sre_agent.sources.prometheus_past import PastAlerts
from sre_agent.sources.prometheus_rules import AlertingRules
from sre_agent.sources.promql import selectors_of


class PrometheusSource:
    """EvidenceSource for metrics, and the instant query that verification probes use."""

    name = "prometheus"
    kind = EvidenceKind.METRICS

    def __init__(self, endpoint: PrometheusEndpoint) -> None:
        self._api = PrometheusApi(endpoint)
        self._rules = (PastAlerts if endpoint.past else AlertingRules)(self._api, endpoint.rules_s)

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """METRICS evidence per identity of the alerts and per metric they compare, ALERT evidence of alerts and of rules.

        () when the alerts have neither a name nor a subject. One failed request of several is ERROR evidence; when every
        identity fails the first error is raised.
        """
        selectors = selectors_of(scope.incident)
        if not selectors and not scope.incident.label_values("alertname"):
            return ()
        async with self._api.session() as session:
            answers, alerted = await asyncio.gather(
                asyncio.gather(*(self._api.range(session, s, scope) for s in selectors), return_exceptions=True),
                self._rules.gather(session, scope),
            )
        evidence: list[Evidence] = []
        failures: list[SreAgentError] = []
        for selector, answer in zip(selectors, answers, strict=True):
            if isinstance(answer, SreAgentError):
                failures.append(answer)
                evidence.append(self._api.said(selector, EvidenceStatus.ERROR, scope).model_copy(update={"error": str(answer)}))
            elif isinstance(answer, Evidence):
                evidence.append(answer)
            else:
                raise answer
        if failures and len(failures) == len(selectors):
            raise failures[0]
        return (*evidence, *_unseen(alerted, evidence))

    async def instant(self, query: str, at: datetime) -> tuple[Series, ...]:
        """The value of any PromQL expression at one instant: one sample a series. Raises Transient or Permanent.

        A value may be up to five minutes old (Prometheus' lookback); () means no such series now.
        """
        async with self._api.session() as session:
            return await self._api.instant(session, query, at)


def _unseen(alerted: tuple[Evidence, ...], evidence: list[Evidence]) -> Iterator[Evidence]:
    """What the rules brought without series that are there already: who adds series up must not count one twice."""
    seen = {_key(raw) for e in evidence for raw in e.payload or ()}
    for e in alerted:
        if e.kind is not EvidenceKind.METRICS or e.status is not EvidenceStatus.OK:
            yield e
            continue
        new = [raw for raw in e.payload if _key(raw) not in seen]
        seen |= {_key(raw) for raw in new}
        if new:
            yield e.model_copy(update={"payload": new})


def _key(raw: dict[str, dict[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(raw["labels"].items()))
