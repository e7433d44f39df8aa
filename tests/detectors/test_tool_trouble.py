"""Tools one by one, all at once, and late."""

from datetime import timedelta

import pytest

from sre_agent.detectors.ai import tools
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.incident.alert import AlertClass
from tests.detectors.ai_view import ONSET, counter, gauge, view


def failing(tool, code="503", share=0.5, since=ONSET, **labels):
    good = counter("tool_requests_total", 4, 4 * (1 - share), since, tool_name=tool, code="200", **labels)
    return good, counter("tool_requests_total", 0.01, 4 * share, since, tool_name=tool, code=code, **labels)


def well(tool, **labels):
    return (counter("tool_requests_total", 4, 4, tool_name=tool, code="200", **labels),)


def found(*groups, **labels):
    results = tools.detect(view(*(s for g in groups for s in g), labels=labels))
    return [(f.kind, f.object, f.reason) for f in results]


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("429", K.TOOL_RATE_LIMITED, R.RATE_LIMITED),
        ("402", K.TOOL_RATE_LIMITED, R.QUOTA_EXCEEDED),
        ("401", K.TOOL_ERRORS, R.UNAUTHORIZED),
        ("504", K.TOOL_ERRORS, R.TIMED_OUT),
        ("503", K.TOOL_ERRORS, R.OVERLOADED),
        ("500", K.TOOL_ERRORS, None),
    ],
)
def test_one_tool_of_several_is_named_with_its_reason(code, kind, reason):
    assert found(failing("crm", code), well("calendar"), well("search")) == [(kind, "tool/crm", reason)]


def test_the_answers_of_a_tool_that_404s_are_its_answers():
    assert found(failing("crm", "404"), well("calendar")) == []


def test_two_tools_that_fail_beside_one_that_is_well_are_named_each():
    assert [o for _, o, _ in found(failing("crm"), failing("calendar"), well("search"))] == ["tool/calendar", "tool/crm"]


def test_all_tools_at_once_accuse_what_they_share_and_none_of_them():
    everything = (failing("crm", "504"), failing("calendar", "504"), failing("search", "504"))
    (only,) = tools.detect(view(*(s for g in everything for s in g)))
    assert (only.kind, only.object, only.reason) == (K.TOOL_ERRORS, "app/tools", R.TIMED_OUT)
    assert "not each tool" in only.cause
    assert only.alert_class is AlertClass.TOOL  # it still takes the permission of an infra label away


def test_two_tools_behind_one_gateway_accuse_the_gateway_unless_a_third_behind_it_is_well():
    behind = {"gateway": "mcp-eu"}
    both = (failing("crm", **behind), failing("calendar", **behind))
    assert [o for _, o, _ in found(*both, well("search"))] == ["app/mcp-eu"]
    assert len(found(*both, well("search", **behind))) == 2


def test_tools_that_fail_one_after_the_other_share_no_moment():
    parts = [failing(t, since=ONSET - timedelta(minutes=m)) for t, m in (("crm", 0), ("calendar", 8), ("search", 4))]
    assert {o for _, o, _ in found(*parts)} == {"tool/crm", "tool/calendar", "tool/search"}


def test_a_late_tool_is_slow_and_a_failing_one_is_not_called_slow_as_well():
    late = gauge("tool_request_duration_seconds", 0.2, 2.0, tool_name="crm", quantile="0.95")
    assert found((late,)) == [(K.TOOL_SLOW, "tool/crm", R.SLOW)]
    assert [k for k, _, _ in found((late,), failing("crm"))] == [K.TOOL_ERRORS]
    assert found((gauge("tool_request_duration_seconds", 0.2, 0.3, tool_name="crm", quantile="0.95"),)) == []


def test_a_tool_that_the_alert_names_weighs_more():
    named = tools.detect(view(*failing("crm"), *well("calendar"), labels={"alert_type": "tool", "tool_name": "crm"}))
    other = tools.detect(view(*failing("crm"), *well("calendar")))
    assert named[0].strength > other[0].strength


def test_open_telemetrys_tool_spans_are_tools():
    name = "gen_ai_execute_tool_duration_seconds_count"
    good = counter(name, 4, 2, gen_ai_tool_name="crm")
    assert found((good, counter(name, 0.01, 2, gen_ai_tool_name="crm", error_type="timeout")), well("b")) == [
        (K.TOOL_ERRORS, "tool/crm", R.TIMED_OUT)
    ]
