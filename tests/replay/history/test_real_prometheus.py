"""A past incident end to end: PagerDuty tells of it, a real Prometheus still has its metrics, and the cause is found in them."""

import pytest

from sre_agent.testing.pagerduty import PagerDutyStandIn
from tests.debian_prometheus import prometheus
from tests.replay.history.stage import Clock, crm_incident, environment, kept_metrics, lines, replayed

pytestmark = pytest.mark.real
SPAN = ("--pagerduty", "--since", "2026-09-14", "--until", "2026-09-15", "--json", "-")


def test_the_cause_of_an_incident_that_is_over_is_found_in_the_metrics_of_its_own_time(tmp_path):
    clock = Clock()
    with PagerDutyStandIn(now=clock) as pagerduty, prometheus(tmp_path / "prometheus", kept_metrics()) as url:
        crm_incident(pagerduty, clock)
        told = environment(pagerduty, tmp_path) | {"PROMETHEUS_URL": url}
        done = replayed(told, *SPAN, "--save", str(tmp_path / "cases"))
        assert done.returncode == 0, done.stderr
        (found,) = lines(done.stdout)
        assert [c["kind"] for c in found["root_causes"][:1]] == ["tool_rate_limited"], found
        assert found["root_causes"][0]["object"] == "tool/crm"
    offline = replayed({"SRE_AGENT_DATA_DIR": str(tmp_path / "data")}, str(tmp_path / "cases"), "--json", "-")
    assert offline.stdout == done.stdout


def test_without_the_metrics_of_that_time_no_cause_is_made_up(tmp_path):
    clock = Clock()
    empty = "# TYPE other gauge\n" + "".join(f"other {n} {1789381200 + 60 * n}\n" for n in range(120)) + "# EOF\n"
    with PagerDutyStandIn(now=clock) as pagerduty, prometheus(tmp_path / "prometheus", empty) as url:
        crm_incident(pagerduty, clock)
        done = replayed(environment(pagerduty, tmp_path) | {"PROMETHEUS_URL": url}, *SPAN)
        assert done.returncode == 0, done.stderr
        (found,) = lines(done.stdout)
        assert "tool_rate_limited" not in [c["kind"] for c in found["root_causes"]]
