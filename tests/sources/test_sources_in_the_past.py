"""Sources asked about a time that is over: nothing of today may be taken for what it was then."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.alert_state import AlertState, alerts_of
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.langfuse import LangfuseSource
from sre_agent.sources.langfuse_api import LangfuseProject
from sre_agent.sources.loki import LokiEndpoint, LokiSource
from sre_agent.sources.prometheus import PrometheusEndpoint, PrometheusSource
from sre_agent.sources.prometheus_api import PrometheusApi
from sre_agent.sources.prometheus_past import PastAlerts
from sre_agent.testing.langfuse import PUBLIC_KEY, SECRET_KEY, LangfuseStandIn
from sre_agent.testing.loki import LokiStandIn
from sre_agent.testing.prometheus import Fault, PrometheusStandIn

pytestmark = pytest.mark.slow

THEN = datetime(2026, 3, 4, 12, 40, tzinfo=UTC)
TODAY = datetime(2026, 11, 28, 8, tzinfo=UTC)
ONSET = THEN - timedelta(minutes=5)
LABELS = {"alertname": "QueueDeep", "alert_type": "infra", "namespace": "voice", "pod": "calls-1"}
SCOPE = Scope(
    incident=Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1"),
        alerts=(Alert(labels=LABELS, starts_at=ONSET),),
    ),
    now=THEN,
    onset=ONSET,
    window=Window.before(THEN, timedelta(hours=1)),
    change_window=Window(start=ONSET - timedelta(hours=24), end=THEN),
)


@pytest.fixture
def prometheus() -> Iterator[PrometheusStandIn]:
    with PrometheusStandIn(now=TODAY.timestamp) as server:
        yield server


@pytest.fixture
def langfuse() -> Iterator[LangfuseStandIn]:
    with LangfuseStandIn() as server:
        yield server


def fired(server: PrometheusStandIn, state: str, at: datetime, since: datetime, **labels: str) -> None:
    server.observe("ALERTS", {**LABELS, **labels, "alertstate": state}, 1, at)
    server.observe("ALERTS_FOR_STATE", {**LABELS, **labels}, since.timestamp(), at)


async def metrics(server: PrometheusStandIn):
    return await PrometheusSource(PrometheusEndpoint(server.url, past=True)).gather(SCOPE)


async def test_alerts_are_those_that_fired_then(prometheus):
    fired(prometheus, "firing", THEN, ONSET)
    fired(prometheus, "pending", THEN, THEN - timedelta(minutes=1), pod="calls-2")
    fired(prometheus, "firing", THEN - timedelta(hours=2), THEN - timedelta(hours=3), pod="long-over")
    fired(prometheus, "firing", TODAY, TODAY, pod="today")
    found = await metrics(prometheus)
    told = {a.labels["pod"]: (a.state, a.starts_at) for _, a in alerts_of(EvidenceView(scope=SCOPE, evidence=found))}
    assert told == {
        "calls-1": (AlertState.FIRING, ONSET),
        "calls-2": (AlertState.PENDING, THEN - timedelta(minutes=1)),
    }
    assert not any("alertstate" in a.labels for _, a in alerts_of(EvidenceView(scope=SCOPE, evidence=found)))


async def test_what_only_knows_the_present_is_not_asked_and_that_is_said(prometheus):
    found = await metrics(prometheus)
    assert {path for path, _ in prometheus.asked} == {"/api/v1/query", "/api/v1/query_range"}
    assert all(float(form.get("time", form.get("end", 0))) == THEN.timestamp() for _, form in prometheus.asked)
    (rules,) = [e for e in found if e.query == "rules then"]
    assert (rules.status, rules.error) == (EvidenceStatus.NO_DATA, "Prometheus tells its rules as they are today only")


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.HTML, Fault.SLOW])
async def test_alerts_that_cannot_be_read_are_an_error_and_never_raised(prometheus, fault):
    prometheus.fail(fault, 1.0)
    api = PrometheusApi(PrometheusEndpoint(prometheus.url))
    async with api.session() as session:
        alerts, rules = await PastAlerts(api, 0.3).gather(session, SCOPE)
    assert (alerts.kind, alerts.status, rules.status) == (EvidenceKind.ALERT, EvidenceStatus.ERROR, EvidenceStatus.NO_DATA)
    assert alerts.error


async def quality(server: LangfuseStandIn):
    project = LangfuseProject(server.url, PUBLIC_KEY, SECRET_KEY, timeout_s=5.0, past=True)
    return await LangfuseSource(project).gather(SCOPE)


def live(server: LangfuseStandIn, name: str, version: int, at: datetime) -> None:
    server.create(name, version, at)
    server.promote(name, version, at)


async def test_a_prompt_that_was_not_touched_since_is_what_it_was_then(langfuse):
    live(langfuse, "router", 1, ONSET - timedelta(days=9))
    live(langfuse, "router", 2, ONSET - timedelta(hours=1))
    told, changes = await quality(langfuse)
    assert [(p["name"], p["version"]) for p in told.payload["prompts"]] == [("router", "2")]
    assert [c["to_version"] for c in changes.payload] == ["2"]
    assert not changes.truncated


async def test_what_went_live_later_is_not_shown_and_the_traffic_of_the_day_tells_the_switch(langfuse):
    live(langfuse, "router", 1, ONSET - timedelta(days=9))
    live(langfuse, "router", 2, ONSET - timedelta(hours=3))
    live(langfuse, "router", 3, THEN + timedelta(days=2))
    for i in range(240):
        at = ONSET - timedelta(hours=20) + timedelta(minutes=5 * i)
        if at < THEN:
            langfuse.use("router", 1 if at < ONSET - timedelta(hours=3) else 2, at)
    told, changes = await quality(langfuse)
    assert told.payload["prompts"] == []
    assert [(c["from_version"], c["to_version"]) for c in changes.payload] == [("1", "2")]
    assert not changes.truncated


async def test_a_prompt_nobody_can_tell_of_makes_the_feed_one_that_covers_nothing(langfuse):
    live(langfuse, "router", 1, ONSET - timedelta(days=9))
    live(langfuse, "router", 2, THEN + timedelta(days=2))
    told, changes = await quality(langfuse)
    assert changes.truncated
    assert "prompt router was changed since, and no traffic shows its version then" in told.error


async def test_a_prompt_that_did_not_exist_yet_changes_nothing(langfuse):
    live(langfuse, "newcomer", 1, THEN + timedelta(days=2))
    told, changes = await quality(langfuse)
    assert (told.status, changes.status, changes.truncated) == (EvidenceStatus.NO_DATA, EvidenceStatus.NO_DATA, False)


async def test_every_question_to_loki_ends_at_the_moment(langfuse):
    with LokiStandIn() as loki:
        await LokiSource(LokiEndpoint(loki.url)).gather(SCOPE)
        ends = [int(end) for asked in loki.asked if (end := asked.one("end"))]
        assert ends
        assert all(end <= int(THEN.timestamp() * 1e9) + 1_000 for end in ends)
        assert all(asked.one("start") for asked in loki.asked)
