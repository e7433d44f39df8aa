"""The stand-in Prometheus and a real one (when `prometheus` and `promtool` are installed) give the same answers."""

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sre_agent.detectors.signals.alerts import detect
from sre_agent.evidence.alert_state import AlertState, alerts_of, rules_of
from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Permanent
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.prometheus import PrometheusEndpoint, PrometheusSource
from sre_agent.sources.promql import compared
from sre_agent.testing.prometheus import PrometheusStandIn, ThresholdRule
from tests.debian_prometheus import prometheus

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)
STEP = timedelta(seconds=15)
SERIES = {
    ("up", (("env", "prod"), ("pod", "api-1"))): lambda i: float(i),
    ("up", (("env", "dev"), ("pod", "apiary-1"))): lambda i: 1.0,
    ("up", (("pod", 'a"b\\c'),)): lambda i: 2.0,
    ("odd", (("k", "nan"),)): lambda i: math.nan,
    ("odd", (("k", "inf"),)): lambda i: math.inf,
    ("gone", ()): lambda i: 1.0 if i < 20 else None,
}
SAMPLES = 80
RULES = """
groups:
- name: tests
  rules:
  - {alert: UpHigh, expr: 'up{env="prod"} > 5', for: 1m, labels: {alert_type: infra}}
  - {alert: Watchdog, expr: vector(1), labels: {severity: none}}
"""


def samples():
    """(name, labels, value, time) of every sample, oldest first within a series; the last ones at NOW."""
    for (name, labels), value in SERIES.items():
        for i in range(SAMPLES):
            if value(i) is not None:
                yield name, labels, value(i), NOW - STEP * (SAMPLES - 1 - i)


@pytest.fixture(scope="module", params=["stand-in", "real"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "stand-in":
        with PrometheusStandIn(now=NOW.timestamp) as server:
            for name, labels, value, at in samples():
                server.observe(name, dict(labels), value, at)
            server.rule(ThresholdRule("UpHigh", 'up{env="prod"}', 5, 60, (("alert_type", "infra"),)))
            server.rule(ThresholdRule("Watchdog", "vector(1)", 0, labels=(("severity", "none"),)))
            yield server.url
        return
    yield from real(tmp_path_factory.mktemp("prometheus"))


def real(folder) -> Iterator[str]:
    """A real server over the same samples, written as blocks before it starts."""
    lines, seen = [], set()
    for name, labels, value, at in samples():
        lines += [] if name in seen else [f"# TYPE {name} gauge"]
        seen.add(name)
        text = ",".join('{}="{}"'.format(k, v.replace("\\", "\\\\").replace('"', '\\"')) for k, v in labels)
        number = {"nan": "NaN", "inf": "+Inf"}.get(str(value), str(value))
        lines.append(f"{name}{{{text}}} {number} {at.timestamp():.0f}")
    (folder / "rules.yml").write_text(RULES)
    config = "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
    with prometheus(folder, "\n".join([*lines, "# EOF\n"]), config) as address:
        for _ in range(200):
            if httpx.get(f"{address}/api/v1/alerts").json()["data"]["alerts"]:
                break
            time.sleep(0.05)
        yield address


@pytest.mark.parametrize(
    ("query", "pods"),
    [
        ('up{env="prod"}', ["api-1"]),
        ('up{env!="prod"}', ['a"b\\c', "apiary-1"]),
        ('{__name__="up",pod=~"api-.+"}', ["api-1"]),
        ('up{pod=~"api"}', []),
        ('up{pod!~"api.*"}', ['a"b\\c']),
        ('{pod="a\\"b\\\\c"}', ['a"b\\c']),
        ('up{env=~"|dev"}', ['a"b\\c', "apiary-1"]),
        ("nothing", []),
    ],
)
async def test_selectors_match_the_same_series(url, query, pods):
    found = await PrometheusSource(PrometheusEndpoint(url)).instant(query, NOW)
    assert sorted(s.labels["pod"] for s in found) == pods


async def test_an_instant_is_the_newest_sample_of_the_last_five_minutes(url):
    source = PrometheusSource(PrometheusEndpoint(url))
    last = NOW - STEP * (SAMPLES - 20)
    for at, expected in ((NOW, ()), (last + timedelta(seconds=299), (1.0,)), (last + timedelta(seconds=301), ())):
        assert tuple(s.samples[-1][1] for s in await source.instant("gone", at)) == expected
    (series,) = await source.instant('up{env="prod"}', NOW - STEP)
    assert series.samples == (((NOW - STEP).timestamp(), SAMPLES - 2.0),)


async def test_odd_numbers_have_the_same_spelling(url):
    async with httpx.AsyncClient() as client:
        answer = (await client.get(f"{url}/api/v1/query", params={"query": "odd", "time": NOW.timestamp()})).json()
    assert {row["metric"]["k"]: row["value"][1] for row in answer["data"]["result"]} == {"nan": "NaN", "inf": "+Inf"}


async def test_a_range_has_a_point_at_both_ends_and_leaves_out_what_is_stale(url):
    form = {"query": "gone", "start": (NOW - STEP * 79).timestamp(), "end": NOW.timestamp(), "step": 15}
    async with httpx.AsyncClient() as client:
        answer = (await client.post(f"{url}/api/v1/query_range", data=form)).json()
    (row,) = answer["data"]["result"]
    stamps = [t for t, _ in row["values"]]
    assert stamps[0] == form["start"]
    assert stamps[-1] == pytest.approx((NOW - STEP * (SAMPLES - 20) + timedelta(seconds=300)).timestamp(), abs=15)


@pytest.mark.parametrize("query", ['{pod=~".*"}', "{}", "up{", 'up{pod="a\\-b"}', 'up{pod=~"("}'])
async def test_what_is_no_selector_is_bad_data(url, query):
    with pytest.raises(Permanent, match="400: bad_data"):
        await PrometheusSource(PrometheusEndpoint(url)).instant(query, NOW)


async def test_too_many_points_are_refused(url):
    form = {"query": "up", "start": 0, "end": 11_001, "step": 1}
    async with httpx.AsyncClient() as client:
        refused = await client.post(f"{url}/api/v1/query_range", data=form)
        allowed = await client.post(f"{url}/api/v1/query_range", data={**form, "end": 11_000})
    assert (refused.status_code, refused.json()["errorType"]) == (400, "bad_data")
    assert allowed.status_code == 200


async def look(url: str, labels: dict[str, str]) -> EvidenceView:
    incident = Incident(
        id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"), alerts=(Alert(labels=labels),)
    )
    window = Window.before(NOW, timedelta(minutes=20))
    scope = Scope(incident=incident, now=NOW, onset=NOW - STEP * 10, window=window, change_window=window)
    found = await PrometheusSource(PrometheusEndpoint(url)).gather(scope)
    return EvidenceView(scope=scope, evidence=tuple(e.model_copy(update={"id": f"e{n}"}) for n, e in enumerate(found, start=1)))


async def test_the_rule_behind_an_alert_and_the_metric_it_compares_are_found(url):
    view = await look(url, {"alertname": "UpHigh", "alert_type": "infra", "env": "prod", "region": "eu"})
    ((_, name, query),) = rules_of(view)
    assert (name, query.replace(" ", "")) == ("UpHigh", 'up{env="prod"}>5')
    assert [e.query for e in view.ok(EvidenceKind.METRICS)] == ['up{env="prod"}']
    assert [s.labels["pod"] for _, s in view.series()] == ["api-1"]
    (rules,) = [e.payload["rules"] for e in view.ok(EvidenceKind.ALERT) if isinstance(e.payload, dict)]
    assert (rules[0]["duration"], rules[0]["labels"], rules[0]["metrics"]) == (60, {"alert_type": "infra"}, ["up"])


async def test_an_alert_that_always_fires_is_seen_firing_and_its_rule_proves_it(url):
    view = await look(url, {"alertname": "Watchdog", "severity": "none"})
    watchdogs = [a for _, a in alerts_of(view) if a.name == "Watchdog"]
    assert [(a.state, a.labels["severity"]) for a in watchdogs] == [(AlertState.FIRING, "none")]
    assert watchdogs[0].starts_at is not None
    (finding,) = detect(view)
    assert (finding.kind, finding.strength) == (FindingKind.ALERT_ALWAYS_FIRES, 0.9)


async def test_a_call_graph_is_grouped_by_its_two_ends(url):
    query = "group by (env, pod) (last_over_time(up[1h]))"
    found = await PrometheusSource(PrometheusEndpoint(url)).instant(query, NOW)
    assert sorted(tuple(sorted(s.labels.items())) for s in found) == [
        (("env", "dev"), ("pod", "apiary-1")),
        (("env", "prod"), ("pod", "api-1")),
        (("pod", 'a"b\\c'),),
    ]


@pytest.mark.parametrize("evil", ['x"} or {__name__=~".+', "a\\", 'b\\"', "c\nd", "}", "`", "\t\x01é"])
@pytest.mark.parametrize("expression", ["up > 0", "up{env=~`p.*|\\d`,pod!='x'}", '{__name__="up", env="prod"}'])
async def test_what_is_put_together_from_an_expression_and_hostile_labels_is_a_selector_that_finds_nothing(url, expression, evil):
    (selector,) = compared(expression)
    assert await PrometheusSource(PrometheusEndpoint(url)).instant(selector.within({"pod": evil, "namespace": evil}), NOW) == ()
