from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.prometheus import PATHS, PrometheusEndpoint, PrometheusSource
from sre_agent.sources.prometheus_api import PrometheusApi
from sre_agent.testing.prometheus import Fault, PrometheusStandIn, ThresholdRule

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=5)


@pytest.fixture
def prometheus() -> Iterator[PrometheusStandIn]:
    with PrometheusStandIn(now=NOW.timestamp) as server:
        yield server


def scope(*labels: dict[str, str], minutes: int = 30) -> Scope:
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1"),
        alerts=tuple(Alert(labels=each, starts_at=ONSET) for each in labels),
    )
    window = Window.before(NOW, timedelta(minutes=minutes))
    return Scope(incident=incident, now=NOW, onset=ONSET, window=window, change_window=Window.before(ONSET, timedelta(hours=24)))


def source(server: PrometheusStandIn, **changed: object) -> PrometheusSource:
    return PrometheusSource(PrometheusEndpoint(server.url, **changed))  # pyright: ignore


async def measured(reader: PrometheusSource, at: Scope) -> tuple[Evidence, ...]:
    """The METRICS evidence of a look."""
    return tuple(e for e in await reader.gather(at) if e.kind is EvidenceKind.METRICS)


def scrape(server: PrometheusStandIn, name: str, labels: dict[str, str], value: float = 1.0, minutes: int = 60) -> None:
    for i in range(minutes * 4 + 1):
        server.observe(name, labels, value + i, NOW - timedelta(minutes=minutes) + timedelta(seconds=15 * i))


async def test_every_series_of_the_alerted_redis_master_is_fetched_without_knowing_a_metric_name(prometheus):
    scrape(prometheus, "redis_probe_latency_seconds", {"redis_master": "cache", "quantile": "0.99"})
    scrape(prometheus, "redis_up", {"redis_master": "cache"})
    scrape(prometheus, "redis_up", {"redis_master": "sessions"})
    (evidence,) = await measured(source(prometheus), scope({"redis_master": "cache"}))
    names = {Series.model_validate(raw).name for raw in evidence.payload}
    assert names == {"redis_probe_latency_seconds", "redis_up"}
    assert len(evidence.payload) == 2
    assert evidence.query == '{redis_master="cache"}'
    assert evidence.status is EvidenceStatus.OK
    assert evidence.size_bytes > 0


async def test_the_last_point_lies_on_the_end_of_the_window_and_a_baseline_precedes_the_onset(prometheus):
    scrape(prometheus, "up", {"redis_master": "cache"})
    (evidence,) = await measured(source(prometheus), scope({"redis_master": "cache"}, minutes=6))
    stamps = [t for t, _ in Series.model_validate(evidence.payload[0]).samples]
    assert stamps[-1] == NOW.timestamp()
    assert stamps[0] <= (ONSET - timedelta(minutes=29)).timestamp()
    assert stamps[1] - stamps[0] == pytest.approx(15.0)
    assert evidence.observed_at == NOW


async def test_a_long_window_is_sampled_at_six_hundred_points_and_a_finer_step_can_be_asked_for(prometheus):
    scrape(prometheus, "up", {"redis_master": "cache"})
    await source(prometheus).gather(scope({"redis_master": "cache"}, minutes=1200))
    await source(prometheus, min_step_s=1.0, baseline_s=60.0).gather(scope({"redis_master": "cache"}, minutes=6))
    steps = [float(form["step"]) for path, form in prometheus.asked if path == "/api/v1/query_range"]
    assert steps == [120.0, 1.0]


async def test_observed_at_is_the_newest_sample_when_the_exporter_fell_silent(prometheus):
    for minute in range(30, 9, -1):
        prometheus.observe("up", {"redis_master": "cache"}, 1.0, NOW - timedelta(minutes=minute))
    (evidence,) = await measured(source(prometheus), scope({"redis_master": "cache"}))
    assert evidence.observed_at <= NOW - timedelta(minutes=5)


async def test_pods_of_a_deployment_are_found_by_their_name_and_other_deployments_are_not(prometheus):
    scrape(prometheus, "kube_deployment_status_replicas", {"namespace": "voice", "deployment": "api"})
    scrape(prometheus, "container_memory_rss", {"namespace": "voice", "pod": "api-5d9-x"})
    scrape(prometheus, "container_memory_rss", {"namespace": "voice", "pod": "apiary-1-y"})
    scrape(prometheus, "container_memory_rss", {"namespace": "other", "pod": "api-5d9-x"})
    found = await measured(source(prometheus), scope({"namespace": "voice", "deployment": "api"}))
    labels = [Series.model_validate(raw).labels for e in found for raw in e.payload]
    assert sorted(each.get("pod", "-") for each in labels) == ["-", "api-5d9-x"]
    assert all(each["namespace"] == "voice" for each in labels)


async def test_each_identity_is_asked_once_however_many_alerts_carry_it(prometheus):
    scrape(prometheus, "tool_requests_total", {"tool_name": "crm"})
    at = scope({"tool_name": "crm"}, {"tool_name": "crm", "severity": "page"}, {"tool_name": "calendar"})
    found = await measured(source(prometheus), at)
    assert [e.query for e in found] == ['{tool_name="crm"}', '{tool_name="calendar"}']
    assert [e.status for e in found] == [EvidenceStatus.OK, EvidenceStatus.NO_DATA]


async def test_an_alert_without_a_name_and_a_subject_asks_nothing(prometheus):
    assert await source(prometheus).gather(scope({"severity": "page"})) == ()
    assert prometheus.asked == []


async def test_a_label_value_with_quotes_cannot_leave_its_string(prometheus):
    evil = 'x"} or {__name__=~".+'
    scrape(prometheus, "secret", {"redis_master": "other"})
    scrape(prometheus, "mine", {"redis_master": evil})
    scrape(prometheus, "path", {"redis_master": "a\\b\nc"})
    found = await measured(source(prometheus), scope({"redis_master": evil}, {"redis_master": "a\\b\nc"}))
    assert [Series.model_validate(raw).name for e in found for raw in e.payload] == ["mine", "path"]


async def test_too_many_series_are_cut_with_a_flag_and_buckets_and_flat_lines_go_first(prometheus):
    for i in range(30):
        scrape(prometheus, "rpc_bucket", {"redis_master": "cache", "le": str(i)})
    for i in range(30):
        for minute in range(60):
            prometheus.observe("flat", {"redis_master": "cache", "n": str(i)}, 1.0, NOW - timedelta(minutes=59 - minute))
    scrape(prometheus, "redis_probe_latency_seconds", {"redis_master": "cache"})
    (evidence,) = await measured(source(prometheus, max_payload_bytes=20_000), scope({"redis_master": "cache"}))
    names = [Series.model_validate(raw).name for raw in evidence.payload]
    assert evidence.truncated
    assert "redis_probe_latency_seconds" in names
    assert "rpc_bucket" not in names
    assert evidence.size_bytes <= 20_000


async def test_an_answer_beyond_the_body_cap_is_refused_instead_of_filling_memory(prometheus):
    scrape(prometheus, "up", {"redis_master": "cache"})
    with pytest.raises(Permanent, match="more than 500 bytes"):
        await source(prometheus, max_body_bytes=500).gather(scope({"redis_master": "cache"}))


async def test_nan_and_infinity_strings_survive_and_are_dropped_only_on_use(prometheus):
    for value in (1.0, float("inf"), float("-inf"), float("nan")):
        labels = {"redis_master": "cache", "of": str(value)}
        prometheus.observe("ratio", labels, value, NOW)
    (evidence,) = await measured(source(prometheus), scope({"redis_master": "cache"}))
    series = [Series.model_validate(raw) for raw in evidence.payload]
    assert len(series) == 4
    assert sum(len(s.finite()) for s in series) == 1
    assert all(s.samples for s in series)


async def test_a_server_that_answers_only_nan_leaves_nothing_finite(prometheus):
    scrape(prometheus, "up", {"redis_master": "cache"})
    prometheus.fail(Fault.NAN)
    series = await source(prometheus).instant("up", NOW)
    assert len(series) == 1
    assert series[0].finite() == ()


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (Fault.UNPROCESSABLE, Permanent, "422: execution: query processing would load too many samples"),
        (Fault.UNAVAILABLE, Transient, "503: timeout: query timed out"),
        (Fault.PLAIN_TEXT, Transient, "502: upstream connect error"),
        (Fault.HTML, Permanent, "not the Prometheus API; check PROMETHEUS_URL"),
        (Fault.DROP, Transient, "cannot be reached"),
    ],
)
async def test_a_failing_server_is_an_error_that_says_what_it_answered(prometheus, fault, error, text):
    prometheus.fail(fault)
    with pytest.raises(error, match=text):
        await source(prometheus).gather(scope({"redis_master": "cache"}))
    with pytest.raises(error, match=text):
        await source(prometheus).instant("up", NOW)


async def test_a_slow_server_is_given_up_at_the_deadline(prometheus):
    prometheus.fail(Fault.SLOW, seconds=1.0)
    with pytest.raises(Transient, match=r"did not answer within 0\.2 s"):
        await source(prometheus, timeout_s=0.2).instant("up", NOW)


async def test_nobody_listening_is_transient_and_a_nonsense_address_is_permanent():
    with PrometheusStandIn() as gone:
        url = gone.url
    with pytest.raises(Transient, match="cannot be reached"):
        await PrometheusSource(PrometheusEndpoint(url)).instant("up", NOW)
    with pytest.raises((Permanent, Transient)):
        await PrometheusSource(PrometheusEndpoint("http://[half")).instant("up", NOW)


async def test_a_bad_expression_is_permanent_and_quotes_the_servers_words(prometheus):
    with pytest.raises(Permanent, match=r"400: bad_data: .*parse error"):
        await source(prometheus).instant("rate(up[5m]", NOW)


async def test_instant_gives_the_newest_sample_inside_the_lookback_and_nothing_when_it_is_older(prometheus):
    prometheus.observe("redis_probe_latency_seconds", {"quantile": "0.99"}, 0.002, NOW - timedelta(minutes=1))
    prometheus.observe("redis_probe_latency_seconds", {"quantile": "0.99"}, 0.5, NOW + timedelta(minutes=1))
    query = 'redis_probe_latency_seconds{quantile="0.99"}'
    (series,) = await source(prometheus).instant(query, NOW)
    assert series.samples[0][1] == 0.002
    assert await source(prometheus).instant(query, NOW + timedelta(minutes=10)) == ()


async def test_only_reading_paths_can_ever_be_asked(prometheus):
    assert {f"/api/v1/{p}" for p in ("query", "query_range", "alerts", "rules", "status/buildinfo")} == PATHS
    api = PrometheusApi(PrometheusEndpoint(prometheus.url))
    async with api.session() as session:
        with pytest.raises(Permanent, match="not a path the agent may ask"):
            await session.post("/api/v1/admin/tsdb/delete_series", {})
    assert prometheus.asked == []


async def test_the_stand_in_evaluates_all_four_matchers_and_refuses_selectors_that_match_everything(prometheus):
    for env in ("prod", "staging", "dev"):
        prometheus.observe("up", {"env": env}, 1.0, NOW)
    reader = source(prometheus)

    async def matched(query: str) -> list[str]:
        return sorted(s.labels["env"] for s in await reader.instant(query, NOW))

    assert await matched('up{env="prod"}') == ["prod"]
    assert await matched('up{env!="prod"}') == ["dev", "staging"]
    assert await matched('{__name__="up",env=~"(prod|dev)"}') == ["dev", "prod"]
    assert await matched('up{env!~"p.*"}') == ["dev", "staging"]
    assert await matched('up{env=~"rod"}') == []
    with pytest.raises(Permanent, match="at least one non-empty matcher"):
        await reader.instant('{env=~".*"}', NOW)
    with pytest.raises(Permanent, match="unknown escape sequence"):
        await reader.instant('up{env="a\\-b"}', NOW)


async def test_a_threshold_rule_goes_from_pending_to_firing_and_back(prometheus):
    import httpx

    prometheus.rule(ThresholdRule("RedisSlow", "redis_p99", above=0.1, for_s=60, labels=(("alert_type", "infra"),)))

    async def states() -> list[str]:
        async with httpx.AsyncClient() as client:
            answer = (await client.get(prometheus.url + "/api/v1/alerts")).json()
        return [a["state"] for a in answer["data"]["alerts"]]

    assert await states() == []
    prometheus.observe("redis_p99", {"redis_master": "cache"}, 0.5, NOW - timedelta(seconds=30))
    assert await states() == ["pending"]
    with PrometheusStandIn(now=NOW.timestamp) as other:
        other.rule(ThresholdRule("RedisSlow", "redis_p99", above=0.1, for_s=60))
        other.observe("redis_p99", {}, 0.5, NOW - timedelta(seconds=90))
        async with httpx.AsyncClient() as client:
            rules = (await client.get(other.url + "/api/v1/rules")).json()["data"]["groups"][0]["rules"]
        assert rules[0]["state"] == "firing"
    prometheus.observe("redis_p99", {"redis_master": "cache"}, 0.01, NOW)
    assert await states() == []
