"""Alerts, rules and alerted metrics of the Prometheus source."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.alert_state import AlertState, alerts_of, rules_of
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Permanent
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.prometheus import PrometheusEndpoint, PrometheusSource
from sre_agent.testing.prometheus import Fault, PrometheusStandIn, ThresholdRule

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=5)
LABELS = {"alertname": "QueueDeep", "alert_type": "infra", "namespace": "voice", "queue": "calls"}


@pytest.fixture
def prometheus() -> Iterator[PrometheusStandIn]:
    with PrometheusStandIn(now=NOW.timestamp) as server:
        yield server


def scope(*labels: dict[str, str]) -> Scope:
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1"),
        alerts=tuple(Alert(labels=each, starts_at=ONSET) for each in labels),
    )
    window = Window.before(NOW, timedelta(minutes=30))
    return Scope(incident=incident, now=NOW, onset=ONSET, window=window, change_window=Window.before(ONSET, timedelta(hours=24)))


async def look(server: PrometheusStandIn, *labels: dict[str, str], **changed: float) -> tuple[Evidence, ...]:
    return await PrometheusSource(PrometheusEndpoint(server.url, **changed)).gather(scope(*labels))  # pyright: ignore


def scrape(server: PrometheusStandIn, name: str, labels: dict[str, str], value: float = 9.0) -> None:
    for i in range(0, 1800, 15):
        server.observe(name, labels, value + i % 60, NOW - timedelta(seconds=1800 - i))


def queries(evidence: tuple[Evidence, ...]) -> list[str]:
    return [e.query for e in evidence if e.kind is EvidenceKind.METRICS and e.status is EvidenceStatus.OK]


def view(evidence: tuple[Evidence, ...]) -> EvidenceView:
    return EvidenceView(scope=scope(LABELS), evidence=evidence)


async def test_the_metric_that_the_alert_compares_is_fetched_though_no_identity_names_it(prometheus):
    scrape(prometheus, "depth", {"namespace": "voice", "name": "calls"})
    scrape(prometheus, "depth", {"namespace": "other", "name": "calls"})
    prometheus.rule(
        ThresholdRule("QueueDeep", "depth", 5, 60, (("alert_type", "infra"),), 'sum by (namespace) (depth{name="calls"}) > 5')
    )
    found = await look(prometheus, {"alertname": "QueueDeep", "alert_type": "infra", "namespace": "voice"})
    assert queries(found) == ['depth{name="calls",namespace="voice"}']
    series = [s for _, s in view(found).series()]
    assert [s.labels["namespace"] for s in series] == ["voice"]
    (rule,) = rules_of(view(found))
    assert rule[1:] == ("QueueDeep", 'sum by (namespace) (depth{name="calls"}) > 5')
    (payload,) = [e.payload for e in found if e.kind is EvidenceKind.ALERT and isinstance(e.payload, dict)]
    assert (payload["rules"][0]["duration"], payload["rules"][0]["metrics"]) == (60.0, ["depth"])


async def test_labels_that_no_series_carries_are_given_up_for_the_identity(prometheus):
    scrape(prometheus, "depth", {"namespace": "voice", "pod": "api-1"})
    prometheus.rule(ThresholdRule("Deep", "depth", 5))
    found = await look(prometheus, {"alertname": "Deep", "namespace": "voice", "region": "eu", "cluster": "c1"})
    assert queries(found) == ['depth{namespace="voice"}']


async def test_a_series_that_an_identity_has_brought_already_is_not_brought_twice(prometheus):
    scrape(prometheus, "depth", {"namespace": "voice", "queue": "calls"})
    scrape(prometheus, "depth", {"namespace": "voice", "queue": "mail"})
    prometheus.rule(ThresholdRule("QueueDeep", "depth", 5))
    found = await look(prometheus, LABELS)
    keys = [
        tuple(sorted(Series.model_validate(raw).labels.items()))
        for e in found
        if e.kind is EvidenceKind.METRICS
        for raw in e.payload
    ]
    assert len(keys) == len(set(keys)) == 1
    assert queries(found) == ['{queue="calls"}']


async def test_alerts_that_fire_or_are_pending_come_with_their_state_and_nearest_first(prometheus):
    scrape(prometheus, "depth", {"namespace": "voice", "queue": "calls"})
    scrape(prometheus, "lag", {"namespace": "far"})
    prometheus.observe("late", {"namespace": "voice"}, 1.0, NOW - timedelta(seconds=10))
    prometheus.rule(ThresholdRule("Lagging", "lag", 5))
    prometheus.rule(ThresholdRule("Late", "late", 0, for_s=60))
    prometheus.rule(ThresholdRule("QueueDeep", "depth", 5, labels=(("alert_type", "infra"),)))
    alerts = [a for _, a in alerts_of(view(await look(prometheus, LABELS)))]
    assert [(a.name, a.state) for a in alerts] == [
        ("QueueDeep", AlertState.FIRING),
        ("Late", AlertState.PENDING),
        ("Lagging", AlertState.FIRING),
    ]
    assert alerts[0].starts_at == NOW - timedelta(seconds=1800)


async def test_a_rule_of_the_same_name_with_other_labels_is_not_the_alerts_own(prometheus):
    prometheus.rule(ThresholdRule("QueueDeep", "a", 5, labels=(("alert_type", "model"),)))
    prometheus.rule(ThresholdRule("QueueDeep", "b", 5, labels=(("alert_type", "infra"),)))
    prometheus.rule(ThresholdRule("Other", "c", 5))
    found = await look(prometheus, LABELS)
    assert [q for _, _, q in rules_of(view(found))] == ["b > 5"]


async def test_no_alerts_and_no_rules_is_no_data_and_a_server_without_rules_says_so(prometheus):
    kinds = [(e.query, e.status, e.error) for e in await look(prometheus, LABELS) if e.kind is EvidenceKind.ALERT]
    assert kinds == [("alerts", EvidenceStatus.NO_DATA, ""), ("rules of QueueDeep", EvidenceStatus.NO_DATA, "")]
    prometheus.fail(Fault.NOT_FOUND, path="/api/v1/rules")
    told = [e for e in await look(prometheus, LABELS) if e.query.startswith("rules")]
    assert [(e.status, e.error) for e in told] == [(EvidenceStatus.NO_DATA, "this server evaluates no rules")]


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.TOO_MANY, Fault.UNAVAILABLE, Fault.HTML, Fault.TRUNCATED, Fault.DROP])
async def test_alerts_and_rules_that_cannot_be_read_are_errors_and_the_metrics_still_come(prometheus, fault):
    scrape(prometheus, "depth", {"queue": "calls"})
    prometheus.fail(fault, path="/api/v1/rules")
    found = await look(prometheus, LABELS)
    assert queries(found) == ['{queue="calls"}']
    (rules,) = [e for e in found if e.query == "rules"]
    assert rules.status is EvidenceStatus.ERROR
    assert rules.error


async def test_a_rules_api_that_hangs_costs_its_own_deadline_and_not_the_metrics(prometheus):
    scrape(prometheus, "depth", {"queue": "calls"})
    prometheus.fail(Fault.SLOW, 1.5, path="/api/v1/rules")
    found = await look(prometheus, LABELS, rules_s=0.2)
    assert queries(found) == ['{queue="calls"}']
    assert [e.error for e in found if e.query == "rules"] == ["no answer within 0.2 s"]


async def test_a_user_and_password_in_the_address_are_sent_and_never_shown(prometheus):
    scrape(prometheus, "depth", {"queue": "calls"})
    address = prometheus.url.replace("http://", "http://reader:hunter22@")
    found = await PrometheusSource(PrometheusEndpoint(address)).gather(scope(LABELS))
    assert queries(found) == ['{queue="calls"}']
    assert "hunter22" not in str([e.model_dump() for e in found])
    prometheus.fail(Fault.UNAUTHORIZED)
    with pytest.raises(Permanent, match="credentials or tenant are not accepted") as refused:
        await PrometheusSource(PrometheusEndpoint(address)).gather(scope(LABELS))
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize("evil", ['x"} or {__name__=~".+', "a\\", "c\nd", ".*"])
async def test_a_hostile_label_value_cannot_widen_what_is_asked(prometheus, evil):
    scrape(prometheus, "depth", {"namespace": "voice", "queue": "other"})
    prometheus.rule(ThresholdRule("QueueDeep", "depth", 5))
    found = await look(prometheus, {**LABELS, "queue": evil, "namespace": evil})
    assert queries(found) == []
    assert not [e for e in found if e.status is EvidenceStatus.ERROR]
