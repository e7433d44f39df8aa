from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import ConfigurationError, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.prometheus import PrometheusEndpoint, PrometheusSource
from sre_agent.sources.topology import MAX_CALLS, TopologySource, load_calls
from sre_agent.testing.prometheus import Fault, PrometheusStandIn

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=5)
SCOPE = Scope(
    incident=Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1", name="voice"),
        alerts=(Alert(labels={"service": "cart"}),),
    ),
    now=NOW,
    onset=ONSET,
    window=Window.before(NOW, timedelta(minutes=30)),
    change_window=Window.before(ONSET, timedelta(hours=24)),
)


def graph(server: PrometheusStandIn, pairs: list[tuple[str, str]], minutes_ago: float = 1.0) -> None:
    for client, callee in pairs:
        for status in ("ok", "failed"):
            labels = {"client": client, "server": callee, "status": status}
            server.observe("traces_service_graph_request_total", labels, 3.0, NOW - timedelta(minutes=minutes_ago))


async def test_declared_calls_are_told_nearest_first():
    calls = (("a", "b"), ("shop", "cart"), ("cart", "db"), ("b", "c"), ("db", "disk"))
    (evidence,) = await TopologySource(calls).gather(SCOPE)
    assert evidence.payload == {"calls": [["cart", "db"], ["shop", "cart"], ["db", "disk"], ["a", "b"], ["b", "c"]]}
    assert (evidence.kind, evidence.status, evidence.query) == (EvidenceKind.TOPOLOGY, EvidenceStatus.OK, "declared calls")
    assert len(list(EvidenceView(scope=SCOPE, evidence=(evidence,)).calls())) == 5


@pytest.mark.slow
async def test_calls_that_traces_and_the_mesh_counted_are_read_by_two_fixed_queries():
    with PrometheusStandIn(now=NOW.timestamp) as server:
        graph(server, [("shop", "cart"), ("cart", "db"), ("unknown", "cart"), ("user", "shop")])
        graph(server, [("cart", "stopped")], minutes_ago=30)
        graph(server, [("cart", "long-gone")], minutes_ago=90)
        mesh = {"source_workload": "cart", "destination_workload": "pay", "response_code": "200"}
        server.observe("istio_requests_total", mesh, 1.0, NOW)
        traced, meshed = await TopologySource((), PrometheusSource(PrometheusEndpoint(server.url))).gather(SCOPE)
        assert traced.payload == {"calls": [["cart", "db"], ["cart", "stopped"], ["shop", "cart"], ["user", "shop"]]}
        assert meshed.payload == {"calls": [["cart", "pay"]]}
        assert sorted(form["query"] for _, form in server.asked) == [
            "group by (client, server) (last_over_time(traces_service_graph_request_total[1h]))",
            "group by (source_workload, destination_workload) (last_over_time(istio_requests_total[1h]))",
        ]


@pytest.mark.slow
async def test_when_nobody_knows_anything_that_is_no_data():
    with PrometheusStandIn(now=NOW.timestamp) as server:
        (evidence,) = await TopologySource((), PrometheusSource(PrometheusEndpoint(server.url))).gather(SCOPE)
    assert (evidence.status, evidence.payload) == (EvidenceStatus.NO_DATA, None)
    (evidence,) = await TopologySource().gather(SCOPE)
    assert evidence.status is EvidenceStatus.NO_DATA


@pytest.mark.slow
async def test_metrics_that_cannot_be_read_are_errors_beside_a_declaration_and_raise_without_one():
    with PrometheusStandIn(now=NOW.timestamp) as server:
        server.fail(Fault.UNAVAILABLE)
        metrics = PrometheusSource(PrometheusEndpoint(server.url))
        found = await TopologySource((("a", "b"),), metrics).gather(SCOPE)
        assert [e.status for e in found] == [EvidenceStatus.OK, EvidenceStatus.ERROR, EvidenceStatus.ERROR]
        with pytest.raises(Transient, match="query timed out"):
            await TopologySource((), metrics).gather(SCOPE)


async def test_a_large_graph_is_cut_with_a_flag_and_the_incidents_own_calls_stay():
    calls = (*((f"a{i}", f"b{i}") for i in range(MAX_CALLS)), ("cart", "db"))
    (evidence,) = await TopologySource(calls).gather(SCOPE)
    assert (len(evidence.payload["calls"]), evidence.truncated) == (MAX_CALLS, True)
    assert evidence.payload["calls"][0] == ["cart", "db"]


@pytest.mark.parametrize(
    "text", ["calls: [[a, b], [b, c]]", '{"calls": [["a", "b"], ["b", "c"], ["a", "b"]]}', "calls:\n- [a, b]\n- ['b ', c]\n"]
)
def test_a_file_is_yaml_or_json(tmp_path, text):
    (tmp_path / "t.yaml").write_text(text)
    assert load_calls(tmp_path / "t.yaml") == (("a", "b"), ("b", "c"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("calls: [[a]]", r"calls\.0: is not a pair"),
        ("calls: [[a, b], [a, '']]", r"calls\.1: is not a pair"),
        ("calls: [a]", r"calls\.0"),
        ("calls: [[a, 3]]", r"calls\.0\.1"),
        ("edges: []", "calls: Field required"),
        ("[]", "the file"),
        ("calls: [", "neither YAML nor JSON"),
        ("", "the file"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_place(tmp_path, text, said):
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=rf"SRE_AGENT_TOPOLOGY: .*t\.yaml.*{said}"):
        load_calls(tmp_path / "t.yaml")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read: No such file"):
        load_calls(tmp_path / "none.yaml")
