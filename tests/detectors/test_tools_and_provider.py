from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.detectors.ai import provider, tools
from sre_agent.detectors.ai.outside_calls import answer_of
from sre_agent.evidence.ai.answer import Answer
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 3, 4, 3, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=5)
START = ONSET - timedelta(minutes=30)


def counter(name, before, after, since=1560, born=0, seconds=2100, **labels):
    """A counter growing `before` a second until `since` seconds into the window, then `after` a second."""
    samples = []
    for s in range(0, seconds + 1, 15):
        value = before * min(s, since) + after * max(0, s - since)
        if s >= born:
            samples.append((START.timestamp() + s, float(value)))
    return Series(labels={"__name__": name, **labels}, samples=tuple(samples))


def gauge(name, before, after, since=1560, **labels):
    samples = tuple((START.timestamp() + s, after if s >= since else before + (s % 5) * before / 50) for s in range(0, 2101, 15))
    return Series(labels={"__name__": name, **labels}, samples=samples)


def view(*found, **alert):
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at=ONSET,
        service=Reference(id="P1", name="agents"),
        alerts=(Alert(labels=alert or {"alert_type": "tool", "tool_name": "crm", "summary": "CRM answers 429"}, starts_at=ONSET),),
    )
    window = Window(start=START, end=NOW)
    scope = Scope(incident=incident, now=NOW, onset=ONSET, window=window, change_window=window)
    payload = [s.model_dump(mode="json") for s in found]
    evidence = Evidence(
        id="e4",
        source="prometheus",
        kind=EvidenceKind.METRICS,
        query="",
        status=EvidenceStatus.OK,
        observed_at=NOW,
        payload=payload,
    )
    return EvidenceView(scope=scope, evidence=(evidence,))


def test_a_tool_that_starts_to_answer_429_is_rate_limited_and_nothing_else():
    (found,) = tools.detect(
        view(
            counter("tool_requests_total", 5, 2, tool_name="crm", code="200"),
            counter("tool_requests_total", 0, 4, born=1560, tool_name="crm", code="429"),
        )
    )
    assert found.kind is FindingKind.TOOL_RATE_LIMITED
    assert found.object == "tool/crm"
    assert found.evidence == ("e4",)
    assert "67%" in found.cause
    assert found.strength > 0.8
    assert abs((found.onset - (START + timedelta(seconds=1560))).total_seconds()) <= 30


def test_a_tool_with_5xx_and_timeouts_has_errors_and_the_other_tool_has_none():
    found = tools.detect(
        view(
            counter("tool_requests_total", 5, 2, tool_name="calendar", status="200"),
            counter("tool_requests_total", 0.01, 2, tool_name="calendar", status="503"),
            counter("tool_requests_total", 0, 1, tool_name="calendar", status="timeout"),
            counter("tool_requests_total", 5, 5, tool_name="crm", status="200"),
            counter("tool_requests_total", 0.01, 0.01, tool_name="crm", status="503"),
        )
    )
    assert [(f.kind, f.object) for f in found] == [(FindingKind.TOOL_ERRORS, "tool/calendar")]
    assert "60%" in found[0].cause


def test_an_alert_that_says_429_without_counted_answers_is_no_finding():
    assert tools.detect(view()) == ()
    assert tools.detect(view(counter("tool_requests_total", 5, 5, tool_name="crm"))) == ()


def test_a_steady_share_of_429_from_before_the_onset_is_no_finding():
    steady = (
        counter("tool_requests_total", 5, 5, tool_name="crm", code="200"),
        counter("tool_requests_total", 0.6, 0.7, tool_name="crm", code="429"),
    )
    assert tools.detect(view(*steady)) == ()


def test_four_errors_or_three_percent_are_no_finding():
    few = counter("tool_requests_total", 0, 4 / 540, tool_name="crm", code="500")
    assert tools.detect(view(few)) == ()
    thin = (counter("r_total", 20, 20, tool_name="crm", code="200"), counter("r_total", 0, 0.6, tool_name="crm", code="500"))
    assert tools.detect(view(*thin)) == ()


def test_a_counter_reset_after_the_onset_does_not_invent_or_hide_errors():
    def restarted(series: Series) -> Series:
        cut = ONSET.timestamp() + 60
        low = next(v for t, v in series.samples if t >= cut)
        return series.model_copy(update={"samples": tuple((t, v - low if t >= cut else v) for t, v in series.samples)})

    calm = [restarted(counter("r_total", 5, 5, tool_name="crm", code=c)) for c in ("200",)]
    assert tools.detect(view(*calm, restarted(counter("r_total", 0.001, 0.001, tool_name="crm", code="500")))) == ()
    (found,) = tools.detect(view(*calm, restarted(counter("r_total", 0, 3, tool_name="crm", code="500"))))
    assert found.kind is FindingKind.TOOL_ERRORS


def test_a_label_value_that_first_appears_counts_from_zero():
    at_once = Series(
        labels={"__name__": "r_total", "tool_name": "crm", "code": "500"},
        samples=tuple((ONSET.timestamp() + s, 40.0) for s in range(15, 301, 15)),
    )
    (found,) = tools.detect(view(counter("r_total", 1, 1, tool_name="crm", code="200"), at_once))
    assert found.kind is FindingKind.TOOL_ERRORS


def test_without_a_baseline_only_an_abnormal_share_counts():
    young = {"born": 1740, "since": 1740, "tool_name": "crm"}
    assert tools.detect(view(counter("r_total", 0, 5, code="200", **young), counter("r_total", 0, 0.6, code="500", **young))) == ()
    (found,) = tools.detect(view(counter("r_total", 0, 1, code="200", **young), counter("r_total", 0, 2, code="500", **young)))
    assert "no baseline" in found.cause


def test_errors_named_by_the_metric_are_measured_against_all_requests():
    (found,) = tools.detect(
        view(counter("tool_calls_total", 10, 10, tool_name="crm"), counter("tool_timeouts_total", 0, 4, tool_name="crm"))
    )
    assert found.kind is FindingKind.TOOL_ERRORS
    assert "40%" in found.cause


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"code": "429"}, Answer.LIMITED),
        ({"outcome": "Rate-Limited"}, Answer.LIMITED),
        ({"status": "5xx"}, Answer.FAILED),
        ({"status": "504"}, Answer.TIMED_OUT),
        ({"code": "401"}, Answer.UNAUTHORIZED),
        ({"reason": "timeout"}, Answer.TIMED_OUT),
        ({"code": "404"}, Answer.FINE),
        ({"status": "success"}, Answer.FINE),
        ({"code": "200", "reason": "timeout"}, Answer.FINE),
        ({"code": "weird"}, None),
        ({"code": "5000"}, None),
        ({}, None),
    ],
)
def test_answers_are_read_from_the_usual_labels(labels, expected):
    assert answer_of(Series(labels={"__name__": "requests_total", **labels})) is expected


def test_a_provider_that_answers_5xx_is_named_and_it_is_the_model_owners_business():
    (found,) = provider.detect(
        view(
            counter("llm_requests_total", 8, 1, provider="openai", model="gpt-5", code="200"),
            counter("llm_requests_total", 0, 7, provider="openai", model="gpt-5", code="503"),
            counter("llm_requests_total", 0, 1, provider="openai", model="gpt-5", code="429"),
            alert_type="model",
        )
    )
    assert found.kind is FindingKind.MODEL_PROVIDER_ERRORS
    assert found.object == "app/openai"
    assert "5xx" in found.cause
    assert found.alert_class.value == "model"


def test_a_provider_that_becomes_slow_is_found_by_its_latency():
    (found,) = provider.detect(view(gauge("llm_first_token_seconds", 0.4, 2.5, model="gpt-5", quantile="0.95"), alert_type="model"))
    assert found.object == "app/gpt-5"
    assert "late" in found.cause
    assert found.strength < 0.65


def test_a_provider_a_little_slower_or_a_tool_with_a_model_label_is_no_provider_finding():
    assert provider.detect(view(gauge("llm_first_token_seconds", 0.4, 0.6, model="gpt-5", quantile="0.95"))) == ()
    bad = counter("tool_requests_total", 0, 4, tool_name="crm", model="gpt-5", code="503")
    assert provider.detect(view(bad)) == ()
    assert provider.detect(view(gauge("llm_queue_latency", 0.4, 2.5, pod="api-1"))) == ()


def test_more_requests_to_a_healthy_provider_are_no_finding():
    assert provider.detect(view(counter("llm_requests_total", 5, 80, provider="openai", code="200"))) == ()
