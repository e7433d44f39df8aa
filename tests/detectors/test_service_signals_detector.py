"""NETWORK_SLOW and SERVICE_BUSY: the way between two services, and a CPU that jumps; and what only looks like it."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.signals import service_cpu, service_graph
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TIMES = [ONSET.timestamp() + 60 * i for i in range(-30, 6)]


def view(*told):
    now = ONSET + timedelta(minutes=6)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"))
    window = Window(start=ONSET - timedelta(hours=1), end=now)
    scope = Scope(incident=incident, now=now, onset=ONSET, window=window, change_window=window)
    payload = [s.model_dump(mode="json") for s in told]
    kind, status = EvidenceKind.METRICS, EvidenceStatus.OK
    told_once = Evidence(id="e1", source="x", kind=kind, query="", status=status, observed_at=now, payload=payload)
    return EvidenceView(scope=scope, evidence=(told_once,))


def edge(client, server, way, work, calls=10.0):
    """The four counters of one edge; `way` and `work` are (before, since) seconds a call."""
    sums = {"client_seconds_sum": [way[i] + work[i] for i in (0, 1)], "server_seconds_sum": list(work)}
    sums |= {"client_seconds_count": [1.0, 1.0], "server_seconds_count": [1.0, 1.0]}
    for part, each in sums.items():
        grown, samples = 0.0, []
        for t in TIMES:
            grown += calls * each[t >= ONSET.timestamp()]
            samples.append((t, grown))
        labels = {"__name__": f"traces_service_graph_request_{part}", "client": client, "server": server}
        yield Series(labels=labels, samples=tuple(samples))


def test_time_lost_between_two_services_is_found_at_the_one_that_is_called():
    told = view(*edge("shop", "cart", (0.002, 1.2), (0.05, 0.05)), *edge("shop", "search", (0.002, 0.003), (0.05, 0.05)))
    (found,) = service_graph.detect(told)
    assert (found.kind, found.object, found.evidence) == (FindingKind.NETWORK_SLOW, "service/cart", ("e1",))
    assert "shop 0.002 s -> 1.200 s" in found.cause


@pytest.mark.parametrize(
    ("way", "work", "calls"),
    [
        ((0.002, 0.002), (0.05, 0.12), 10.0),  # the service itself, and nobody feels it
        ((0.002, 0.06), (0.05, 0.05), 10.0),  # many times more, and nobody feels it
        ((0.5, 0.9), (0.05, 0.05), 10.0),  # was slow before
        ((0.002, 1.2), (0.05, 0.05), 0.1),  # hardly ever called
    ],
)
def test_what_is_not_the_way_between_them(way, work, calls):
    assert service_graph.detect(view(*edge("shop", "cart", way, work, calls))) == ()


def test_time_lost_in_a_service_itself_is_found_there_and_not_at_those_that_wait_for_it():
    deep = [*edge("shop", "cart", (0.002, 0.002), (0.06, 2.01)), *edge("cart", "stock", (0.002, 0.002), (0.05, 2.0))]
    (found,) = service_graph.detect(view(*deep))
    assert (found.kind, found.object) == (FindingKind.SERVICE_SLOW, "service/stock")
    assert "stock itself takes longer" in found.cause


def test_a_way_that_was_hardly_taken_before_is_held_against_the_others():
    usual = [s for i in range(8) for s in edge("shop", f"s{i}", (0.002, 0.003), (0.05, 0.05))]
    rare = [s.model_copy(update={"samples": _from_onset(s.samples)}) for s in edge("shop", "cart", (0.002, 1.5), (0.05, 0.05))]
    assert [f.object for f in service_graph.detect(view(*usual, *rare))] == ["service/cart"]
    assert service_graph.detect(view(*rare)) == ()


def _from_onset(samples):
    """The same counter, had nobody called before the onset."""
    start = next(v for t, v in samples if t >= ONSET.timestamp())
    return tuple((t, max(v - start, 0.0)) for t, v in samples)


def test_samples_that_one_counter_lost_put_no_time_on_the_way():
    told = list(edge("shop", "cart", (0.002, 0.002), (0.05, 0.05)))
    told[0] = told[0].model_copy(update={"samples": tuple(s for i, s in enumerate(told[0].samples) if i % 3 and i < 32)})
    assert service_graph.detect(view(*told)) == ()
    slow = [
        s.model_copy(update={"samples": s.samples[:: 4 + i % 2]}) for i, s in enumerate(edge("a", "b", (0.002, 1.2), (0.1, 0.1)))
    ]
    assert {f.object for f in service_graph.detect(view(*slow))} <= {"service/b"}


def test_an_edge_with_half_of_its_counters_says_nothing():
    assert service_graph.detect(view(*list(edge("shop", "cart", (0.002, 1.2), (0.05, 0.05)))[:3])) == ()


def cpu(before, since, name="container_cpu_cores", **labels):
    values = [before(i) if t < ONSET.timestamp() else since for i, t in enumerate(TIMES)]
    return Series(labels={"__name__": name, **labels}, samples=tuple(zip(TIMES, values, strict=True)))


def test_a_cpu_that_jumps_far_beyond_everything_seen_before_is_found():
    told = view(cpu(lambda i: 0.1 + i % 3 / 50, 4.0, service="Cart"), cpu(lambda i: 0.1, 0.11, service="search"))
    (found,) = service_cpu.detect(told)
    assert (found.kind, found.object) == (FindingKind.SERVICE_BUSY, "service/cart")
    assert "jumped to 4" in found.cause


def test_a_single_high_sample_of_a_cpu_is_no_jump():
    values = [0.1] * 30 + [0.1, 0.1, 6.0, 0.1, 0.1, 0.1]
    spike = Series(labels={"__name__": "cpu_cores", "service": "jit"}, samples=tuple(zip(TIMES, values, strict=True)))
    assert service_cpu.detect(view(spike)) == ()


def test_a_cpu_that_was_as_high_before_or_only_doubles_is_not_found():
    habit = cpu(lambda i: 3.0 if i == 5 else 0.1, 4.0, service="batch")
    assert service_cpu.detect(view(habit, cpu(lambda i: 0.5, 1.0, service="api"))) == ()


def test_the_cpu_of_nodes_of_limits_and_of_nobody_is_not_looked_at():
    jump = [cpu(lambda i: 0.1, 4.0, name=n, service="api") for n in ("node_cpu_usage", "kube_cpu_limit", "cpu_throttled_seconds")]
    assert service_cpu.detect(view(*jump, cpu(lambda i: 0.1, 4.0))) == ()
